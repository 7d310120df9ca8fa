"""The comparison from end to end: splits, tuning, trainings, verdicts."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from lossbook.advisor.duplicates import MOST, merged, near_duplicates
from lossbook.advisor.goals import GOALS, LEAST_CLASSES
from lossbook.advisor.judge import Verdict, judge
from lossbook.advisor.methods import CONTROL, METHODS, Setting
from lossbook.advisor.reading import Samples
from lossbook.advisor.splits import FOLDS, Fold, Plan, plan
from lossbook.advisor.stacked import Training
from lossbook.advisor.work import Measured, Run, Work, do, is_done
from lossbook.progress import track
from lossbook.runs.fingerprint import fingerprint
from lossbook.runs.processes import in_processes

EPOCHS = 30
CONTROL_GOAL = "balanced"  # of shuffled labels every classifier, whatever its loss, gets one in N right of each class on average
WEIGHT_DECAY = 5e-4
_MOST_HEADS, _MOST_NUMBERS = 40, 1 << 21  # of a piece of work, so that it stays in a cache
_LARGEST_BATCH, _STEPS = 256, 20
_WORTH_PROCESSES = 2e9  # operations of one head's training


@dataclass(frozen=True)
class Options:
    """What a user may set.

    Attributes:
        goal: that methods are ranked by, a name in :data:`~lossbook.advisor.goals.GOALS`; "" for a table of all.
        methods: names in :data:`~lossbook.advisor.methods.METHODS`, the control first.
        folds: how many tests.
        epochs: passes over the training samples.
        processes: pieces of work at a time; 0: as many as there are cores, or one where starting others would take longer.
        control: shuffle the labels first, so that no method can be better; the goal is balanced accuracy then.
        seed: of the splits and trainings.
    """

    goal: str = ""
    methods: tuple[str, ...] = tuple(METHODS)
    folds: int = FOLDS
    epochs: int = EPOCHS
    processes: int = 0
    control: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.goal and self.goal not in GOALS:
            raise ValueError(f"unknown goal {self.goal!r}; expected one of {', '.join(GOALS)}")
        unknown = [name for name in self.methods if name not in METHODS]
        if unknown or self.methods[:1] != (CONTROL,) or len(set(self.methods)) < len(self.methods):
            raise ValueError(
                f"expected methods that begin with {CONTROL}, each once, of {', '.join(METHODS)}; got {self.methods}"
            )
        if self.control and self.goal not in ("", CONTROL_GOAL):
            raise ValueError(
                f"expected no goal with the control, which is about {GOALS[CONTROL_GOAL].title}: at other goals "
                "losses differ on shuffled labels, too"
            )
        if self.folds < 2 or self.epochs < 1 or self.processes < 0:
            raise ValueError(
                f"expected folds >= 2, epochs >= 1, processes >= 0; got {self.folds}, {self.epochs}, {self.processes}"
            )


@dataclass(frozen=True)
class Comparison:
    """What was found.

    Attributes:
        samples, options, plan: what was compared, and how.
        tuned: goal -> method -> the setting that was chosen on the validation samples; without those that always diverged.
        validation: goal -> method -> score of every setting on the validation samples, NaN where it diverged.
        verdicts: goal -> the verdict.
        scores: goal -> method -> the mean over the tested samples, larger is better.
        known: largest logits of the tested samples: goal -> method -> (n,).
        notes: what the reader should know.
    """

    samples: Samples
    options: Options
    plan: Plan
    tuned: dict[str, dict[str, Setting]]
    validation: dict[str, dict[str, list[float]]]
    verdicts: dict[str, Verdict]
    scores: dict[str, dict[str, float]]
    known: dict[str, dict[str, np.ndarray]]
    notes: tuple[str, ...] = field(default=())

    @property
    def first_goal(self) -> str:
        """The goal that the winner is of."""
        return next(iter(self.verdicts))

    @property
    def winner(self) -> str:
        return self.verdicts[self.first_goal].winner


class Tested(NamedTuple):
    """What a method scored on test samples: its values (n,), and its largest logits (n,)."""

    values: np.ndarray
    scores: np.ndarray


def batch_size(samples: int) -> int:
    """About 20 steps per epoch, in batches of 16 to 256 samples.

    Example:
        >>> batch_size(100), batch_size(1000), batch_size(100_000)
        (16, 64, 256)
    """
    return min(_LARGEST_BATCH, max(16, 2 ** round(math.log2(samples / _STEPS))))


def compare(samples: Samples, options: Options, folder: Path) -> Comparison:
    """Compare the methods on some data.

    Args:
        samples: see :func:`lossbook.advisor.reading.read`.
        options: what a user may set.
        folder: keeps the results of trainings, so that what was interrupted goes on where it was.

    Raises:
        ValueError: for data that cannot be split, saying why.
    """
    notes = list(samples.notes)
    pairs = near_duplicates(samples.features)
    if len(samples) > MOST:
        notes.append(f"Near-duplicates were not looked for, as there are more than {MOST:,} samples.")
    samples = _without_conflicts(samples, pairs, notes)
    if options.control:
        samples = replace(samples, labels=_shuffled(samples, options.seed))
        notes.append("The labels were shuffled: this is the control, in which no method can be better.")
    made = plan(samples.labels, samples.groups, samples.part, options.folds, options.seed)
    counts = torch.bincount(torch.from_numpy(samples.labels[made.folds[0].train]), minlength=len(samples.classes))
    goals = (options.goal,) if options.goal else tuple(name for name, goal in GOALS.items() if goal.wanted(counts))
    goals = (CONTROL_GOAL,) if options.control else goals
    if options.goal and GOALS[options.goal].hides and not GOALS[options.goal].wanted(counts):
        raise ValueError(f"expected at least {LEAST_CLASSES} classes to hold some of them out, got {len(counts)}")
    folder.mkdir(parents=True, exist_ok=True)
    features = saved_features(samples, folder)
    processes = options.processes or _processes(samples, options)
    found = Comparison(samples, options, made, {}, {}, {}, {}, {}, tuple(notes))
    for hides in (False, True):  # goals with classes held out have trainings of their own
        some = tuple(name for name in goals if GOALS[name].hides is hides)
        if some:
            _judge_goals(found, features, some, hides, processes, folder / "runs")
    return found


def _judge_goals(found: Comparison, features: Path, goals: tuple[str, ...], hides: bool, processes: int, folder: Path) -> None:
    """Tune, train and judge at goals that have their trainings in common, and put what was found into the comparison."""
    samples, options, made = found.samples, found.options, found.plan
    work = partial(_work, samples, features, options, goals, hides)
    runs = [(name, number) for name in options.methods for number in range(len(METHODS[name].settings))]
    pieces = [work(made.tuning, 0, part) for part in _parts(runs, samples)]
    measured = _collected(pieces, folder, processes, "tuning")
    for place, goal in enumerate(goals):
        found.validation[goal] = {
            name: [float(measured[name, k][0][0][place].mean()) for k in range(len(METHODS[name].settings))]
            for name in options.methods
        }
        best = {name: _best(scores) for name, scores in found.validation[goal].items()}
        found.tuned[goal] = {name: METHODS[name].settings[k] for name, k in best.items() if k >= 0}
        if CONTROL not in found.tuned[goal]:
            raise ValueError("cross entropy diverged at every rate that was tried: are the features finite and sane?")

    tested = measure_tuned(samples, features, options, found.tuned, hides, made.folds, processes, folder)
    index = np.concatenate([fold.test for fold in made.folds])
    number = np.repeat(np.arange(len(made.folds)), [len(fold.test) for fold in made.folds])
    for goal in goals:
        parts = tested[goal]
        values = np.stack([of_name.values for of_name in parts.values()])
        found.verdicts[goal] = judge(list(parts), values, samples.groups[index], number)
        found.scores[goal] = dict(zip(parts, values.mean(1).tolist(), strict=True))
        found.known[goal] = {name: of_name.scores for name, of_name in parts.items()}


def measure_tuned(
    samples: Samples,
    features: Path,
    options: Options,
    tuned: dict[str, dict[str, Setting]],
    hides: bool,
    folds: Sequence[Fold],
    processes: int,
    folder: Path,
) -> dict[str, dict[str, Tested]]:
    """Train the chosen settings for every fold, and measure them on its test samples.

    Args:
        samples, options: see :func:`compare`.
        features: the file of the samples' features.
        tuned: goal -> method -> setting; goals of the other kind (see ``hides``) are left alone.
        hides: whether a part of the classes is held out of the trainings.
        folds: what trains and what tests; the seed of the k-th training is k + 1.
        processes: pieces of work at a time.
        folder: keeps the results.

    Returns:
        goal -> method -> what it scored on the test samples of all folds, one fold after another.
    """
    mine = {goal: of_goal for goal, of_goal in tuned.items() if GOALS[goal].hides is hides}
    finals = sorted({(name, METHODS[name].settings.index(one)) for of_goal in mine.values() for name, one in of_goal.items()})
    work = partial(_work, samples, features, options, tuple(mine), hides)
    pieces = [work(fold, 1 + k, part) for k, fold in enumerate(folds) for part in _parts(finals, samples)]
    measured = _collected(pieces, folder, processes, "trainings")
    found: dict[str, dict[str, Tested]] = {}
    for place, (goal, of_goal) in enumerate(mine.items()):
        found[goal] = {}
        for name, setting in of_goal.items():
            of_folds = measured[name, METHODS[name].settings.index(setting)]
            values, scores = (np.concatenate(part) for part in zip(*((v[place], s) for v, s in of_folds), strict=True))
            found[goal][name] = Tested(values, scores)
    return found


def _without_conflicts(samples: Samples, pairs: np.ndarray, notes: list[str]) -> Samples:
    """Near-duplicates made one group; the reader is told of them."""
    if not len(pairs):
        return samples
    same = samples.labels[pairs[:, 0]] == samples.labels[pairs[:, 1]]
    parts = samples.part[pairs[:, 0]] != samples.part[pairs[:, 1]]
    notes.append(
        f"{len(np.unique(pairs))} samples have a near-duplicate; such samples never lie in two splits."
        if not parts.any()
        else f"{int(parts.sum())} pairs of near-duplicates lie across your own train, val and test parts: an easy test."
    )
    if not same.all():
        notes.append(f"{int((~same).sum())} pairs of near-duplicates have different labels: look at your labels.")
    return samples if parts.any() else replace(samples, groups=merged(samples.groups, pairs))


def _shuffled(samples: Samples, seed: int) -> np.ndarray:
    """The labels in random order, within every part."""
    random, labels = np.random.default_rng(seed), samples.labels.copy()
    for part in np.unique(samples.part):
        mine = np.flatnonzero(samples.part == part)
        labels[mine] = labels[random.permutation(mine)]
    return labels


def _work(
    samples: Samples,
    features: Path,
    options: Options,
    goals: tuple[str, ...],
    hides: bool,
    fold: Fold,
    seed: int,
    runs: Sequence[Run],
) -> Work:
    training = Training(options.epochs, batch_size(len(fold.train)), WEIGHT_DECAY, options.seed * 1000 + seed)
    data, classes = f"{features.stem} {_code()}", len(samples.classes)
    hidden = _hidden(np.unique(samples.labels[fold.test]), classes, training.seed) if hides else ()
    return Work(features, data, samples.labels, classes, fold.train, fold.test, tuple(runs), goals, training, hidden)


@functools.cache
def _code() -> str:
    """A hash over the code that trains and measures: another version of it makes all results again."""
    return fingerprint(["lossbook.advisor.work"])


def _hidden(present: np.ndarray, classes: int, seed: int) -> tuple[int, ...]:
    """A quarter of the classes, drawn from those that a test has, of which at least one is left."""
    count = min(classes // LEAST_CLASSES, len(present) - 1)
    return tuple(sorted(np.random.default_rng(seed).choice(present, count, replace=False).tolist()))


def _parts(runs: Sequence[Run], samples: Samples) -> list[list[Run]]:
    """Runs that train together."""
    numbers = len(samples.classes) * max(samples.features.shape[1], _LARGEST_BATCH)  # of a head's weights, or of its logits
    most = max(1, min(_MOST_HEADS, _MOST_NUMBERS // numbers))
    return [list(runs[start : start + most]) for start in range(0, len(runs), most)]


def _processes(samples: Samples, options: Options) -> int:
    """All cores, but one process where the products of one head take less than a second."""
    work = 4 * len(samples) * samples.features.shape[1] * len(samples.classes) * options.epochs
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") and work > _WORTH_PROCESSES else 1


def _best(scores: Sequence[float]) -> int:
    """The place of the largest score, the middle one of equal ones; -1 where all are NaN.

    The first of equal ones would have the smallest rate, where a head that is hardly trained may be right by its lucky start.

    Example:
        >>> _best([0.5, 0.9, 0.9, 0.9, float("nan")])
        2
    """
    largest = max((score for score in scores if not math.isnan(score)), default=math.nan)
    equal = [place for place, score in enumerate(scores) if score == largest]
    return equal[len(equal) // 2] if equal else -1


def _done(pieces: Sequence[Work], folder: Path, processes: int, description: str) -> list[Measured]:
    missing = [piece for piece in pieces if not is_done(piece, folder)]
    if processes > 1 and len(missing) > 1:
        for _ in in_processes(do, [(piece, folder) for piece in missing], processes, description):
            pass
        return [do(piece, folder) for piece in pieces]
    return [do(piece, folder) for piece in track(pieces, description)]


def _collected(
    pieces: Sequence[Work], folder: Path, processes: int, description: str
) -> dict[Run, list[tuple[np.ndarray, np.ndarray]]]:
    """Every run -> values (goals, n) and scores (n,) of every fold that it was trained for."""
    found: dict[Run, list[tuple[np.ndarray, np.ndarray]]] = {}
    for piece, measured in zip(pieces, _done(pieces, folder, processes, description), strict=True):
        for run, values, scores in zip(piece.runs, measured.values, measured.scores, strict=True):
            found.setdefault(run, []).append((values, scores))
    return found


def saved_features(samples: Samples, folder: Path) -> Path:
    """The file of the samples' features in a folder, written if it is not there."""
    path = folder / f"features-{samples.sha256[:16]}.npy"
    if not path.is_file():
        _save(path, samples.features)
    return path


def _save(path: Path, features: np.ndarray) -> None:
    """In float32, piece by piece, under its name only when it is whole."""
    temporary = path.with_suffix(".part.npy")
    out = np.lib.format.open_memmap(temporary, "w+", np.float32, features.shape)
    for start in range(0, len(features), 4096):
        out[start : start + 4096] = features[start : start + 4096]
    out.flush()
    temporary.replace(path)


def training_on_all(comparison: Comparison, folder: Path) -> Work:
    """The winner's training at its chosen setting, on all samples that are not the data's own test samples."""
    samples, goal, method = comparison.samples, comparison.first_goal, comparison.winner
    every = np.flatnonzero(samples.part != "test")
    number = METHODS[method].settings.index(comparison.tuned[goal][method])
    return _work(
        samples, saved_features(samples, folder), comparison.options, (goal,), False, Fold(every, every), 0, [(method, number)]
    )

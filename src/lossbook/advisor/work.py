"""A piece of work: heads that are trained on the same samples, and what they score on others.  Its result is a file, so that
what was interrupted goes on where it was."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lossbook.advisor.features import Rows, Standard, open_features
from lossbook.advisor.goals import measure
from lossbook.advisor.methods import METHODS
from lossbook.advisor.stacked import Member, Training, stackable, train_alone, train_together
from lossbook.objectives.objective import Objective

Run = tuple[str, int]  # a method's name and the number of its setting


@dataclass(frozen=True)
class Work:
    """Heads to train and to measure.

    Attributes:
        features: the file of all features.
        data: a text over the features and over the code that trains, as hashes.
        labels: of all samples, (n,), int64.
        classes: their number, N.
        train, test: indices of samples.
        runs: what is trained.
        goals: what is measured, names in :data:`~lossbook.advisor.goals.GOALS`.
        training: epochs, batches, seed.
        hidden: classes whose samples are not trained on; those of the test have the label -1.
    """

    features: Path
    data: str
    labels: np.ndarray
    classes: int
    train: np.ndarray
    test: np.ndarray
    runs: tuple[Run, ...]
    goals: tuple[str, ...]
    training: Training
    hidden: tuple[int, ...] = ()

    def shown(self) -> tuple[np.ndarray, np.ndarray]:
        """Indices of the samples to train on, and all samples' labels, 0.. among the classes that are not hidden, else -1."""
        number = np.full(self.classes, -1)
        kept = np.setdiff1d(np.arange(self.classes), self.hidden)
        number[kept] = np.arange(len(kept))
        labels = number[self.labels]
        return self.train[labels[self.train] >= 0], labels

    @property
    def key(self) -> str:
        """The name of its result: a hash over all that it depends on."""
        settings = [(name, METHODS[name].kind(METHODS[name].settings[k]), METHODS[name].settings[k]) for name, k in self.runs]
        text = json.dumps([self.data, settings, self.goals, vars(self.training), self.hidden])
        arrays = (self.labels, self.train, self.test)
        return hashlib.sha256(text.encode() + b"".join(array.astype("<i8").tobytes() for array in arrays)).hexdigest()[:16]


@dataclass(frozen=True)
class Measured:
    """What came out.

    Attributes:
        values: (runs, goals, samples of the test), NaN where a training diverged.
        scores: the largest logit of every test sample, (runs, samples).
    """

    values: np.ndarray
    scores: np.ndarray


def train(work: Work) -> tuple[list[Objective], Standard]:
    """The trained heads, in the order of the runs, on features standardised by the training samples."""
    features = open_features(work.features)
    index, every_label = work.shown()
    standard = Standard.of(features, index)
    rows, labels = Rows(features, index, standard), torch.from_numpy(every_label[index])
    counts = torch.bincount(labels, minlength=work.classes - len(work.hidden))
    members = []
    for name, number in work.runs:
        method = METHODS[name]
        setting = method.settings[number]
        objective = method.build(setting, features.shape[1], counts, work.training.seed)
        members.append(Member(objective, method.kind(setting), setting["lr"]))
    together = [member for member in members if stackable(member.objective)]
    if together:
        train_together(together, rows, labels, work.training)
    for member in members:
        if not stackable(member.objective):
            train_alone(member, rows, labels, work.training)
    return [member.objective for member in members], standard


@torch.no_grad()
def logits_of(objectives: list[Objective], rows: Rows) -> Tensor:
    """(runs, n, N) in float32."""
    found = []
    for places in rows.pieces():
        features = rows(places)
        found.append(torch.stack([objective.logits(features) for objective in objectives]))
    return torch.cat(found, 1)


def do(work: Work, folder: Path) -> Measured:
    """The result of a piece of work: read where it is there, else computed and written."""
    path = folder / f"{work.key}.npz"
    if (found := _read(path)) is not None:
        return found
    objectives, standard = train(work)
    index, every_label = work.shown()
    rows, labels = Rows(open_features(work.features), work.test, standard), torch.from_numpy(every_label[work.test])
    counts = torch.bincount(torch.from_numpy(every_label[index]), minlength=work.classes - len(work.hidden))
    values = np.full((len(objectives), len(work.goals), len(labels)), np.nan)
    scores = np.full((len(objectives), len(labels)), np.nan, np.float32)
    for place, objective in enumerate(objectives):
        logits = logits_of([objective], rows)[0]
        if bool(logits.isfinite().all()):
            values[place] = measure(objective, logits, labels, counts, work.goals).numpy()
            scores[place] = logits.amax(1).numpy()
    _write(path, values, scores)
    return Measured(values, scores)


def is_done(work: Work, folder: Path) -> bool:
    return (folder / f"{work.key}.npz").is_file()


def _read(path: Path) -> Measured | None:
    """None where there is no whole file."""
    try:
        with np.load(path) as file:
            return Measured(file["values"], file["scores"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _write(path: Path, values: np.ndarray, scores: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, values=values, scores=scores)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise

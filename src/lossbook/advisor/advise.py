"""What a comparison says, in sentences."""

from __future__ import annotations

import math

from lossbook.advisor.compare import Comparison
from lossbook.advisor.goals import GOALS
from lossbook.advisor.judge import Difference, Verdict
from lossbook.advisor.methods import CONTROL, METHODS


def points(value: float) -> str:
    """A difference of shares in points of per cent.

    Example:
        >>> points(0.0123)
        '1.2'
    """
    return f"{100 * value:.1f}"


def images(count: float) -> str:
    """A number of samples, with two digits that count.

    Example:
        >>> images(12345.0)
        '12,000'
    """
    if not math.isfinite(count):
        return "infinitely many"
    digits = max(0, len(str(int(count))) - 2)
    return f"{round(count, -digits):,.0f}"


def verdict_sentence(goal: str, verdict: Verdict) -> str:
    """One goal in a sentence: the method to take and its gain, or by how much at most the methods differ from the control."""
    title, samples = GOALS[goal].title, verdict.gain.samples
    if verdict.winner != CONTROL:
        best = next(one for one in verdict.differences if one.method == verdict.winner)
        return (
            f"For {title}, take {best.method}: it is better than cross entropy by {points(best.mean)} points "
            f"(between {points(best.low)} and {points(best.high)}, for all methods together) on your {samples:,} tested samples."
        )
    if not verdict.different:
        best = max(verdict.differences, key=lambda one: one.mean, default=None)
        needed = (
            ""
            if best is None or best.mean <= 0
            else (
                f" To show that the {points(best.mean)} points of {best.method} are real, if they are, would take about "
                f"{images(best.needed)} tested samples."
            )
        )
        return (
            f"For {title}, keep cross entropy: no loss differs from it by more than {points(verdict.bound)} points "
            f"on your {samples:,} tested samples.{needed}"
        )
    return (
        f"For {title}, keep cross entropy: no loss is shown to be better on your {samples:,} tested samples, "
        f"and {_names([one for one in verdict.differences if one.worse])} worse."
    )


def _names(found: list[Difference]) -> str:
    names = [one.method for one in found]
    return f"{names[0]} is" if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]} are"


def gain_sentence(verdict: Verdict) -> str:
    """What choosing the best method is worth on samples that did not choose it."""
    gain = verdict.gain
    return (
        "Taking the method that looks best, judged on samples that it was not chosen on, gains "
        f"{points(gain.mean)} points on cross entropy (between {points(gain.low)} and {points(gain.high)})."
    )


def advice(comparison: Comparison) -> list[str]:
    """Three sentences: the verdict of the first goal, what the choice is worth, and what differs at the other goals."""
    first = comparison.first_goal
    verdict = comparison.verdicts[first]
    found = [verdict_sentence(first, verdict), gain_sentence(verdict)]
    others = {goal: one for goal, one in comparison.verdicts.items() if goal != first}
    if others:
        winners = [f"{one.winner} for {GOALS[goal].title}" for goal, one in others.items() if one.winner != CONTROL]
        rest = [GOALS[goal].title for goal, one in others.items() if one.winner == CONTROL]
        parts = [f"take {', '.join(winners)}"] if winners else []
        parts += [f"nothing is shown to beat cross entropy for {', '.join(rest)}"] if rest else []
        found.append(f"At the other goals: {'; '.join(parts)}.")
    return found


def warnings(comparison: Comparison) -> list[str]:
    """What a reader should know about the samples, the settings and the trainings."""
    found = [f"{count:,} left out: {why}." for why, count in comparison.samples.left_out.items()] + list(comparison.notes)
    goal = comparison.first_goal
    ends = [name for name, setting in comparison.tuned[goal].items() if METHODS[name].at_an_end(setting)]
    if ends:
        found.append(f"The best learning rate of {', '.join(ends)} is the smallest or the largest that was tried.")
    failed = comparison.verdicts[goal].failed
    missing = [name for name in comparison.options.methods if name not in comparison.tuned[goal]]
    if failed or missing:
        found.append(f"The training of {', '.join([*missing, *failed])} diverged, so these are not compared.")
    return found

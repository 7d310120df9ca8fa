"""The evidence made again: all runs of the tiers quick and frozen, and the committed results from them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lossbook.data.extract import CACHES, record
from lossbook.papers.registry import get_paper, papers_at
from lossbook.runs.collect import write_results
from lossbook.runs.missing import train_into
from lossbook.runs.processes import in_processes
from lossbook.runs.records import Store
from lossbook.runs.spec import RunSpec
from lossbook.runs.tables import longer_tier

_PROCESSES = 2


def make_evidence(paper: str, tier: str, runs_dir: Path, results_dir: Path, longer: bool = False) -> list[Path]:
    """Train the runs of a paper that have no record, and write its results when all of them have one.

    Args:
        paper: its name.
        tier: the tier.
        runs_dir: folder of the records.
        results_dir: folder of the results, in which every tier has its own.
        longer: train what claims read for twice the epochs, into a folder beside that of the tier.

    Returns:
        the files written; none where there are no runs.
    """
    evidence = get_paper(paper).evidence
    evidence = evidence.twice_as_long() if longer else evidence
    runs = evidence.runs(tier)
    if not runs:
        return []
    train_in_processes(runs, runs_dir)
    return write_results(paper, evidence.tables, tier, runs_dir, results_dir, folder=longer_tier(tier) if longer else tier)


def train_in_processes(specs: Iterable[RunSpec], runs_dir: Path) -> None:
    """Train the runs without a record in two processes of one thread each; every record is saved at once."""
    calls = [(spec, runs_dir) for spec in Store(runs_dir).missing(specs)]
    for _ in in_processes(_train, calls, _PROCESSES, "runs"):
        pass


def _train(spec: RunSpec, runs_dir: Path) -> None:
    train_into(Store(runs_dir), spec)


def missing_features() -> list[str]:
    """The data sets of the frozen tier whose features are not all on this machine."""
    return [
        name for name, cache in CACHES.items() if not all(path.is_file() for part in cache.counts for path in cache.files(part))
    ]


def make_all(paper: str, runs_dir: Path = Path("_build/runs"), results_dir: Path = Path("results")) -> None:
    """Make the evidence of a paper, or of all (``""``), at both tiers, paper by paper; the frozen tier where its features are.

    Raises:
        ValueError: if there is no such paper.
    """
    if paper:
        get_paper(paper)
    for tier in ("quick", "frozen"):
        if tier == "frozen" and (missing := missing_features()):
            print(f"no frozen tier: the features of {', '.join(missing)} are missing; `lossbook features` computes them")
            continue
        if tier == "frozen":
            for dataset in CACHES:
                record(dataset, results_dir / tier / "features.csv")
        for name in papers_at(tier):
            if paper in ("", name):
                print(f"{name}, {tier} tier", flush=True)
                for longer in (False, True):
                    for path in make_evidence(name, tier, runs_dir / tier, results_dir, longer):
                        print(f"  wrote {path}", flush=True)
    print("Now run `make notebooks`: the pages show these results once they are executed again.")

"""Seconds to an accuracy: ``python -m benchmarks.accuracy`` trains ResNet-18 on CIFAR-100 to what a paper prints for it.

Measured as airbench does (data/published/airbench): a fixed schedule, the mean accuracy of several runs, and the seconds
on the clock of the training alone, from images on the device to the last step.  A short run before the first warms up.
Writes ``accuracy.csv``, one row per run; needs a GPU and CIFAR-100.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from benchmarks.measure import DEVICE, elapsed, processor
from benchmarks.training import ON_GPU, RESNET18, metered, why_not
from lossbook.files import write_atomically
from lossbook.papers.onecold.read import EVIDENCE
from lossbook.papers.results import published
from lossbook.paths import in_project
from lossbook.runs import train as training
from lossbook.runs.spec import RunSpec

# The schedule of `uniform`'s standard tier.
SPEC = RESNET18.replace(epochs=60, augment=("shift", "flip"), warmup_epochs=3.0, suites=("uniformity",))


def target() -> float:
    """The accuracy that `onecold` prints for ResNet-18 and cross entropy on CIFAR-100 (Table 1), in percent."""
    table = published(EVIDENCE, "1")
    row = table[(table["dataset"] == "cifar100") & (table["model"] == "resnet18v2") & (table["loss"] == "soft-d")]
    return 100 - float(row["value"].item())


def timed(spec: RunSpec) -> dict[str, Any]:
    """One run: its accuracy in percent and the seconds of its loop."""
    seconds: list[float] = []
    result = metered(elapsed(seconds), spec)
    return {"seed": spec.seed, "accuracy": round(100 * result.metrics["A_SW"], 2), "seconds": round(seconds[0], 2)}


def measure(spec: RunSpec, runs: int, accuracy: float) -> list[dict[str, Any]]:
    """``runs`` runs with seeds 0, 1, ... after one short run, with the accuracy that they should reach on average."""
    training.train(spec.replace(epochs=1, seed=runs, suites=()))
    device = torch.cuda.get_device_name(DEVICE) if ON_GPU else processor()
    what = f"{spec.model}, {spec.epochs} epochs"
    about = {"what": what, "dataset": spec.dataset, "target": accuracy, "device": device, "torch": torch.__version__}
    return [about | timed(spec.replace(seed=seed)) for seed in range(runs)]


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description="Seconds to a printed accuracy.")
    parser.add_argument("--runs", type=int, default=5, help="trainings, one seed each (%(default)s)")
    parser.add_argument("--output", type=Path, default=Path("results/benchmarks"), help="folder of the CSV file (%(default)s)")
    arguments = parser.parse_args()
    if reason := why_not(SPEC):
        raise SystemExit(f"{SPEC.model} on {SPEC.dataset} cannot be measured here: {reason}")
    frame = pd.DataFrame(measure(SPEC, arguments.runs, target()))
    write_atomically(in_project(arguments.output) / "accuracy.csv", frame.to_csv(index=False))
    print(frame.to_string(index=False))


if __name__ == "__main__":
    main()

"""Run the benchmarks, print a table and write one CSV a suite: ``python -m benchmarks [SUITE ...] [--quick]``."""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from benchmarks import losses, training, uniform_accuracy
from lossbook.paths import in_project
from lossbook.store import write_atomically

SUITES = {"losses": losses.run, "uniform_accuracy": uniform_accuracy.run, "training": training.run}
SHOWN = ["case", "peer", "time_ratio", "memory_ratio", "ours_ms", "peer_ms", "ours_mib", "peer_mib", "value_error", "items/s"]


def main() -> None:
    """Run the suites that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"some of {', '.join(SUITES)}; default: all")
    parser.add_argument("--quick", action="store_true", help="skip N = 100,000")
    parser.add_argument("--output", type=Path, default=Path("results/bench"), help="folder of the CSV files (%(default)s)")
    arguments = parser.parse_args()
    if unknown := set(arguments.suites) - set(SUITES):
        parser.error(f"unknown suite {', '.join(sorted(unknown))}; expected some of {', '.join(SUITES)}")
    for name in arguments.suites or SUITES:
        frame = pd.DataFrame(SUITES[name](arguments.quick))
        write_atomically(in_project(arguments.output) / f"{name}.csv", frame.to_csv(index=False))
        frame["items/s"] = (1000 * frame["items"] / frame["ours_ms"]).round().astype(int)
        print(f"\n{name}: ratios are ours / peer, medians of CPU time, one thread", flush=True)
        print(frame[SHOWN].to_string(index=False), flush=True)


if __name__ == "__main__":
    main()

"""Run the benchmarks, print a table and write one CSV per suite: ``python -m benchmarks [SUITE ...] [--quick]``.

Every suite runs in a process of its own: what the memory allocator saw before decides whether a large block costs page
faults, which made one comparison four times slower after another suite.

On a machine with a GPU the same command measures there: ``python -m benchmarks losses fused`` is the part on losses.
"""

from __future__ import annotations

import argparse
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pandas as pd

from benchmarks import fused, geometry, losses, methods, ood, proxies, retrieval, training, uniform_accuracy
from benchmarks.measure import features, processor
from lossbook.files import write_atomically
from lossbook.paths import in_project

SUITES = {
    "losses": losses.run,
    "uniform_accuracy": uniform_accuracy.run,
    "training": training.run,
    "fused": fused.run,
    "methods": methods.run,
    "proxies": proxies.run,
    "retrieval": retrieval.run,
    "ood": ood.run,
    "geometry": geometry.run,
}
SHOWN = ["case", "peer", "time_ratio", "time_goal", "memory_ratio", "memory_goal", "ours_ms", "peer_ms"]
SHOWN += ["ours_mib", "peer_mib", "value_error", "items/s"]


def main() -> None:
    """Run the suites that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Run the benchmarks, one CSV per suite.")
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"some of {', '.join(SUITES)}; default: all")
    parser.add_argument("--quick", action="store_true", help="skip the cases that take minutes")
    parser.add_argument("--output", type=Path, default=Path("results/benchmarks"), help="folder of the CSV files (%(default)s)")
    arguments = parser.parse_args()
    if unknown := set(arguments.suites) - set(SUITES):
        parser.error(f"unknown suite {', '.join(sorted(unknown))}; expected some of {', '.join(SUITES)}")
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=fresh, max_tasks_per_child=1) as process:
        for name in arguments.suites or SUITES:
            frame = pd.DataFrame(process.submit(SUITES[name], arguments.quick).result())
            write_atomically(in_project(arguments.output) / f"{name}.csv", frame.to_csv(index=False))
            frame["items/s"] = (1000 * frame["items"] / frame["ours_ms"]).round().astype(int)
            print(f"\n{name}: ratios are ours / peer, medians of CPU time, one thread; {processor()}, {features()}", flush=True)
            print(frame.reindex(columns=[name for name in SHOWN if name in frame]).to_string(index=False), flush=True)


if __name__ == "__main__":
    main()

"""What snakemake prints, as one line that says what runs and what is left."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable

_STARTED = re.compile(r"Job (\d+): (.+)")
_FINISHED = re.compile(r"Finished jobid: (\d+)")
_FAILED = re.compile(r"    jobid: (\d+)")
_COUNT = re.compile(r"(\d+) of (\d+) steps")
_TOTAL = re.compile(r"total +(\d+)")
_FAILURE = re.compile(r"\w*(Error|Exception)\b|Traceback|usage: snakemake")
_CHATTER = re.compile(r"\s*$|\[\w+ \w+ +\d+ [\d:]+ \d+\]|Select jobs|Execute \d+ jobs")


def show_progress(lines: Iterable[str]) -> None:
    """Print the steps that run, and errors as they are."""
    running: dict[str, str] = {}
    done = total = 0
    failed = False
    terminal = sys.stdout.isatty()
    for line in lines:
        if match := _STARTED.match(line):
            running[match[1]] = match[2]
        elif match := _FINISHED.match(line):
            running.pop(match[1], None)
            continue  # the count follows
        elif match := _COUNT.match(line):
            done, total = int(match[1]), int(match[2])
        elif match := _TOTAL.match(line):
            total = int(match[1])
            continue
        else:
            failed = failed or _FAILURE.match(line) is not None
            if match := _FAILED.match(line):
                running.pop(match[1], None)
            if failed and not _CHATTER.match(line):
                print(line, end="", flush=True)
            continue
        text = f"[{done}/{total}] " + (f"now: {', '.join(running.values())}" if running else "done")
        print(f"\r\033[K{text[:150]}" if terminal else text, end="" if terminal else "\n", flush=True)
    if terminal and total:
        print()
    if not total and not failed:
        print("Nothing to do: everything is up to date")

"""Kill builds at random moments, damage files, fill disks; write what came of it to results/reliability/*.csv.

    python tests/reliability.py kills [--number 50] [--seed 0]
    python tests/reliability.py faults

Everything happens in copies of the small project (small_project.py) in a temporary folder.  ``faults`` mounts small and
read-only file systems, so it needs root; without, those rows are missing.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import nbformat
import pandas as pd
import psutil
import small_project as small

OUTPUT = small.ROOT / "results/reliability"
BUSY = "another build is running"
KINDS = ("everything", "the build command", "snakemake", "one process of a step")
STEPS = {"job": "train", "collect": "collect", "page": "execute a page", "stage": "build the book"}


def results(folder: Path) -> dict[str, object]:
    """All that a build must get right, without what tells when and where it ran."""
    found: dict[str, object] = {}
    for path in sorted((folder / "_build/results").rglob("*.csv")):
        frame = pd.read_csv(path).drop(columns=["seconds", "commit"], errors="ignore")
        found[path.name] = frame.to_csv(index=False)
    for path in sorted((folder / "_build/runs").rglob("[!.]*.json")):
        record = json.loads(path.read_text())
        found[path.name] = json.dumps({key: record[key] for key in ("spec", "metrics", "curves", "frames", "code")})
    for page in small.PAGES:
        cells = nbformat.read(folder / f"_build/executed/{page}.ipynb", 4).cells
        outputs = [output for cell in cells for output in cell.get("outputs", [])]
        found[page] = [o.get("text") or o.get("data", {}).get("text/html") for o in outputs]
    return found


def differences(folder: Path, expected: dict[str, object]) -> str:
    """Where a finished build differs from an undisturbed one; empty when nowhere."""
    found = results(folder)
    return ", ".join(name for name in sorted(found | expected) if found.get(name) != expected.get(name))


def family(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """A process and all that it has started."""
    try:
        parent = psutil.Process(process.pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def command_line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def steps_of(processes: list[psutil.Process]) -> str:
    """What the build is doing: the names of its running steps."""
    lines = [command_line(process) for process in processes]
    found = {STEPS[m[1]] for line in lines if (m := re.search(r"python\S* -m lossbook\.book (job|collect|page|stage) ", line))}
    found |= {STEPS["stage"] for line in lines if "jupyter-book build" in line}
    return " + ".join(sorted(found)) or "plan"


def kill(kind: str, processes: list[psutil.Process], chance: random.Random) -> None:
    build, *rest = processes
    snakemake = [p for p in rest if "-m snakemake" in command_line(p)][:1]
    below = [p for p in rest if p not in snakemake]
    chosen = {
        KINDS[0]: processes,
        KINDS[1]: [build],
        KINDS[2]: snakemake or [build],
        KINDS[3]: [chance.choice(below)] if below else [build],
    }[kind]
    for process in chosen:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)


def reference(work: Path) -> dict[str, object]:
    """The results of an undisturbed build (made once a folder)."""
    folder = work / "reference"
    if not folder.is_dir():
        process = small.build(small.make(folder), "--cores", "2", *small.PAGES_BUILT)
        print(process.communicate()[0], flush=True)
        assert process.returncode == 0
    return results(folder)


def kills(work: Path, number: int, seed: int, longest: float) -> None:
    """Kill at random moments, resume at once, until the build is done; compare; begin anew.

    What is killed is drawn from KINDS.  Where the rest of a killed build still runs, the next one must refuse or get the
    right result beside it.
    """
    expected, chance = reference(work), random.Random(seed)
    folder = work / "killed"
    if not folder.is_dir():
        shutil.copytree(work / "reference", folder, ignore=shutil.ignore_patterns("_build", ".snakemake"))
    rows: list[dict[str, object]] = []
    process, builds = None, 1

    def finish(outcome: str) -> None:
        for row in rows:
            row["outcome"] = row["outcome"] or outcome
        OUTPUT.mkdir(parents=True, exist_ok=True)
        pd.DataFrame(rows).to_csv(OUTPUT / "kills.csv", index=False)
        print(f"{len(rows)} kills, build {builds}: {outcome}", flush=True)

    while True:
        if process is None:
            log = (folder / "output.txt").open("w")
            process = subprocess.Popen(
                [*small.COMMAND, "--cores", "2", *small.PAGES_BUILT, *small.OPTIONS],
                cwd=folder,
                env=small.environment(folder),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        enough = len(rows) >= number
        delay = 600.0 if enough else chance.uniform(0.5, longest)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(delay)
        if process.poll() is None:
            kind, processes = chance.choice(KINDS), family(process)
            where = steps_of(processes)
            kill(kind, processes, chance)
            rows.append({"kill": len(rows) + 1, "build": builds, "killed": kind, "while": where, "refused": 0, "outcome": ""})
            print(rows[-1], flush=True)
            if kind == KINDS[3] and len(processes) > 2:
                continue  # the build itself lives: it must notice
            process.wait()
        elif process.returncode == 0:
            different = differences(folder, expected)
            finish("right result" if not different else f"differs: {different}")
            if enough:
                return
            small.wipe(folder)
            builds += 1
        elif BUSY in (folder / "output.txt").read_text():
            rows[-1]["refused"] += 1
            time.sleep(2)
        else:
            print("stopped with an error:", (folder / "output.txt").read_text()[-1500:], flush=True)
        process = None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["kills", "faults"])
    parser.add_argument("--number", type=int, default=50, help="of kills (%(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--longest", type=float, default=60, help="seconds from start or kill to kill, at most (%(default)s)")
    parser.add_argument("--work", type=Path, help="a folder to keep; else a temporary one")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = arguments.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        kills(work, arguments.number, arguments.seed, arguments.longest)


if __name__ == "__main__":
    main()

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
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
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
    """All that a build (of jobs, collection and two pages) must get right, without what tells when and where it ran."""
    found: dict[str, object] = {}
    for path in sorted((folder / "_build/results").rglob("*.csv")):
        frame = pd.read_csv(path).drop(columns=["seconds", "commit"], errors="ignore")
        found[path.name] = frame.to_csv(index=False)
    for path in sorted((folder / "_build/runs").rglob("[!.]*.json")):
        record = json.loads(path.read_text())
        found[path.name] = json.dumps({key: record[key] for key in ("spec", "metrics", "curves", "small_tables", "code")})
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
    """The results of an undisturbed build (made once per folder)."""
    folder = work / "reference"
    if not folder.is_dir():
        process = small.build(small.make(folder), "--cores", "2", *small.PAGES_BUILT)
        print(process.communicate()[0], flush=True)
        assert process.returncode == 0
    return results(folder)


def kills(work: Path, number: int, seed: int, longest: float) -> None:
    """Kill at random moments, resume at once, until the build is done; compare; begin anew.

    Goes on until results/reliability/kills.csv holds ``number`` kills.  What is killed is drawn from KINDS.  Where the
    rest of a killed build still runs, the next one must refuse or get the right result beside it.
    """
    expected, folder = reference(work), work / "killed"
    if not folder.is_dir():
        shutil.copytree(work / "reference", folder, ignore=shutil.ignore_patterns("_build", ".snakemake"))
    shutil.rmtree(folder / "_build", ignore_errors=True)
    rows: list[dict[str, object]] = []
    if (OUTPUT / "kills.csv").is_file():  # those of earlier sessions count
        rows = pd.read_csv(OUTPUT / "kills.csv").to_dict("records")
    chance = random.Random(seed + len(rows))
    process, builds = None, rows[-1]["build"] + 1 if rows else 1

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
                [*small.COMMAND, "--cores", "2", *small.PAGES_BUILT, "--config", "runs_per_job=10", "sample=all"],
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


def step(folder: Path, *words: str) -> subprocess.Popen[str]:
    """One step of the build by itself."""
    return subprocess.Popen(
        [sys.executable, "-m", "lossbook.book", *words],
        cwd=folder,
        env=small.environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@contextlib.contextmanager
def mounted(*arguments: str | Path) -> Iterator[None]:
    """``mount`` with these arguments, the last one the folder."""
    subprocess.run(["mount", *map(str, arguments)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(arguments[-1])], check=True)


def last_line(output: str) -> str:
    """What a user reads last, without the temporary folder's name."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return re.sub(r"[^\s'\"]*/(_build|data)\b", r"\1", lines[-1])[:200] if lines else ""


# step -> (its command, the folder that it writes to, room in kB that is too little for it)
WRITES = {
    "train": (("job", "bce3s-000", "_build/executed-runs/quick/bce3s-000.ipynb", "--runs-per-job", "5"), "_build/runs/quick", 64),
    "collect": (("collect", "bce3s"), "_build/results/quick", 4),
    "execute a page": (
        ("page", "notebooks/bce3s/01-results.md", "_build/executed/bce3s/01-results.ipynb"),
        "_build/executed/bce3s",
        8,
    ),
}


def disk_faults(work: Path, expected: dict[str, object]) -> Iterator[dict[str, object]]:
    """A full disk and a read-only folder below each step that writes; then the same step with the fault removed."""
    for name, (command, target, room) in WRITES.items():
        for fault in ("full disk", "read-only folder"):
            folder = work / "faulty"
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(work / "reference", folder)
            kept = work / "kept"
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(folder / target, kept)
            for path in (folder / target).iterdir():
                path.unlink()
            options = (
                ["-t", "tmpfs", "-o", f"size={room}k", "tmpfs"] if fault == "full disk" else ["-o", "bind,ro", folder / target]
            )
            with mounted(*options, folder / target):
                process = step(folder, *command)
                output = process.communicate()[0]
                failed, half = process.returncode != 0, [p.name for p in (folder / target).glob("[!.]*") if not whole(p)]
            process = step(folder, *command)
            again = process.communicate()[0]
            for path in kept.iterdir():  # what this step does not make: the other batch's records, the other page
                if name != "collect" and not (folder / target / path.name).exists():
                    shutil.copy(path, folder / target)
            right = process.returncode == 0 and not differences(folder, expected)
            clear = failed and not half and re.search("No space left on device|Read-only file system", output)
            outcome = "clear error, then the right result" if clear and right else f"WRONG: {half} {output[-300:]} {again[-300:]}"
            yield {"where": name, "fault": fault, "times": 1, "outcome": outcome, "message": last_line(output)}


def whole(path: Path) -> bool:
    """Is this file complete?"""
    if path.suffix in (".json", ".ipynb"):
        with contextlib.suppress(ValueError):
            return bool(json.loads(path.read_text()))
        return False
    return path.stat().st_size > 0


def damaged(path: Path, kind: str, chance: random.Random) -> None:
    content = path.read_bytes()
    if kind == "missing":
        path.unlink()
    elif kind == "truncated":
        path.write_bytes(content[: chance.randrange(len(content))])
    else:
        place = chance.randrange(len(content))
        path.write_bytes(content[:place] + bytes([content[place] ^ (1 << chance.randrange(8))]) + content[place + 1 :])


DAMAGES = ("truncated", "flipped bit", "missing")
# data set -> the files that torchvision or this package reads, below LOSSBOOK_DATA
FILES = {"fashion-mnist": "FashionMNIST/raw/*", "cifar100": "cifar-100-python/*", "omniglot": "omniglot/*.npz"}


def data_faults(work: Path, chance: random.Random, times: int = 3) -> Iterator[dict[str, object]]:
    """Every file of every data set that is here, damaged in every way."""
    from lossbook.data.dataset import DataError, data_dir, without_downloads
    from lossbook.data.load import load

    source = data_dir()
    for name, pattern in FILES.items():
        files = [path.relative_to(source) for path in sorted(source.glob(pattern))]
        for kind in DAMAGES if files else ():
            outcomes: dict[str, int] = {}
            message = ""
            for path in files:
                for _ in range(1 if kind == "missing" else times):
                    folder = work / "data"
                    shutil.rmtree(folder, ignore_errors=True)
                    for file in files:
                        (folder / file).parent.mkdir(parents=True, exist_ok=True)
                        shutil.copy(source / file, folder / file)
                    damaged(folder / path, kind, chance)
                    os.environ["LOSSBOOK_DATA"] = str(folder)
                    load.cache_clear()
                    try:
                        with without_downloads():
                            load(name)
                        outcome = "right result"  # the content's hash has been compared
                    except DataError as error:
                        outcome, message = "clear error", last_line(str(error))
                    except Exception as error:
                        outcome = f"WRONG: {error!r}"
                    outcomes[outcome] = outcomes.get(outcome, 0) + 1
            os.environ["LOSSBOOK_DATA"] = str(source)
            for outcome, count in outcomes.items():
                said = message if outcome == "clear error" else ""
                yield {"where": f"data set {name}", "fault": kind, "times": count, "outcome": outcome, "message": said}


def record_faults(work: Path, chance: random.Random, times: int = 10) -> Iterator[dict[str, object]]:
    """Every record of the reference, damaged in every way: does the store take it for a record?"""
    from lossbook.papers.registry import get_paper
    from lossbook.runs.records import Store

    folder = work / "records"
    for kind in DAMAGES:
        seen = 0
        for _ in range(1 if kind == "missing" else times):
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(work / "reference/_build/runs/quick", folder)
            all_specs = get_paper(small.PAPER).evidence.table(small.TABLE).runs("quick")
            specs = [spec for spec in all_specs if spec.seed < small.SEEDS]
            assert not Store(folder).missing(specs), "the reference was made by other code: remove it"
            for spec in specs:
                damaged(Store(folder).path(spec), kind, chance)
            seen += len(Store(folder).missing(specs))
        outcome = "counts as missing: trained again" if seen == len(specs) * (1 if kind == "missing" else times) else "WRONG"
        yield {"where": "run record", "fault": kind, "times": seen, "outcome": outcome, "message": ""}


def page_faults(work: Path, chance: random.Random) -> Iterator[dict[str, object]]:
    """An executed page, damaged, when the book is put together."""
    for kind in DAMAGES:
        folder = work / "faulty"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(work / "reference", folder)
        page = f"_build/executed/{small.PAGES[0]}.ipynb"
        if kind == "flipped bit":
            continue  # of text: it may be any letter of an output
        damaged(folder / page, kind, chance)
        process = step(folder, "stage", "_build/stage", page)
        output = process.communicate()[0]
        clear = process.returncode and "01-results.ipynb" in last_line(output)
        outcome = "clear error" if clear else f"WRONG: {output[-300:]}"
        yield {"where": "executed page", "fault": kind, "times": 1, "outcome": outcome, "message": last_line(output)}


def twice(work: Path, expected: dict[str, object]) -> Iterator[dict[str, object]]:
    """Two builds at once in one folder; two of the same step at once, as after a kill that left one running."""
    folder = work / "faulty"
    for what in ("build", "step"):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(work / "reference", folder)
        if what == "build":
            for page in small.PAGES_BUILT:
                (folder / page).unlink()
            both = [small.build(folder, *small.PAGES_BUILT) for _ in range(2)]
        else:
            for record in (folder / "_build/runs/quick").glob("*.json"):
                record.unlink()
            both = [step(folder, *WRITES["train"][0]) for _ in range(2)]
        outputs = [process.communicate()[0] for process in both]
        if what == "step":
            assert (
                step(folder, "job", "bce3s-001", "_build/executed-runs/quick/bce3s-001.ipynb", "--runs-per-job", "5").wait() == 0
            )
        right = not differences(folder, expected)
        codes = sorted(process.returncode for process in both)
        refused = [output for output in outputs if BUSY in output]
        good = right and (codes == [0, 1] and len(refused) == 1 if what == "build" else codes == [0, 0])
        outcome = ("one refused, the other right" if what == "build" else "both right") if good else f"WRONG: {codes} {outputs}"
        message = last_line(refused[0]) if refused else ""
        yield {"where": f"{what}", "fault": "two at once", "times": 1, "outcome": outcome, "message": message}


def faults(work: Path, seed: int) -> None:
    expected, chance = reference(work), random.Random(seed)
    kinds: list[Callable[[], Iterator[dict[str, object]]]] = [
        lambda: record_faults(work, chance),
        lambda: page_faults(work, chance),
        lambda: twice(work, expected),
        lambda: data_faults(work, chance),
    ]
    if os.geteuid() == 0:
        kinds.insert(2, lambda: disk_faults(work, expected))
    rows = []
    for kind in kinds:
        for row in kind():
            rows.append(row)
            print(row, flush=True)
            OUTPUT.mkdir(parents=True, exist_ok=True)
            pd.DataFrame(rows).to_csv(OUTPUT / "faults.csv", index=False)


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
        if arguments.what == "kills":
            kills(work, arguments.number, arguments.seed, arguments.longest)
        else:
            faults(work, arguments.seed)


if __name__ == "__main__":
    main()

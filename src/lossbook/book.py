"""Building the book, one small command a step; the Snakefile calls them.

``python -m lossbook.book job | collect | page | stage``.  Notebooks are read from their MyST source and executed with
papermill; a failing cell fails the step.  Staging puts the outputs of the executed notebooks into the present text, so
that a change of prose executes nothing.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import jupytext
import nbformat
import typer
import yaml

from lossbook.experiments import get_paper, jobs, papers
from lossbook.fingerprint import PACKAGE, fingerprint
from lossbook.kernels import warm_kernels

app = typer.Typer(help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False)

RUN = Path("notebooks/run.md")
_PORT_RACES = 3
_DRAFTS = ".draft-"


def pages() -> list[Path]:
    """All notebooks that are pages, as their MyST sources."""
    return sorted(path for path in Path("notebooks").rglob("*.md") if path != RUN and ".ipynb_checkpoints" not in path.parts)


def _cells(source: Path) -> list[tuple[str, list[str]]]:
    """The code cells and their tags."""
    return _cells_of(source.read_text())


@functools.cache
def _cells_of(text: str) -> list[tuple[str, list[str]]]:
    """Parsed once: the Snakefile asks four questions about every page."""
    cells = jupytext.reads(text, fmt="md").cells
    return [(cell.source, cell.metadata.get("tags", [])) for cell in cells if cell.cell_type == "code"]


def reads_results(source: Path) -> bool:
    """Does the page have the parameter ``results_dir``?"""
    return any("parameters" in tags and "results_dir" in code for code, tags in _cells(source))


def results_read(source: Path) -> list[str]:
    """The papers whose results a page reads: its chapter's, or all if it belongs to none; nothing without the parameter."""
    if not reads_results(source):
        return []
    return [source.parent.name] if source.parent.name in papers() else list(papers())


def _imports(source: Path) -> set[str]:
    """The package's modules that the code cells import."""
    names: set[str] = set()
    for code, _ in _cells(source):
        plain = "\n".join(line for line in code.splitlines() if not line.lstrip().startswith(("%", "!")))
        for node in ast.walk(ast.parse(plain)):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == PACKAGE:
                names.add(node.module)
                names.update(f"{node.module}.{alias.name}" for alias in node.names)
            elif isinstance(node, ast.Import):
                names.update(alias.name for alias in node.names if alias.name.split(".")[0] == PACKAGE)
    return names


def files_digest(paths: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(str(path).encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def files_under(*folders: str) -> str:
    """A hash over the files below some folders."""
    return files_digest(sorted(p for folder in folders for p in Path(folder).rglob("*") if p.is_file()))


def page_state(source: Path) -> str:
    """A hash over all that a page's outputs depend on, its prose not: code cells, reachable package code, published
    tables and reference results of its paper, if it reads them.  A page of no single paper may read those of all."""
    from lossbook.fingerprint import _file

    code = hashlib.sha256("\0".join(code for code, _ in _cells(source)).encode()).hexdigest()[:12]
    package = fingerprint(sorted(name for name in _imports(source) if _file(name)))
    paper = source.parent.name
    if source != RUN and paper not in papers():
        return " ".join([code, package, files_under("data/published"), files_digest(sorted(Path("results").glob("*/*.csv")))])
    published = files_under(f"data/published/{paper}") if Path(f"data/published/{paper}").is_dir() else ""
    reference = files_digest(sorted(Path("results").glob(f"*/{paper}*.csv"))) if reads_results(source) else ""
    return " ".join([code, package, published, reference])


def execute(source: Path, output: Path, parameters: dict[str, Any]) -> None:
    """Run a notebook with papermill from the project's root; retry when a kernel lost the race for a port.

    The draft has a place of its own, as a build that was killed may have left a step running that makes the same page.
    """
    import papermill

    logging.getLogger("papermill").setLevel(logging.ERROR)  # it warns of every parameter that has a comment
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=_DRAFTS, ignore_cleanup_errors=True) as drafts:
        draft, plain = Path(drafts) / output.name, Path(drafts) / "source.ipynb"
        jupytext.write(jupytext.read(source), plain, fmt="ipynb")
        for attempt in range(_PORT_RACES):
            try:
                papermill.execute_notebook(plain, draft, parameters, kernel_name="python3", progress_bar=False)
                break
            except RuntimeError as error:
                if attempt + 1 == _PORT_RACES or "Kernel died" not in str(error):
                    raise
                time.sleep(1 + attempt)
        draft.replace(output)


def _read(executed: Path) -> nbformat.NotebookNode:
    try:
        return nbformat.read(executed, 4)
    except Exception as error:  # not text, no JSON, no notebook
        raise RuntimeError(f"{executed} is damaged ({type(error).__name__}): delete it and build again") from error


def merge(source: Path, executed: Path) -> nbformat.NotebookNode:
    """The present text with the outputs of an execution of the same code cells."""
    notebook = jupytext.read(source)
    ran = [c for c in _read(executed).cells if c.cell_type == "code" and "injected-parameters" not in c.metadata.get("tags", [])]
    cells = [c for c in notebook.cells if c.cell_type == "code"]
    if [c.source for c in cells] != [c.source for c in ran]:
        raise RuntimeError(f"{executed} was made from other code than {source} has now: execute the page again")
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"  # jupytext draws them at random
    for cell, done in zip(cells, ran, strict=True):
        cell.outputs, cell.execution_count = done.outputs, done.execution_count
    return notebook


def _write_if_changed(path: Path, data: bytes) -> None:
    """Leave unchanged files alone: Sphinx reads again what is newer."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file() or path.read_bytes() != data:
        path.write_bytes(data)


@app.command()
def job(name: str, output: Path, tier: str = "quick", runs_a_job: int = 300, threads: int = 1) -> None:
    """Train one batch of runs: an execution of notebooks/run."""
    chosen = {job.name: job for job in jobs(tier, runs_a_job)}[name]
    specs = yaml.safe_dump([_plain(spec.to_dict()) for spec in chosen.specs], sort_keys=True)
    execute(RUN, output, {"specs": specs, "seeds": [], "store_dir": f"_build/runs/{tier}", "threads": threads})


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}


@app.command()
def collect(paper: str, tier: str = "quick") -> None:
    """Records to results: _build/results/<tier>/<paper>*.csv."""
    from lossbook.collect import write_results

    get_paper(paper)
    write_results(paper, tier, Path("_build/runs") / tier, Path("_build/results"))


@app.command()
def page(source: Path, output: Path) -> None:
    """Execute one page against this build's results."""
    execute(source, output, {"results_dir": "_build/results"} if reads_results(source) else {})


@app.command()
def stage(destination: Path, executed: Annotated[list[Path], typer.Argument()]) -> None:
    """Lay out what Sphinx reads: configuration, prose, executed notebooks, plotly.js."""
    import plotly

    kept: set[Path] = set()

    def put(target: Path, data: bytes) -> None:
        kept.add(target)
        _write_if_changed(target, data)

    for name in ("_config.yml", "_toc.yml"):
        put(destination / name, Path(name).read_bytes())
    for path in Path("book").rglob("*"):
        if path.is_file():
            put(destination / path, path.read_bytes())
    library = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    put(destination / "book" / "_static" / "plotly.min.js", library.read_bytes())
    for path in executed:
        relative = path.relative_to("_build/executed")
        source = Path("notebooks") / relative.with_suffix(".md")
        text = nbformat.writes(merge(source, path))
        put(destination / "notebooks" / relative, text.encode())
    for path in destination.rglob("*"):
        if path.is_file() and path not in kept and "_build" not in path.relative_to(destination).parts:
            path.unlink()


@app.command()
def sync(force: bool = False) -> None:
    """Bring every .ipynb in step with its .md source: text always, outputs where the code cells changed.

    Pages are executed against the committed reference results, so that nbval compares like with like.
    """
    for source in [RUN, *pages()]:
        target, executed = (
            source.with_suffix(".ipynb"),
            Path("_build/sync") / source.relative_to("notebooks").with_suffix(".ipynb"),
        )
        stale = force or not target.is_file()
        if not stale:
            try:
                notebook = merge(source, target)
            except RuntimeError:
                stale = True
        if stale:
            print(f"execute {source}", flush=True)
            execute(source, executed, {})
            notebook = merge(source, executed)
        _write_if_changed(target, nbformat.writes(notebook).encode() + b"\n")


_STARTED = re.compile(r"Job (\d+): (.+)")
_FINISHED = re.compile(r"Finished jobid: (\d+)")
_FAILED = re.compile(r"    jobid: (\d+)")
_COUNT = re.compile(r"(\d+) of (\d+) steps")
_TOTAL = re.compile(r"total +(\d+)")
_FAILURE = re.compile(r"\w*(Error|Exception)\b|Traceback|usage: snakemake")
_CHATTER = re.compile(r"\s*$|\[\w+ \w+ +\d+ [\d:]+ \d+\]|Select jobs|Execute \d+ jobs")


@app.command()
def build(arguments: Annotated[list[str] | None, typer.Argument(help="passed on to snakemake")] = None) -> None:
    """Run snakemake and say in one line what runs and what is left; its errors pass as they are.

    One build at a time: the lock is the operating system's, so a killed build leaves none behind.
    """
    import fcntl

    Path("_build").mkdir(exist_ok=True)
    with Path("_build/.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("another build is running in this folder: wait for it, or stop it", file=sys.stderr)
            raise typer.Exit(1) from None
        for left in Path("_build").glob(f"executed*/**/{_DRAFTS}*"):  # by steps that were killed
            shutil.rmtree(left, ignore_errors=True)
        command = [sys.executable, "-m", "snakemake", "--nolock", *(arguments or ["--profile", "profiles/local"])]
        with warm_kernels(Path("_build/.kernels")) as variables:
            process = subprocess.Popen(
                command,
                env=os.environ | variables,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                pass_fds=[lock.fileno()],
            )
            _show_progress(process.stdout)
            code = process.wait()
    if code < 0:
        print(f"the build was killed (signal {-code}); the same command goes on where it was", file=sys.stderr)
    raise typer.Exit(abs(code))


def _show_progress(lines: Iterable[str]) -> None:
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


@app.command()
def clean() -> None:
    """Remove the built pages (the runs stay)."""
    for name in ("html", "stage", "executed", ".doctrees"):
        shutil.rmtree(Path("_build") / name, ignore_errors=True)


if __name__ == "__main__":
    app()

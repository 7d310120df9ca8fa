"""Building the book, one small command per step; the Snakefile calls them.

``python -m lossbook.book job | collect | page | stage``.  Notebooks are read from their MyST source and executed with
papermill; a failing cell fails the step.  Staging puts the outputs of the executed notebooks into the present text, so
that a change of prose executes nothing.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import jupytext
import nbformat
import typer

from lossbook.book.kernels import warm_kernels
from lossbook.book.only_staged import MARK
from lossbook.book.pages import RESULTS_DIR, RUN, contents, page_state, pages, parameters
from lossbook.book.pairs import normal_form, outputs_of, take_over, text_of
from lossbook.book.snakemake_output import show_progress
from lossbook.papers.registry import get_paper, jobs

app = typer.Typer(help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False)

_PORT_RACES = 3
# In the metadata of a committed notebook: the state of all that its outputs were made from.
_STATE = "lossbook"
_DRAFTS = ".draft-"


def execute(source: Path, output: Path, parameters: dict[str, Any]) -> None:
    """Run a notebook with papermill from the project's root; retry when its kernel lost the race for a port.

    The draft has a name of its own, because a killed build may have left a step running that makes the same page.
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
    notebook, done = jupytext.read(source), _read(executed)
    ran = [c for c in done.cells if c.cell_type == "code" and "injected-parameters" not in c.metadata.get("tags", [])]
    cells = [c for c in notebook.cells if c.cell_type == "code"]
    if [c.source for c in cells] != [c.source for c in ran]:
        raise RuntimeError(f"{executed} was made from other code than {source} has now: execute the page again")
    notebook.metadata.update({key: value for key, value in done.metadata.items() if key == _STATE})
    notebook.metadata.get("jupytext", {}).pop("text_representation", None)  # jupytext keeps it in the text alone
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"  # jupytext draws them at random
    for cell, executed_cell in zip(cells, ran, strict=True):
        cell.outputs, cell.execution_count = executed_cell.outputs, executed_cell.execution_count
    return notebook


def _write_if_changed(path: Path, data: bytes) -> None:
    """Leave unchanged files alone, because Sphinx reads newer files again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file() or path.read_bytes() != data:
        path.write_bytes(data)


@app.command()
def job(name: str, output: Path, tier: str = "quick", sample: str = "all", runs_per_job: int = 300, threads: int = 1) -> None:
    """Train one batch of runs: an execution of notebooks/run."""
    chosen = {job.name: job for job in jobs(tier, runs_per_job, sample)}[name]
    specs = f"[{', '.join(spec.canonical_json() for spec in chosen.specs)}]"
    execute(RUN, output, {"specs": specs, "seeds": [], "store_dir": f"_build/runs/{tier}", "threads": threads})


@app.command()
def collect(paper: str, tier: str = "quick", sample: str = "all") -> None:
    """Records to results: _build/results/<tier>/<paper>*.csv."""
    from lossbook.runs.collect import write_results

    tables = get_paper(paper).evidence.tables
    write_results(paper, tables, tier, Path("_build/runs") / tier, Path("_build/results"), sample=sample)


@app.command()
def page(source: Path, output: Path) -> None:
    """Execute one page; its tables show this build's results beside the evidence."""
    execute(source, output, {"results_dir": "_build/results"} if RESULTS_DIR in parameters(source) else {})


@app.command()
def evidence(paper: str = "") -> None:
    """Train all runs of the tiers quick and frozen, and write the committed results of every paper that is complete."""
    from lossbook.book.evidence import make_all

    make_all(paper)


@app.command()
def stage(destination: Path, executed: Annotated[list[Path], typer.Argument()]) -> None:
    """Lay out what Sphinx reads: configuration, prose, the table of objectives, executed notebooks, plotly.js."""
    import plotly

    from lossbook.book.api import arguments_table, objectives_table

    kept: set[Path] = set()

    def put(target: Path, data: bytes) -> None:
        kept.add(target)
        _write_if_changed(target, data)

    put(destination / MARK, b"")
    for name in ("_config.yml", "_toc.yml"):
        put(destination / name, Path(name).read_bytes())
    for path in Path("book").rglob("*"):
        if path.is_file():
            put(destination / path, path.read_bytes())
    put(destination / "book" / "api" / "objectives-table.md", objectives_table().encode())
    put(destination / "book" / "api" / "arguments-table.md", arguments_table().encode())
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
def sync(
    places: Annotated[list[Path] | None, typer.Argument(help="pages (.md) or folders of them; all by default")] = None,
    force: Annotated[bool, typer.Option(help="execute them all, as where another version of a library prints otherwise")] = False,
) -> None:
    """Bring every .ipynb in step with its .md source: text always, outputs where anything changed that they depend on, or where
    they were cleared.

    What was edited in the .ipynb alone is taken over into the .md, which is written as jupytext would.  Pages are executed
    against the committed reference results, so that nbval compares like with like.
    """
    places, sources = places or [Path("notebooks")], [RUN, *pages()]
    for place in places:
        if not any(source.is_relative_to(place) for source in sources):
            raise typer.BadParameter(f"no page in {place}; expected a folder below notebooks, or the .md file of a page")
    for source in (source for source in sources if any(source.is_relative_to(place) for place in places)):
        target = source.with_suffix(".ipynb")
        committed = _read(target) if target.is_file() else None
        left = committed.metadata.get(_STATE, {}) if committed else {}
        if committed and take_over(source, committed, left.get("text", "")):
            print(f"{target} was edited: {source} has its text now", flush=True)
        _write_if_changed(source, normal_form(source).encode())
        state = page_state(source)
        if force or not committed or left.get("state") != state or left.get("outputs") != outputs_of(committed):
            print(f"execute {source}", flush=True)
            target = Path("_build/sync") / source.relative_to("notebooks").with_suffix(".ipynb")
            execute(source, target, {})
        notebook = merge(source, target)
        notebook.metadata[_STATE] = {"state": state, "text": text_of(notebook), "outputs": outputs_of(notebook)}
        _write_if_changed(source.with_suffix(".ipynb"), nbformat.writes(notebook).encode() + b"\n")


def _home() -> dict[str, str]:
    """A home folder for Snakemake's, Jupyter's and matplotlib's caches where the user has none that can be written to."""
    try:
        home = Path.home()
    except RuntimeError:  # a user without one
        home = Path()
    return {} if home.is_absolute() and os.access(home, os.W_OK) else {"HOME": str(Path("_build/.home").resolve())}


@app.command()
def build(arguments: Annotated[list[str] | None, typer.Argument(help="passed on to snakemake")] = None) -> None:
    """Run snakemake and say in one line what runs and what is left; its errors pass as they are.

    One build at a time: the lock is the operating system's, so a killed build leaves none behind.
    """
    import fcntl

    Path("_build").mkdir(exist_ok=True)
    with Path("_build/.lock").open("w", encoding="utf-8") as lock:
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
                env=os.environ | variables | _home(),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                pass_fds=[lock.fileno()],
            )
            show_progress(process.stdout)
            code = process.wait()
    if code < 0:
        print(f"the build was killed (signal {-code}); the same command goes on where it was", file=sys.stderr)
    raise typer.Exit(abs(code))


@app.command()
def pdf(html: Path, output: Path) -> None:
    """Print a book that Sphinx has written on a single page."""
    from lossbook.book.pdf import print_book

    print_book(html, contents()[0], output)


@app.command()
def clean() -> None:
    """Remove the built pages (the runs stay)."""
    for name in ("html", "stage", "executed", ".doctrees", "single"):
        shutil.rmtree(Path("_build") / name, ignore_errors=True)

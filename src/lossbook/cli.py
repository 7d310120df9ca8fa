"""``lossbook``: compare, predict, list, features, run, tune, spec, table, claims, status, plan, doctor."""

from __future__ import annotations

import csv
import html
import io
import os
import platform
import shlex
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table as RichTable

from lossbook import __version__
from lossbook.optional import MissingPackage
from lossbook.paths import in_project, project_root
from lossbook.runs.spec import is_spec_column
from lossbook.runs.tables import TIERS, check_tier

if TYPE_CHECKING:
    from lossbook.papers.paper import Evidence

app = typer.Typer(help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False)
console = Console(width=None if os.isatty(1) else 140)


def _known_tier(tier: str) -> str:
    if tier:
        try:
            check_tier(tier)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None
    return tier


Tier = Annotated[str, typer.Option(help=f"one of {', '.join(TIERS)}", callback=_known_tier)]
ResultsDir = Annotated[str, typer.Option(help="folder of results; the committed reference by default")]


def _print(title: str, columns: list[str], rows: list[list[str]]) -> None:
    grid = RichTable(title=title, title_justify="left")
    for number, column in enumerate(columns):
        grid.add_column(column, no_wrap=number == 0)  # names stay on one line, texts fold
    for row in rows:
        grid.add_row(*row)
    console.print(grid)


def _runs_dir(tier: str) -> Path:
    return in_project("_build") / "runs" / tier


def _evidence(paper: str) -> Evidence:
    """A paper's tables.  The papers are imported by the commands that need them, as they read files of the project."""
    from lossbook.papers.registry import get_paper

    return get_paper(paper).evidence


def _print_version(asked: bool) -> None:
    if asked:
        console.print(f"lossbook {__version__}", highlight=False)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="print the version")] = False,
) -> None:
    """What goes before a command."""


@app.command("list")
def list_() -> None:
    """Objectives, data sets, and inside a copy of the project the papers' tables with their number of runs at each tier."""
    from lossbook.data.registry import DATASETS
    from lossbook.runs.fingerprint import objective_sources  # which does not load torch

    _print("Objectives", ["name", "source"], [[name, source] for name, source in objective_sources().items()])
    _print(
        "Data sets",
        ["name", "classes", "from"],
        [[name, str(data.num_classes), data.package or "LOSSBOOK_DATA"] for name, data in DATASETS.items()],
    )
    try:
        project_root()
    except FileNotFoundError as error:
        console.print(f"The papers' tables are not listed: {error}")
        return
    from lossbook.papers.registry import PAPERS

    rows = [
        [p.name, t.name, t.title, *(str(t.count(tier)) for tier in TIERS)] for p in PAPERS.values() for t in p.evidence.tables
    ]
    _print("Tables", ["paper", "table", "title", *(f"{tier} runs" for tier in TIERS)], rows)


@app.command()
def features(
    datasets: Annotated[list[str] | None, typer.Argument(help="all that the frozen tier needs by default")] = None,
) -> None:
    """Compute the features of a pretrained backbone that the frozen tier trains on: once, minutes, resumable.

    What they were made from is written to _build/results/frozen/features.csv, one row per data set.
    """
    from lossbook.data.extract import CACHES, extract_features, record

    for dataset in datasets or CACHES:
        console.print(f"features of {dataset} are in {extract_features(dataset)}")
        record(dataset, in_project("_build") / "results" / "frozen" / "features.csv")


@app.command()
def run(
    paper: str,
    table: str = "",
    tier: Tier = "quick",
    devices: Annotated[int, typer.Option(help="GPUs (or processes) that share the work of each run")] = 1,
    weights: Annotated[bool, typer.Option("--weights", help="keep the trained weights under _build/weights")] = False,
) -> None:
    """Train the missing runs of a paper's tables (or of one), and write the results of complete tables under _build/results.

    A run of minutes that was killed goes on where it was.
    """
    from lossbook.runs.collect import write_results
    from lossbook.runs.missing import train_missing
    from lossbook.runs.records import Store

    evidence = _evidence(paper)
    chosen_tables = (evidence.table(table),) if table else evidence.tables
    store, tables = Store(_runs_dir(tier)), [chosen for chosen in chosen_tables if chosen.runs(tier)]
    if not tables:
        raise ValueError(f"{f'table {table} of ' if table else ''}{paper} has no runs at the tier {tier}: see `lossbook list`")
    for chosen in tables:
        console.print(f"{paper} {chosen.name}: {len(store.missing(chosen.runs(tier)))} of {len(chosen.runs(tier))} runs to do")
        train_missing(chosen.runs(tier), store, devices, in_project("_build") / "weights" / tier if weights else None)
    write_results(paper, evidence.tables, tier, _runs_dir(tier), in_project("_build") / "results", partial=bool(table))


@app.command()
def tune(
    paper: str,
    tier: Tier = "quick",
    processes: Annotated[int, typer.Option(help="searches that run at a time")] = 1,
) -> None:
    """Search for the settings of a paper's methods on held-out training images, and write data/PAPER/tuned.csv."""
    from lossbook.papers.tune import tune as run_searches
    from lossbook.papers.tuning import tuned_file

    searches = _evidence(paper).searches.get(tier, ())
    if not searches:
        raise ValueError(f"nothing of {paper} is tuned at the tier {tier}")
    run_searches(paper, searches, tier, _runs_dir(tier), processes)
    console.print(f"what was tried and chosen is in {tuned_file(paper)}")


@app.command()
def table(paper: str, name: str, tier: Tier = "quick", results_dir: ResultsDir = "results") -> None:
    """Print one table: six of its metrics as means and standard deviations over the seeds, shares in per cent."""
    import pandas as pd

    from lossbook.book.show import mean_text, spec_text
    from lossbook.papers.results import load_results, mean_std

    evidence = _evidence(paper)
    evidence.table(name)
    rows = load_results(results_dir, tier, evidence)
    rows = rows[rows["table"] == name].dropna(axis=1, how="all").copy()
    if rows.empty:
        raise ValueError(f"no {tier} results of {paper}, table {name}, in {results_dir}: `lossbook list` shows the tiers it has")
    spec = [column for column in rows if is_spec_column(column)]
    # Draws of the known classes count as seeds do.
    varied = [c for c in spec if c not in ("seed", "classes", "suites", "objective") and rows[c].nunique(dropna=False) > 1]
    rows["run"] = [
        " ".join([row["objective"], *(f"{c.removeprefix('arg_')}={spec_text(row[c])}" for c in varied if pd.notna(row[c]))])
        for _, row in rows.iterrows()
    ]
    # A paper's first share is its main metric.
    known = dict.fromkeys([*evidence.shares[:1], *evidence.headings, *evidence.shares])
    metrics = [column for column in known if column in rows and column not in spec][:6]
    numbers = mean_std(rows, ["run"], metrics, evidence)
    body = [[run, *(mean_text(*numbers.loc[run, metric], 2) for metric in metrics)] for run in numbers.index]
    _print(f"{paper}, table {name}, {tier} tier", ["run", *metrics], body)
    console.print(f"All measures of each run: {results_dir}/{tier}/{paper}.csv")


@app.command()
def claims(
    paper: Annotated[str, typer.Argument(help="all papers by default")] = "", tier: Tier = "", results_dir: ResultsDir = "results"
) -> None:
    """Check every claim of a paper against the results; without a paper, the scoreboard of all."""
    from lossbook.book import scoreboard
    from lossbook.book.show import effect_text, printed_text, seeds_text

    if paper:
        _evidence(paper)
    board = [e for e in scoreboard.entries(results_dir) if e.paper == (paper or e.paper) and e.tier == (tier or e.tier)]
    if not board:
        raise ValueError(
            f"no results of {paper or 'any paper'} at {f'the tier {tier}' if tier else 'any tier'} in {results_dir}: "
            f"run `make book`, or `lossbook run {paper or 'PAPER'}{f' --tier {tier}' if tier else ''}`"
        )
    tiers = [name for name in TIERS if any(e.tier == name for e in board)]
    rows: dict[str, list[str]] = {}
    for e in board:
        printed = "\n".join(reversed(printed_text(e.claim))).strip()
        start = [e.claim.id, f"{e.claim.statement} ({e.claim.source})", printed, *[""] * len(tiers)]
        text = f"{e.verdict.word}\n{html.unescape(effect_text(e.verdict))}, {seeds_text(e.verdict)}"
        rows.setdefault(e.claim.id, start)[3 + tiers.index(e.tier)] = text
    title = f"{paper}, {tier or 'all tiers'}" if paper else "Every claim"
    _print(title, ["claim", "statement", "published", *tiers], list(rows.values()))
    counts = scoreboard.counts(board)
    _print(
        "Claims",
        ["paper", "tier", *counts.columns],
        [[*index, *map(str, row)] for index, row in zip(counts.index, counts.to_numpy(), strict=True)],
    )
    odds = scoreboard.chance(board)
    console.print(
        f"Of {odds.claims} verdicts with an interval {odds.decided} are decided. Chance alone makes up to {odds.wrong:.1f} "
        f"of them wrong on average; {odds.firm} would stay decided at 5 % for all together (Holm)."
    )


@app.command()
def compare(
    data: Annotated[str, typer.Argument(help="folder of images, .npz, .npy, .pt or .parquet of features, or a data set's name")],
    goal: Annotated[str, typer.Option(help="rank by this one; without it, a table of all")] = "",
    out: Annotated[str, typer.Option(help="folder of the report; keeps what is done")] = "",
    labels: Annotated[str, typer.Option(help="the .npy file of labels of a .npy file of features")] = "",
    backbone: Annotated[str, typer.Option(help="of images: a model of timm, or module:function")] = "efficientnet_lite0",
    weights: Annotated[str, typer.Option(help="file of the backbone's weights, instead of the published ones")] = "",
    side: Annotated[int, typer.Option(help="pixels that images are resized to")] = 96,
    folds: Annotated[int, typer.Option(help="tests, each by heads trained on all other samples")] = 5,
    epochs: int = 30,
    processes: Annotated[int, typer.Option(help="0: as many as there are cores")] = 0,
    control: Annotated[bool, typer.Option(help="shuffle the labels, so that no loss can be better")] = False,
) -> None:
    """Compare the losses on your data: report.html, the numbers as CSV, and the winner's head. Resumable."""
    from lossbook.advisor.advise import advice, warnings
    from lossbook.advisor.command import run as run_comparison
    from lossbook.advisor.compare import Options
    from lossbook.advisor.images import Backbone

    folder = Path(out or f"lossbook-{Path(data).stem}{'-control' if control else ''}")
    options = Options(goal, folds=folds, epochs=epochs, processes=processes, control=control)
    words = ["lossbook", *sys.argv[1:]]
    try:
        found = run_comparison(data, folder, options, labels, Backbone(backbone, weights, side), shlex.join(words))
    except KeyboardInterrupt:
        raise SystemExit(
            f"lossbook: stopped; what is done is kept in {folder}, and the same command goes on from there"
        ) from None
    for line in [*advice(found), *(f"Note: {line}" for line in warnings(found))]:
        console.print(line, highlight=False, markup=False)
    console.print(f"The report is {folder / 'report.html'}", highlight=False, markup=False)


@app.command()
def predict(
    winner: Annotated[str, typer.Argument(help="winner.json of `lossbook compare`")],
    images: Annotated[list[str], typer.Argument(help="images, folders of images, or one .npy file of features")],
) -> None:
    """Print file, class and score as CSV; the class is "unknown" where a sample is of none."""
    from lossbook.advisor.winner import Winner, predict_files

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["file", "class", "score"])
    writer.writerows(predict_files(Winner.load(Path(winner)), [Path(path) for path in images], Path(winner).parent))


@app.command()
def spec(run_id: str) -> None:
    """Print the spec of a run, as notebooks/run takes it in its parameter `specs`."""
    from lossbook.papers.registry import PAPERS

    found = (run for paper in PAPERS.values() for tier in TIERS for run in paper.evidence.runs(tier))
    match = next((run for run in found if run.run_id == run_id), None)
    if match is None:
        raise ValueError(f"no table holds a run {run_id!r}; the column run_id of the results has the known ones")
    print(match.canonical_json())


@app.command()
def status(tier: Tier = "quick") -> None:
    """How many runs of each table are done by the present code."""
    from lossbook.papers.registry import PAPERS
    from lossbook.runs.records import Store

    store = Store(_runs_dir(tier))
    rows = []
    for paper in PAPERS.values():
        for chosen in paper.evidence.tables:
            runs = chosen.runs(tier)
            missing = len(store.missing(runs))
            rows.append([paper.name, chosen.name, str(len(runs) - missing), str(len(runs))])
    _print(f"Runs, {tier} tier", ["paper", "table", "done", "of"], rows)


@app.command()
def plan(
    train: Annotated[bool, typer.Option("--train", help="train what is missing in this order, two runs at a time")] = False,
) -> None:
    """The standard tier's tables in the order of what they decide, and what they cost on one core with bfloat16 units."""
    from lossbook.papers.standard_plan import steps
    from lossbook.runs.records import Store

    rows, store, total, planned = [], Store(_runs_dir("standard")), 0.0, steps()
    for step in planned:
        missing, total = len(store.missing(step.runs)), total + step.hours
        done = str(len(step.runs) - missing)
        rows.append(
            [step.paper, step.table, done, str(len(step.runs)), f"{step.minutes:.0f}", f"{step.hours:.1f}", f"{total:.1f}"]
        )
    headings = ["paper", "table", "done", "of", "minutes per run", "core-hours", "all so far"]
    _print("Standard tier, whole networks", headings, rows)
    if train:
        from lossbook.book.evidence import train_in_processes

        train_in_processes([spec for step in planned for spec in step.runs], _runs_dir("standard"))


@app.command()
def doctor() -> None:
    """Versions, device, data found, free disk: what to send with a question."""
    import torch

    from lossbook.data.dataset import DataError, data_dir, without_downloads
    from lossbook.data.load import load
    from lossbook.data.registry import DATASETS

    rows = [["python", platform.python_version()], ["lossbook", __version__]]
    for name in ("torch", "torchvision", "timm", "lightning-fabric", "jupyter-book", "papermill", "snakemake"):
        try:
            rows.append([name, version(name)])
        except PackageNotFoundError:
            rows.append([name, "not installed"])
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"cpu, {torch.get_num_threads()} thread(s)"
    rows.append(["device", device])
    rows.append(["LOSSBOOK_DATA", str(data_dir())])
    rows.append(["free disk", f"{shutil.disk_usage(Path.cwd()).free / 2**30:.0f} GiB"])
    for name, dataset in DATASETS.items():
        if not dataset.is_here():
            rows.append([f"data {name}", f"not here; {dataset.cure}"])
            continue
        try:
            with without_downloads():
                data = load(name)
            rows.append([f"data {name}", f"{len(data.train)} + {len(data.test)} images, verified"])
        except DataError as error:
            rows.append([f"data {name}", str(error)])
    _print("Doctor", ["what", "found"], rows)


def main() -> None:
    """The console script: an error that a user can cause is printed as one line, without a traceback.

    A character that the terminal's encoding lacks is printed as a question mark.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        app()
    except Exception as error:
        from lossbook.data.dataset import DataError

        if not isinstance(error, ValueError | FileNotFoundError | DataError | MissingPackage):
            raise
        raise SystemExit(f"lossbook: {error}") from None


if __name__ == "__main__":
    main()

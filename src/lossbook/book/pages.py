"""The pages of the book: their code cells, their parameters, and all that their outputs depend on.

A page is a notebook in MyST Markdown.  What it depends on is what its code cells import: the package's files that they reach,
and, for every paper whose package is among them, the paper's published tables and results.
"""

from __future__ import annotations

import ast
import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jupytext
import yaml

from lossbook.papers.registry import PAPERS
from lossbook.runs.fingerprint import fingerprint, imported, reachable

RUN = Path("notebooks/run.md")
# A page with this parameter reads results: the committed ones unless papermill hands in others.
RESULTS_DIR = "results_dir"


@dataclass(frozen=True)
class CodeCell:
    """A code cell of a notebook: its source and its tags."""

    source: str
    tags: tuple[str, ...]


def contents() -> list[str]:
    """Everything in the table of contents, in its order, without suffixes: the front page first."""
    return _files(yaml.safe_load(Path("_toc.yml").read_text(encoding="utf-8")))


def _files(entry: dict[str, Any]) -> list[str]:
    """The front page or file of an entry, then those of its chapters or sections."""
    own = [entry[key] for key in ("root", "file") if key in entry]
    return own + [name for key in ("parts", "chapters", "sections") for part in entry.get(key, ()) for name in _files(part)]


def pages() -> list[Path]:
    """All notebooks of the table of contents, as their MyST sources; a file beside them is no page."""
    sources = [Path(name).with_suffix(".md") for name in contents() if name.startswith("notebooks/")]
    return [source for source in sources if source != RUN]


def code_cells(source: Path) -> list[CodeCell]:
    """The code cells of a page."""
    return _code_cells(source.read_text(encoding="utf-8"))


@functools.cache
def _code_cells(text: str) -> list[CodeCell]:
    """Parsed once per text, because the Snakefile asks several questions about every page."""
    cells = jupytext.reads(text, fmt="md").cells
    return [CodeCell(c.source, tuple(c.metadata.get("tags", []))) for c in cells if c.cell_type == "code"]


def cells_digest(source: Path) -> str:
    """12 hex digits over the code cells alone."""
    return hashlib.sha256("\0".join(cell.source for cell in code_cells(source)).encode()).hexdigest()[:12]


@functools.cache
def _tree(cell: CodeCell) -> ast.Module:
    return ast.parse("\n".join(line for line in cell.source.splitlines() if not line.lstrip().startswith(("%", "!"))))


@functools.cache
def _imported(cell: CodeCell) -> frozenset[str]:
    return frozenset(imported(_tree(cell)).values())


def parameters(source: Path) -> dict[str, Any]:
    """The parameters of a page and their defaults: what the cell tagged ``parameters`` assigns."""
    found: dict[str, Any] = {}
    for cell in code_cells(source):
        if "parameters" in cell.tags:
            for node in _tree(cell).body:
                if isinstance(node, ast.Assign):
                    for target in node.targets:
                        found |= _assigned(target, ast.literal_eval(node.value))
    return found


def _assigned(target: ast.expr, value: Any) -> dict[str, Any]:
    if isinstance(target, ast.Tuple):
        return {name.id: one for name, one in zip(target.elts, value, strict=True) if isinstance(name, ast.Name)}
    return {target.id: value} if isinstance(target, ast.Name) else {}


def modules_of_page(source: Path) -> frozenset[str]:
    """The package's modules that the code cells import."""
    return frozenset().union(*(_imported(cell) for cell in code_cells(source)))


def papers_of(source: Path) -> list[str]:
    """The papers whose package a page reaches, directly or through other modules."""
    files = reachable(modules_of_page(source))
    return [name for name in PAPERS if any(file.startswith(f"papers/{name}/") for file in files)]


def results_read(source: Path) -> list[str]:
    """The papers whose results a page reads: those that it reaches; none without the parameter ``results_dir``."""
    return papers_of(source) if RESULTS_DIR in parameters(source) else []


def page_state(source: Path) -> str:
    """A hash over all that a page's outputs depend on, so without its prose: code cells, the package's files that they reach,
    published tables and committed results of the papers among them, and the files or folders that its parameters name."""
    code = cells_digest(source) + fingerprint(modules_of_page(source))
    return files_digest(files_read(source), code)


def files_read(source: Path) -> list[Path]:
    """The data files that a page's outputs depend on."""
    found: set[Path] = set()
    values = parameters(source)
    for paper in papers_of(source):
        found.update(_below(Path("data/published") / paper), _below(Path("data") / paper))
        if RESULTS_DIR in values:
            found.update(path for pattern in (f"*/{paper}.csv", f"*/{paper}-*.csv") for path in Path("results").glob(pattern))
    for name, value in values.items():
        if name != RESULTS_DIR and isinstance(value, str) and value.startswith(("results/", "data/")):
            found.update(_below(Path(value)))
    return sorted(found)


def _below(path: Path) -> list[Path]:
    return [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]


def files_digest(paths: list[Path], start: str = "") -> str:
    """12 hex digits over the names and bytes of some files, after ``start``."""
    digest = hashlib.sha256(start.encode())
    for path in paths:
        digest.update(path.as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def files_under(*folders: str) -> str:
    """A hash over the files below some folders."""
    return files_digest(sorted(path for folder in folders for path in _below(Path(folder))))

"""What became of the two files of a page since they were last in step: its text in the .md, its outputs in the .ipynb.

``sync`` leaves two hashes in the notebook's metadata, over its text and over its outputs.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import jupytext
import nbformat
from jupytext.config import load_jupytext_config

# JupyterLab writes the name that the kernel has on its machine.
_KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def text_of(notebook: nbformat.NotebookNode) -> str:
    """12 hex digits over the cells' kinds, sources and tags; the cell that papermill injects is none of the text."""
    cells = [[c.cell_type, c.source, c.metadata.get("tags", [])] for c in notebook.cells]
    return _digest([cell for cell in cells if "injected-parameters" not in cell[2]])


def outputs_of(notebook: nbformat.NotebookNode) -> str:
    """12 hex digits over the outputs of the code cells, in order."""
    return _digest([cell.outputs for cell in notebook.cells if cell.cell_type == "code"])


def take_over(source: Path, notebook: nbformat.NotebookNode, last: str) -> bool:
    """Write what was edited in the notebook alone into its source; did that happen?

    Args:
        source: the .md file.
        notebook: its notebook, as it is now.
        last: :func:`text_of` both when they were last in step; empty if nobody knows.

    Raises:
        RuntimeError: if both were edited, each in its own way.
    """
    present = jupytext.read(source)
    there, here = text_of(notebook), text_of(present)
    if not last or there in (last, here):
        return False
    if here != last:
        raise RuntimeError(
            f"{source} and {source.with_suffix('.ipynb')} were both edited: copy what is wanted from one into the other, "
            "then delete the .ipynb and run `make notebooks`"
        )
    edited = nbformat.v4.new_notebook(cells=notebook.cells, metadata=present.metadata)
    source.write_text(_written(edited, source), encoding="utf-8", newline="\n")
    return True


def normal_form(source: Path) -> str:
    """The text of a page as ``jupytext --sync`` would write it, with the configuration in ``pyproject.toml``.

    A page in this form stays as it is when its pair is opened and saved.
    """
    return _written(jupytext.read(source), source)


def _written(notebook: nbformat.NotebookNode, source: Path) -> str:
    notebook.metadata["kernelspec"] = _KERNEL
    kept = nbformat.reads(nbformat.writes(notebook), as_version=4)  # an .ipynb sorts the keys of its metadata
    return jupytext.writes(kept, "md:myst", config=load_jupytext_config(source))


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]

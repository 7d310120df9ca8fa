"""What became of the two files of a page since they were last in step: its text in the .md, its outputs in the .ipynb.

``sync`` leaves two hashes in the notebook's metadata, over its text and over its outputs.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import jupytext
import nbformat


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
    jupytext.write(edited, source, fmt="md:myst")
    return True


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]

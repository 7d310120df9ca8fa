"""A Sphinx extension: the book is built from what ``make book`` has staged, and from nothing else.

``jupyter-book build .`` would show pages without this build's runs, and write over the book that has them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

MARK = ".staged"  # a file that ``python -m lossbook.book stage`` leaves in the folder


def setup(app: Any) -> dict[str, bool]:
    """Raise an ``ExtensionError`` unless the folder was staged."""
    from sphinx.errors import ExtensionError

    if not (Path(app.srcdir) / MARK).is_file():
        raise ExtensionError(f"{app.srcdir} is the source of the book, not the book: build it with `make book`")
    return {"parallel_read_safe": True, "parallel_write_safe": True}

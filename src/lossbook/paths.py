"""Where the project's folders are, from wherever a notebook or a command is run."""

from __future__ import annotations

from pathlib import Path


def project_root(start: str | Path = ".") -> Path:
    """The nearest folder at or above ``start`` that holds ``data/published``.

    Raises:
        FileNotFoundError: outside a copy of the project.
    """
    here = Path(start).resolve()
    for folder in (here, *here.parents):
        if (folder / "data" / "published").is_dir():
            return folder
    raise FileNotFoundError(f"no data/published at or above {here}: run this inside a copy of the project")


def in_project(path: str | Path) -> Path:
    """An absolute path, or one in the home folder (``~``), as it is; a relative one from the project's root."""
    path = Path(path).expanduser()
    return path if path.is_absolute() else project_root() / path

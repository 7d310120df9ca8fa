"""The code of an objective that a user's program has registered: the files that a run with it goes through."""

from __future__ import annotations

import ast
import importlib.machinery
import importlib.util
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path

_INSTALLED = tuple(Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib"))


def own_files(name: str, build: Callable[..., object]) -> list[Path]:
    """The file of an objective's builder and the user's own files that it imports, directly or through others.

    Own are files that lie neither in Python's library nor among the installed packages, and those of the builder's own
    package wherever it lies.  Files of lossbook do not count here.

    Args:
        name: of the objective, for messages.
        build: its builder.

    Raises:
        ValueError: where these files do not tell what the builder is.
    """
    module = sys.modules.get(getattr(build, "__module__", None) or "")
    file = getattr(module, "__file__", None)
    qualified = getattr(build, "__qualname__", "")
    if module is None or file is None or not Path(file).is_file() or getattr(module, qualified, None) is not build:
        raise ValueError(
            f"a run's record says which code made it: expected the builder of the objective {name!r} to be a function or class "
            f"at the top of a .py file, got {build!r}"
        )
    package, found, todo = module.__name__.split(".")[0], {}, [(module.__name__, module.__package__ or "", Path(file).resolve())]
    while todo:
        name, parent, path = todo.pop()
        if path not in found:
            found[path] = name
            todo += [new for new in _imports(path, parent) if _is_own(new[0], new[2], package)]
    return sorted(found)


def _imports(path: Path, parent: str) -> Iterator[tuple[str, str, Path]]:
    """(module, its package, its file) of all that a file imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            base = importlib.util.resolve_name("." * node.level + (node.module or ""), parent)
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        for name in names:
            spec = _spec(name)
            if spec is not None and spec.origin is not None and spec.origin.endswith(".py"):
                yield name, spec.parent or "", Path(spec.origin).resolve()


def _spec(name: str) -> importlib.machinery.ModuleSpec | None:
    """Where a module is found; None for what is no module, such as a function that is imported from one."""
    try:
        return importlib.util.find_spec(name)
    except (ImportError, ValueError):  # ValueError: a module without a spec, such as the program itself
        return None


def _is_own(name: str, path: Path, package: str) -> bool:
    top = name.split(".")[0]
    return top != "lossbook" and (top == package or not any(path.is_relative_to(folder) for folder in _INSTALLED))

"""A hash over exactly the source files that a piece of code can reach, so that only what depends on a change reruns.

The imports are read from the syntax tree: nothing is executed, and torch is not loaded.
"""

from __future__ import annotations

import ast
import functools
import hashlib
from collections.abc import Iterable
from pathlib import Path

PACKAGE_DIR = Path(__file__).parent
PACKAGE = PACKAGE_DIR.name


def _file(module: str) -> Path | None:
    """The source file of a module of this package, None for any other name."""
    parts = module.split(".")
    if parts[0] != PACKAGE:
        return None
    base = PACKAGE_DIR.joinpath(*parts[1:])
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


@functools.cache
def _imports(path: Path) -> frozenset[str]:
    """Names of the package's modules that one file imports (absolute imports only, the package's rule)."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules = {alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            names.update(modules.values())
            if not all(_file(module) for module in modules.values()):
                names.add(node.module)  # something in the package itself
    return frozenset(name for name in names if _file(name))


def reachable(modules: Iterable[str]) -> list[Path]:
    """The source files of ``modules`` and of all they import from this package.

    A package's ``__init__.py`` counts where something is imported from it by name, not where it is only the parent of
    a module: it holds re-exports, so a new metric's export must not make every run stale.
    """
    seen: set[Path] = set()
    todo = list(modules)
    while todo:
        module = todo.pop()
        path = _file(module)
        if path is None:
            raise ValueError(f"no module {module} in the package {PACKAGE}")
        if path in seen:
            continue
        seen.add(path)
        todo.extend(_imports(path))
    return sorted(seen)


def fingerprint(modules: Iterable[str]) -> str:
    """12 hex digits over the names and bytes of all files reachable from ``modules``."""
    digest = hashlib.sha256()
    for path in reachable(modules):
        digest.update(str(path.relative_to(PACKAGE_DIR)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]

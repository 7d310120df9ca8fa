"""What reruns when the code changes: a hash over the syntax trees of exactly the files that a piece of code can reach.

Docstrings and comments are left out, so a better sentence reruns nothing.  The imports are read from the syntax trees:
nothing is executed, and torch is not loaded.  That is the whole truth because registries are lists written out and imported.

A registry is a leaf for runs: a run reaches the entries that its spec names, not all that are registered, so a new objective,
data set or suite makes no record stale.  A page reaches every file that it can import.
"""

from __future__ import annotations

import ast
import functools
import hashlib
from collections.abc import Iterable
from pathlib import Path

from lossbook.data.other_sets import other_sets
from lossbook.runs.spec import RunSpec
from lossbook.runs.tables import TIERS, Table

PACKAGE_DIR = Path(__file__).parents[1]
PACKAGE = PACKAGE_DIR.name

# Files that hold a dictionary of literal names and imported entries, and nothing else.
OBJECTIVES, DATASETS, SUITES = f"{PACKAGE}.objectives.registry", f"{PACKAGE}.data.registry", f"{PACKAGE}.runs.suites.registry"
REGISTRIES = (OBJECTIVES, DATASETS, SUITES)
_ENGINE = f"{PACKAGE}.runs.train"


def source_file(module: str) -> Path | None:
    """The source file of a module of this package, None for any other name."""
    parts = module.split(".")
    if parts[0] != PACKAGE:
        return None
    base = PACKAGE_DIR.joinpath(*parts[1:])
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


class _WithoutProse(ast.NodeTransformer):
    """Drops docstrings (comments are in no syntax tree) and what only type checkers import."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        return None if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str) else node

    def visit_If(self, node: ast.If) -> ast.AST | None:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return None
        return self.generic_visit(node)


@functools.cache
def _tree(path: Path) -> ast.Module:
    return _WithoutProse().visit(ast.parse(path.read_text(encoding="utf-8")))


@functools.cache
def _digest(path: Path) -> bytes:
    return hashlib.sha256(ast.dump(_tree(path)).encode()).digest()


def imported(tree: ast.AST) -> dict[str, str]:
    """The names that code imports from this package (absolute imports only, the package's rule), and the module behind each."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.asname or alias.name: alias.name for alias in node.names if source_file(alias.name)}
        elif isinstance(node, ast.ImportFrom) and node.module and source_file(node.module):
            for alias in node.names:
                module = f"{node.module}.{alias.name}"
                names[alias.asname or alias.name] = module if source_file(module) else node.module
    return names


@functools.cache
def _imports(path: Path) -> frozenset[str]:
    return frozenset(imported(_tree(path)).values())


def reachable(modules: Iterable[str], leaves: Iterable[str] = ()) -> list[Path]:
    """The source files of ``modules`` and of all that they import from this package.

    A package's ``__init__.py`` counts where something is imported from it by name, not where it is only the parent of
    a module: it holds re-exports.

    Args:
        modules: where to start.
        leaves: modules that do not count, and are not followed.
    """
    seen, left_out = set(), {source_file(leaf) for leaf in leaves}
    todo = list(modules)
    while todo:
        module = todo.pop()
        path = source_file(module)
        if path is None:
            raise ValueError(f"no module {module} in the package {PACKAGE}")
        if path not in seen and path not in left_out:
            seen.add(path)
            todo.extend(_imports(path))
    return sorted(seen)


def fingerprint(modules: Iterable[str], leaves: Iterable[str] = ()) -> str:
    """12 hex digits over the names and syntax trees of all files reachable from ``modules``."""
    digest = hashlib.sha256()
    for path in reachable(modules, leaves):
        digest.update(path.relative_to(PACKAGE_DIR).as_posix().encode())
        digest.update(_digest(path))
    return digest.hexdigest()[:12]


@functools.cache
def entries(registry: str) -> dict[str, frozenset[str]]:
    """The names in a registry, and the modules that each entry's expression takes something from.

    Raises:
        ValueError: if the file holds anything but imports and one dictionary with literal keys.
    """
    tree = _tree(source_file(registry))
    modules = imported(tree)
    found = [node for node in tree.body if not isinstance(node, ast.Import | ast.ImportFrom)]
    if len(found) != 1 or not isinstance(found[0], ast.Assign | ast.AnnAssign) or not isinstance(found[0].value, ast.Dict):
        raise ValueError(f"{registry} must hold imports and one dictionary, nothing else")
    if not all(isinstance(key, ast.Constant) for key in found[0].value.keys):
        raise ValueError(f"{registry} must have literal keys")
    return {
        key.value: frozenset(modules[n.id] for n in ast.walk(value) if isinstance(n, ast.Name) and n.id in modules)
        for key, value in zip(found[0].value.keys, found[0].value.values, strict=True)
    }


def _entry(registry: str, kind: str, name: str) -> frozenset[str]:
    if name not in entries(registry):
        raise ValueError(f"unknown {kind} {name!r}; expected one of {', '.join(entries(registry))}")
    return entries(registry)[name]


def modules_of(spec: RunSpec) -> frozenset[str]:
    """The modules that a run goes through: the engine, and the entries that its spec names."""
    chosen = [_entry(OBJECTIVES, "objective", phase.objective) for phase in spec.phases()]
    chosen += [_entry(SUITES, "suite", name) for name in spec.suites]
    data_sets = entries(DATASETS)  # of the paper tier's data sets some have no loader yet, and so no module
    chosen += [data_sets[name] for name in (spec.dataset, *other_sets(spec.dataset, spec.suites)) if name in data_sets]
    return frozenset({_ENGINE}.union(*chosen))


@functools.cache
def _of_modules(modules: frozenset[str]) -> str:
    return fingerprint(modules, leaves=REGISTRIES)


def code_of(spec: RunSpec) -> str:
    """The fingerprint of the code that a run of this spec goes through."""
    return _of_modules(modules_of(spec))


def collection_state(tables: Iterable[Table], tier: str) -> str:
    """A hash over all that decides what is collected from the records of some tables: which runs, which small tables, which
    metrics, and the code that does it."""
    tables = list(tables)
    suites = {s for table in tables for t in TIERS for spec in table.specs.get(t, ()) for s in spec.suites}
    modules = {f"{PACKAGE}.runs.collect"}.union(*(_entry(SUITES, "suite", name) for name in suites))
    digest = hashlib.sha256(fingerprint(modules, leaves=REGISTRIES).encode())
    for table in tables:
        digest.update(f"{table.name} {table.small_tables} {[spec.run_id for spec in table.runs(tier)]}".encode())
    return digest.hexdigest()[:12]

"""What reruns when the code changes: a hash over the syntax trees of exactly the files that a piece of code can reach.

Docstrings and comments are left out, so a better sentence reruns nothing.  The imports are read from the syntax trees:
nothing is executed, and torch is not loaded.  They tell every dependency, because registries are lists that are written out.

A registry is a leaf for runs: a run reaches the entries that its spec names, not all that are registered, so a new objective,
data set or suite makes no record stale.  A page reaches every file that it can import.

What a user's program has registered stands in no registry's file: of an objective, the files of its builder count
(:mod:`lossbook.runs.own_code`); of a data set, the SHA-256 of its images, which is compared whenever they are loaded.
"""

from __future__ import annotations

import ast
import functools
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lossbook import registered
from lossbook.data.other_sets import other_sets
from lossbook.runs.own_code import own_files
from lossbook.runs.spec import RunSpec
from lossbook.runs.tables import Table, suites_of

PACKAGE_DIR = Path(__file__).parents[1]
PACKAGE = PACKAGE_DIR.name

# Files that hold a dictionary of literal names and imported entries, and nothing else.
OBJECTIVES, DATASETS, SUITES = f"{PACKAGE}.objectives.registry", f"{PACKAGE}.data.registry", f"{PACKAGE}.runs.suites.registry"
UNKNOWN_SETS = f"{PACKAGE}.data.unknown_registry"
REGISTRIES = (OBJECTIVES, DATASETS, UNKNOWN_SETS, SUITES)
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
    """Drops docstrings (comments are in no syntax tree) and what only type checkers import.

    In an ``__init__.py`` the latter stays: there it says which names the package imports when they are first used.
    """

    def __init__(self, path: Path) -> None:
        self.is_package = path.name == "__init__.py"

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        return None if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str) else node

    def visit_If(self, node: ast.If) -> ast.AST | None:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING" and not self.is_package:
            return None
        return self.generic_visit(node)


@dataclass(frozen=True)
class _Source:
    """A source file as the fingerprint sees it: the digest of its code, and the modules that it imports."""

    digest: bytes
    imports: frozenset[str]
    tree: ast.Module


def _source(path: Path) -> _Source:
    return _parsed(path, path.stat().st_mtime_ns)


@functools.cache
def _parsed(path: Path, changed: int) -> _Source:
    """Parse a file once per modification time, so that an edit while the process runs is seen."""
    tree = _WithoutProse(path).visit(ast.parse(path.read_text(encoding="utf-8")))
    return _Source(hashlib.sha256(ast.dump(tree).encode()).digest(), frozenset(imported(tree).values()), tree)


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


def reachable(modules: Iterable[str], leaves: Iterable[str] = ()) -> list[str]:
    """The source files of ``modules`` and of all that they import from this package, relative to its folder.

    A package's ``__init__.py`` counts only where something is imported from it by name.  It holds re-exports, so an
    import of one of its modules does not depend on it.

    Args:
        modules: where to start.
        leaves: modules that do not count, and are not followed.
    """
    seen, skipped = set(), {source_file(leaf) for leaf in leaves}
    todo = list(modules)
    while todo:
        module = todo.pop()
        path = source_file(module)
        if path is None:
            raise ValueError(f"no module {module} in the package {PACKAGE}")
        if path not in seen and path not in skipped:
            seen.add(path)
            todo.extend(_source(path).imports)
    return sorted(path.relative_to(PACKAGE_DIR).as_posix() for path in seen)


def fingerprint(modules: Iterable[str], leaves: Iterable[str] = ()) -> str:
    """12 hex digits over the names and syntax trees of all files reachable from ``modules``."""
    digest = hashlib.sha256()
    for name in reachable(modules, leaves):
        digest.update(name.encode())
        digest.update(_source(PACKAGE_DIR / name).digest)
    return digest.hexdigest()[:12]


def entries(registry: str) -> dict[str, frozenset[str]]:
    """The names in a registry, and the modules that each entry's expression takes something from.

    Raises:
        ValueError: if the file holds anything but imports and one dictionary with literal keys.
    """
    return _entries(registry, _source(source_file(registry)))


@functools.cache
def _entries(registry: str, source: _Source) -> dict[str, frozenset[str]]:
    tree, modules = source.tree, imported(source.tree)
    found = [node for node in tree.body if not isinstance(node, ast.Import | ast.ImportFrom)]
    if len(found) != 1 or not isinstance(found[0], ast.Assign | ast.AnnAssign) or not isinstance(found[0].value, ast.Dict):
        raise ValueError(f"{registry} must hold imports and one dictionary, nothing else")
    if not all(isinstance(key, ast.Constant) for key in found[0].value.keys):
        raise ValueError(f"{registry} must have literal keys")
    return {
        key.value: frozenset(modules[n.id] for n in ast.walk(value) if isinstance(n, ast.Name) and n.id in modules)
        for key, value in zip(found[0].value.keys, found[0].value.values, strict=True)
    }


def objective_sources() -> dict[str, str]:
    """Every objective's name and source, as ``list_objectives`` gives them, without loading torch."""
    (table,) = (node.value for node in _source(source_file(OBJECTIVES)).tree.body if isinstance(node, ast.AnnAssign))
    written = {key.value: entry.args[1].value for key, entry in zip(table.keys, table.values, strict=True)}
    return written | {name: entry.source for name, entry in registered.OBJECTIVES.items()}


def _entry(registry: str, kind: str, name: str) -> frozenset[str]:
    if name not in entries(registry):
        known = [*entries(registry), *(registered.OBJECTIVES if registry == OBJECTIVES else ())]
        raise ValueError(f"unknown {kind} {name!r}; expected one of {', '.join(known)}")
    return entries(registry)[name]


def _registered_objective(name: str) -> tuple[frozenset[str], str]:
    """The package's modules that a registered objective imports, and a digest of the user's own files."""
    sources = [_source(path) for path in own_files(name, registered.OBJECTIVES[name].build)]
    digest = hashlib.sha256(b"".join(sorted(source.digest for source in sources))).hexdigest()
    return frozenset().union(*(source.imports for source in sources)), digest


def modules_of(spec: RunSpec) -> frozenset[str]:
    """The modules that a run goes through: the engine, and the entries that its spec names."""
    return _modules(_objectives(spec), spec.suites, spec.dataset)


def _objectives(spec: RunSpec) -> tuple[str, ...]:
    """The objectives of both phases."""
    return spec.objective, spec.second_phase.get("objective", spec.objective)


def _modules(objectives: tuple[str, ...], suites: tuple[str, ...], dataset: str) -> frozenset[str]:
    chosen = [
        _registered_objective(name)[0] if name in registered.OBJECTIVES else _entry(OBJECTIVES, "objective", name)
        for name in objectives
    ]
    chosen += [_entry(SUITES, "suite", name) for name in suites]
    data_sets = entries(DATASETS) | entries(UNKNOWN_SETS)  # some sets of the paper tier have no loader yet, and so no module
    chosen += [data_sets[name] for name in (dataset, *other_sets(dataset, suites)) if name in data_sets]
    return frozenset({_ENGINE}.union(*chosen))


def code_of(spec: RunSpec) -> str:
    """The fingerprint of the code that a run of this spec goes through, taken once per process."""
    return _code(_objectives(spec), spec.suites, spec.dataset)


@functools.cache
def _code(objectives: tuple[str, ...], suites: tuple[str, ...], dataset: str) -> str:
    code = fingerprint(_modules(objectives, suites, dataset), leaves=REGISTRIES)
    own = [_registered_objective(name)[1] for name in objectives if name in registered.OBJECTIVES]
    for name in (dataset, *other_sets(dataset, suites)):
        if name in registered.DATASETS:
            own.append(f"{sorted(registered.DATASETS[name].sha256.items())} {registered.DATASETS[name].num_classes}")
    return hashlib.sha256(f"{code} {own}".encode()).hexdigest()[:12] if own else code


def collection_state(tables: Iterable[Table], tier: str, sample: str = "all") -> str:
    """A hash over all that decides what is collected from the records of some tables: which runs, which small tables, which
    metrics, and the code that does it."""
    tables = list(tables)
    modules = {f"{PACKAGE}.runs.collect"}.union(*(_entry(SUITES, "suite", name) for name in suites_of(tables)))
    digest = hashlib.sha256(fingerprint(modules, leaves=REGISTRIES).encode())
    for table in tables:
        digest.update(f"{table.name} {table.small_tables} {[spec.run_id for spec in table.sample(tier, sample)]}".encode())
    return digest.hexdigest()[:12]

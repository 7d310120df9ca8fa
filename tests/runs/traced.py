"""Watch what the package imports and executes, and print it as JSON: a map of dependencies made without reading code.

``imports``: importing module (or page) -> the package's modules that its import statements named, as Python's own import
function saw them.  ``executed``: canonical JSON of a run -> the package's files of which a function ran while it trained.
"""

import ast
import builtins
import json
import sys
import tempfile
from pathlib import Path

import torch

import lossbook

PACKAGE_DIR = Path(lossbook.__file__).parent
_import = builtins.__import__
imports: dict[str, set[str]] = {}


def watched(name, globals=None, locals=None, fromlist=(), level=0):
    found = _import(name, globals, locals, fromlist, level)
    if name.split(".")[0] == "lossbook":
        named = imports.setdefault((globals or {}).get("__name__", "?"), set())
        modules = [f"{name}.{item}" for item in fromlist or ()]
        named.update(module if module in sys.modules else name for module in modules or [name])
    return found


def import_everything() -> None:
    for path in sorted(PACKAGE_DIR.rglob("*.py")):
        parts = path.relative_to(PACKAGE_DIR.parent).with_suffix("").parts
        if parts[-1] != "__main__" and "triton" not in parts[-1]:
            __import__(".".join(parts[:-1] if parts[-1] == "__init__" else parts), {"__name__": "this test"})


def import_pages() -> None:
    from lossbook.book.pages import RUN, code_cells, pages

    for page in [RUN, *pages()]:
        for cell in code_cells(page):
            lines = "\n".join(line for line in cell.source.splitlines() if not line.lstrip().startswith(("%", "!")))
            statements = [node for node in ast.walk(ast.parse(lines)) if isinstance(node, ast.Import | ast.ImportFrom)]
            code = compile(ast.Module(statements, type_ignores=[]), page, "exec")
            exec(code, {"__name__": page.as_posix()})


def train_all() -> dict[str, list[str]]:
    """A training of a few steps with every objective, every suite, every data set that comes in a package."""
    from lossbook.data.registry import DATASETS
    from lossbook.objectives.registry import OBJECTIVES
    from lossbook.runs.missing import train_missing
    from lossbook.runs.records import Store
    from lossbook.runs.spec import RunSpec
    from lossbook.runs.suites.registry import SUITES

    tiny = RunSpec(dataset="digits", model="mlp", epochs=1, train_per_class=4, batch_size=20, suites=())
    known = tiny.replace(classes=(0, 1, 2, 3, 4, 5, 6, 7), embedding_size=8, batch_size=16)
    suites = {"plane": tiny.replace(embedding_size=2), "ood": tiny.replace(image_size=16)}
    needs_linear = ("ood", "collapse", "openset", "layers", "uniformity", "bench")
    specs = [tiny.replace(objective=name) for name in OBJECTIVES]
    for name in SUITES:
        if name not in ("ood_printed", "rejection_others"):  # their data sets are downloads
            base = suites.get(name, tiny if name in ("layers",) else known)
            specs.append(base.replace(suites=(name,), objective="soft-d" if name in needs_linear else "euclidean-softmax"))
    specs += [tiny.replace(dataset=name) for name, data in DATASETS.items() if data.package]
    specs += [tiny.replace(second_phase={"objective": "weight-balancing"})]

    executed = {}
    with tempfile.TemporaryDirectory() as folder:
        for spec in specs:
            files: set[str] = set()

            def profile(frame, event, argument, files=files):
                if event == "call" and frame.f_code.co_name != "<module>":
                    files.add(frame.f_code.co_filename)

            sys.setprofile(profile)
            try:
                train_missing([spec], Store(folder))
            finally:
                sys.setprofile(None)
            inside = {Path(file) for file in files if file.startswith(str(PACKAGE_DIR))}
            executed[spec.canonical_json()] = sorted(path.relative_to(PACKAGE_DIR).as_posix() for path in inside)
    return executed


if __name__ == "__main__":
    torch.set_num_threads(1)
    builtins.__import__ = watched
    import_everything()
    import_pages()
    executed = train_all()
    print(json.dumps({"imports": {name: sorted(named) for name, named in imports.items()}, "executed": executed}))

"""A copy of the project that builds in seconds, for tests that kill, damage and repeat builds.

It has the same Snakefile, profiles, package and run notebook, but only one table of one paper (the real table 5 of bce3s,
with five of its seeds: ten runs), and two short pages.  No part of the machinery is replaced by a stand-in.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAPER, TABLE, SEEDS, RUNS = "bce3s", "5", 5, 10
PAGES = ("bce3s/01-results", "bce3s/02-loss")
COMMAND = [sys.executable, "-m", "lossbook.book", "build", "--", "--profile", "profiles/local"]
PAGES_BUILT = [f"_build/executed/{page}.ipynb" for page in PAGES]
OPTIONS = ["--config", "runs_per_job=5", "sample=all"]

HEADER = """---
jupytext:
  formats: md:myst,ipynb
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

"""
_RESULTS = """# What the runs gave

```{code-cell} ipython3
:tags: [parameters]

results_dir = "results"
tier = "quick"
```

```{code-cell} ipython3
from lossbook.papers.bce3s.read import EVIDENCE
from lossbook.papers.results import load_results

rows = load_results(results_dir, tier, EVIDENCE)
rows = rows[rows["table"] == "5"]
print(rows.drop(columns=["seconds", "commit", "code"]).round(4).to_string())
```
"""
_LOSS = """# A loss

```{code-cell} ipython3
import math

print(round(math.log1p(math.exp(-1.5)), 6))
```
"""
_TOC = """format: jb-book
root: book/index
chapters:
  - file: notebooks/bce3s/01-results
  - file: notebooks/bce3s/02-loss
  - file: notebooks/run
"""
_PAPERS = f'''import dataclasses

_TABLE = dataclasses.replace({PAPER}.PAPER.evidence.table("{TABLE}"), seeds={{"quick": {SEEDS}}})
_ONE = dataclasses.replace({PAPER}.PAPER.evidence, tables=(_TABLE,))
PAPERS: dict[str, Paper] = {{"{PAPER}": dataclasses.replace({PAPER}.PAPER, evidence=_ONE, claims=())}}'''
# What of the project is copied as it is.
_COPIED = ("Snakefile", "_config.yml", "profiles", "book/_static", "book/references.bib", "notebooks/run.md", "src/lossbook")
_COPIED += ("data/published/bce3s", "data/bce3s/tuned.csv", "results/quick/bce3s.csv")


def make(folder: Path) -> Path:
    """Lay out the small project in ``folder``."""
    for name in _COPIED:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    registry = folder / "src/lossbook/papers/registry.py"
    text = registry.read_text()
    start, end = text.index("PAPERS: dict"), text.index("\n\n\ndef get_paper")
    registry.write_text(text[:start] + _PAPERS + text[end:])
    for page, text in zip(PAGES, (_RESULTS, _LOSS), strict=True):
        path = folder / "notebooks" / f"{page}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(HEADER + text)
    (folder / "_toc.yml").write_text(_TOC)
    (folder / "book/index.md").write_text("# A small book\n")
    return folder


def environment(folder: Path) -> dict[str, str]:
    """The variables under which Python takes the copy's package, with one thread per process."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return os.environ | {"PYTHONPATH": str(folder / "src"), "PYTHONDONTWRITEBYTECODE": "", "PATH": path, "OMP_NUM_THREADS": "1"}


def build(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start the small project's ``make book``: two jobs of five runs, their collection, two pages (``PAGES_BUILT``), and
    by default the run page and the book."""
    return subprocess.Popen(
        [*COMMAND, *arguments, *OPTIONS],
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def wipe(folder: Path) -> None:
    """Forget all that was built."""
    for name in ("_build", ".snakemake"):
        shutil.rmtree(folder / name, ignore_errors=True)

"""Progress: a bar in a terminal, one line that is updated in a notebook, a line now and then in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from lossbook.optional import extra

with extra("run"):
    from tqdm import tqdm

T = TypeVar("T")
_LOG_SECONDS, _NOTEBOOK_SECONDS = 30.0, 1.0


def _in_kernel() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and hasattr(shell, "kernel")


def track(items: Iterable[T], description: str) -> Iterator[T]:
    """Yield the items and show how many are done.

    In a notebook the line is replaced at the end by the count alone, so that outputs hold no times.
    """
    items = list(items)
    if _in_kernel():
        yield from _track_in_notebook(items, description)
    elif sys.stderr.isatty():
        yield from tqdm(items, desc=description, leave=False)
    else:
        yield from _track_in_log(items, description)


def _track_in_notebook(items: list[T], description: str) -> Iterator[T]:
    from IPython.display import HTML, display

    handle, said = display(HTML(f"{description}: 0 of {len(items)}"), display_id=True), time.monotonic()
    for done, item in enumerate(items, 1):
        yield item
        # Not after every item: short runs have many epochs, and each update travels to whatever executes the notebook.
        if done == len(items) or time.monotonic() - said > _NOTEBOOK_SECONDS:
            said = time.monotonic()
            handle.update(HTML(f"{description}: {done} of {len(items)}"))


def _track_in_log(items: list[T], description: str) -> Iterator[T]:
    said = time.monotonic()
    for done, item in enumerate(items, 1):
        yield item
        if time.monotonic() - said > _LOG_SECONDS:
            said = time.monotonic()
            print(f"{description}: {done} of {len(items)}", file=sys.stderr, flush=True)

"""Trainings in several processes of one thread each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, TypeVar

import torch

from lossbook.progress import track

T = TypeVar("T")


def in_processes(function: Callable[..., T], calls: Sequence[tuple[Any, ...]], processes: int, description: str) -> Iterator[T]:
    """Call a function with each of some arguments, so many at a time; yield what it returns, in their order, with progress.

    An error, or an interruption, ends it: calls that have not begun are dropped.

    Args:
        function: of a module, so that another process finds it.
        calls: the arguments of every call.
        processes: how many processes.
        description: of the progress.
    """
    # Torch's threads do not survive a fork.
    with ProcessPoolExecutor(processes, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
        futures = [pool.submit(function, *arguments) for arguments in calls]
        try:
            for future in track(futures, description):
                yield future.result()
        except BaseException:  # without this, the pool would go on with all others first
            pool.shutdown(cancel_futures=True)
            raise

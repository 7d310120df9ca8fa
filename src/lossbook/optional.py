"""Packages that come with an extra of lossbook: the one message where they are missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

Extra = Literal["metrics", "metric-learning", "run", "book", "test"]


class MissingPackage(ModuleNotFoundError):
    """A package that an extra brings is not installed; the message says how to install it."""


@contextmanager
def extra(name: Extra) -> Iterator[None]:
    """Import the packages of an extra inside: ``with extra("metrics"): from sklearn.metrics import roc_auc_score``.

    Raises:
        MissingPackage: where one is not installed, naming it and the extra.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").split(".")[0]
        if package in ("", "lossbook") or isinstance(error, MissingPackage):
            raise
        message = f'the package {package} is not installed, which comes with: pip install "lossbook[{name}]"'
        raise MissingPackage(message, name=error.name) from None

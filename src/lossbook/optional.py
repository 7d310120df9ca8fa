"""Packages that lossbook can do without: the one message where they are missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Literal

Extra = Literal["metrics", "metric-learning", "run", "book", "test"]


class MissingPackage(ModuleNotFoundError):
    """An optional package is not installed; the message says how to install it."""


def extra(name: Extra) -> AbstractContextManager[None]:
    """Import the packages of an extra inside: ``with extra("metrics"): from sklearn.metrics import roc_auc_score``.

    Raises:
        MissingPackage: where one is not installed, naming it and the extra.
    """
    return _installed_by(f'"lossbook[{name}]"')


def package(name: str) -> AbstractContextManager[None]:
    """The same for a package that a user of it has, so that no extra brings it: ``with package("lightning"): ...``.

    Raises:
        MissingPackage: where it is not installed, naming it.
    """
    return _installed_by(name)


@contextmanager
def _installed_by(requirement: str) -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").split(".")[0]
        if missing in ("", "lossbook") or isinstance(error, MissingPackage):
            raise
        message = f"the package {missing} is not installed, which comes with: pip install {requirement}"
        raise MissingPackage(message, name=error.name) from None

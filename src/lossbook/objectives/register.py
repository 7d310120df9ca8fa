"""An objective of a user's own, by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from lossbook import registered
from lossbook.objectives.entry import Entry
from lossbook.objectives.objective import Objective
from lossbook.objectives.registry import OBJECTIVES


def register_objective(name: str, build: Callable[..., Objective], source: str) -> None:
    """Add an objective to those that ``create_objective``, runs and ``lossbook list`` know by name, in this process.

    A run's record holds a fingerprint of the code that made it.  For this objective it covers the file of ``build`` and the
    user's own files that this one imports, so a changed builder makes its records stale.  Hence runs take only a function
    or a class at the top of a ``.py`` file, and refuse a lambda, a closure, a ``partial`` or what was typed into a notebook.
    ``create_objective`` takes them all.

    Args:
        name: one that no objective has yet.
        build: (in_features, num_classes, the objective's own arguments) to the objective; if it has a parameter
            ``class_counts``, it gets the number of training images per class.  Its loss takes ``reduction``, as the
            example's; nothing is built here, so one that does not is an error of the first batch.
        source: where the loss comes from, e.g. authors and year.

    Raises:
        ValueError: for an empty name, or one that is taken.
        TypeError: for a builder that cannot be called with two sizes, or a source that is no text.

    Example:
        >>> from lossbook.heads.linear import LinearHead
        >>> from lossbook.losses.uniform import cross_entropy
        >>> from lossbook.objectives.create import create_objective
        >>> def tempered(in_features, num_classes, temperature=2.0):
        ...     def loss(logits, labels, reduction="mean"):
        ...         return cross_entropy(logits / temperature, labels, reduction=reduction)
        ...     return Objective(LinearHead(in_features, num_classes), loss)
        >>> register_objective("tempered", tempered, "this example")
        >>> objective = create_objective("tempered", in_features=8, num_classes=3, temperature=4.0)
    """
    if not isinstance(name, str) or not name:
        raise ValueError(f"expected the name of an objective, got {name!r}")
    if name in OBJECTIVES:
        raise ValueError(f"the name {name!r} is taken by the objective of {OBJECTIVES[name].source!r}; choose another one")
    if not isinstance(source, str):
        raise TypeError(f"expected the source as text, got {type(source).__name__}")
    try:
        inspect.signature(build).bind(1, 2)
    except TypeError as error:
        raise TypeError(f"expected a builder (in_features, num_classes, ...) -> Objective, got {build!r}: {error}") from None
    OBJECTIVES[name] = registered.OBJECTIVES[name] = Entry(build, source)

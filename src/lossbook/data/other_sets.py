"""Which other data sets a suite measures a run against: names only, no torch."""

from __future__ import annotations

from collections.abc import Iterable

from lossbook.data.feature_names import are_features, features_name, images_of

# Suite -> what was trained on -> the sets that are unknown to it.
OTHER_SETS: dict[str, dict[str, tuple[str, ...]]] = {
    "ood": {
        "mnist5k": ("digits", "faces", "photographs"),
        "digits": ("mnist5k", "faces", "photographs"),
        "fashion-mnist": ("mnist5k", "faces", "photographs"),
        "cifar10": ("cifar100", "gtsrb", "fashion-mnist"),
        "cifar100": ("cifar10", "gtsrb", "fashion-mnist"),
    },
    # As the paper prints them.
    "ood_printed": {
        "cifar100": ("cifar10", "tinyimagenet", "svhn"),
        "imagenet200": ("ssb-hard", "ninco", "inaturalist"),
    },
    # The paper draws unknown faces; here the unknown images are of another data set with everyday objects.
    "rejection_others": {"cifar100": ("cifar10",)},
    # Chosen before the first run of the bench.
    "bench": {
        "mnist5k": ("digits", "photographs"),
        "digits": ("mnist5k", "photographs"),
        "cifar100": ("cifar10", "fashion-mnist"),
    },
}


def others_of(suite: str, dataset: str) -> tuple[str, ...]:
    """The image data sets that a suite measures a run against; features are measured against features of the same.

    Raises:
        ValueError: where the suite names none for this data set.
    """
    known = OTHER_SETS[suite]
    if images_of(dataset) not in known:
        raise ValueError(f"the suite {suite!r} names no unknown sets for {dataset!r}; expected one of {', '.join(known)}")
    return known[images_of(dataset)]


def other_sets(dataset: str, suites: Iterable[str]) -> tuple[str, ...]:
    """All sets that some suites read beside the run's own, as the run takes them."""
    names = [name for suite in suites if suite in OTHER_SETS for name in others_of(suite, dataset)]
    return tuple(dict.fromkeys(map(features_name, names) if are_features(dataset) else names))

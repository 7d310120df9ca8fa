"""How cached features are named.  No torch here, so listing runs is instant."""

from __future__ import annotations

BACKBONE = "efficientnet_lite0"


def features_name(dataset: str) -> str:
    """The name under which a run spec asks for the features of a data set's images."""
    return f"{dataset}-{BACKBONE}"


def are_features(name: str) -> bool:
    """Does a data set hold features in the place of images?"""
    return name.endswith(f"-{BACKBONE}")


def images_of(name: str) -> str:
    """The data set whose images were made into features; an image data set itself."""
    return name.removesuffix(f"-{BACKBONE}")

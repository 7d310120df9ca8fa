"""A trained head as two files that are used without training code: ``winner.safetensors`` and ``winner.json``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lossbook.advisor.features import Standard
from lossbook.advisor.images import Backbone, Unreadable, features_of_arrays, images_below, read_image
from lossbook.files import write_atomically
from lossbook.heads.class_vectors import class_vectors
from lossbook.heads.euclidean import EuclideanHead
from lossbook.metrics.thresholds import calibrate
from lossbook.objectives.objective import Objective

UNKNOWN = "unknown"
TPR = 0.95  # share of samples of known classes that the threshold keeps


@dataclass(frozen=True)
class Winner:
    r"""A head for prediction: standardised features :math:`\tilde x = (x - m) \odot s` to logits (B, N).

    ===========  =============================================================
    kind         logits
    ===========  =============================================================
    linear       :math:`\tilde x W^\top + b`
    cosine       :math:`\tilde x W^\top / \|\tilde x\| + b`
    distance     :math:`b - \|\tilde x - W_j\|`
    ===========  =============================================================

    Attributes:
        kind: see the table.
        tensors: ``weight`` (N, d), ``bias`` (N,), ``mean`` and ``scale`` (d,).
        threshold: a sample whose largest logit is not above it is of no known class.
        classes: names, N.
        method, goal: what won, and at what.
        backbone: that made the features of images; None where the data was features.
    """

    kind: str
    tensors: dict[str, Tensor]
    threshold: float
    classes: tuple[str, ...]
    method: str
    goal: str
    backbone: Backbone | None

    def logits(self, features: Tensor) -> Tensor:
        """(B, d) -> (B, N)."""
        t = self.tensors
        x = (features - t["mean"]) * t["scale"]
        if self.kind == "distance":
            return t["bias"] - torch.cdist(x, t["weight"], compute_mode="donot_use_mm_for_euclid_dist")
        products = x @ t["weight"].T
        if self.kind == "cosine":
            products = products / x.norm(dim=1, keepdim=True).clamp_min(1e-12)
        return products + t["bias"]

    def predict(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Classes (B,), -1 where a sample is of none, and the largest logits (B,)."""
        scores, classes = self.logits(features).max(1)
        return classes.masked_fill(~(scores > self.threshold), -1), scores

    def save(self, folder: Path) -> None:
        """Write both files, each whole or not at all."""
        from safetensors.torch import save_file

        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / ".winner.safetensors"
        save_file({name: tensor.contiguous() for name, tensor in self.tensors.items()}, temporary)
        temporary.replace(folder / "winner.safetensors")
        fields: dict[str, Any] = {name: value for name, value in asdict(self).items() if name != "tensors"}
        write_atomically(folder / "winner.json", json.dumps(fields, indent=1, ensure_ascii=True) + "\n")

    @classmethod
    def load(cls, path: Path) -> Winner:
        """From the ``.json`` file; the other lies beside it.

        Raises:
            ValueError: for a file that is none of these.
        """
        from safetensors.torch import load_file

        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            fields["classes"] = tuple(fields["classes"])
            fields["backbone"] = fields["backbone"] and Backbone(**fields["backbone"])
            return cls(tensors=load_file(path.with_suffix(".safetensors")), **fields)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(f"expected a winner.json with its winner.safetensors beside it, got {path}: {error}") from error


@torch.no_grad()
def winner_of(
    objective: Objective,
    standard: Standard,
    scores: np.ndarray,
    classes: tuple[str, ...],
    method: str,
    goal: str,
    backbone: Backbone | None,
) -> Winner:
    """A trained objective as a :class:`Winner`.

    Args:
        objective: of any method of :data:`~lossbook.advisor.methods.METHODS`.
        standard: of its features.
        scores: largest logits of samples that it was not trained on, which set the threshold.
    """
    head = objective.head
    zero = torch.zeros(1, head.weight.shape[1])
    if isinstance(head, EuclideanHead):
        kind, weight = "distance", head.weight.detach().clone()
        bias = (objective.logits(zero) + head.distances(zero))[0]
    else:
        vectors, directions_only = class_vectors(head)
        kind, weight = "cosine" if directions_only else "linear", vectors.detach().clone()
        bias = objective.logits(zero)[0]
    tensors = {"weight": weight, "bias": bias.clone(), "mean": standard.mean, "scale": standard.scale}
    bound = calibrate(torch.from_numpy(scores[np.isfinite(scores)]), tpr=TPR)
    return Winner(kind, tensors, bound, classes, method, goal, backbone)


def predict_files(winner: Winner, paths: list[Path], cache: Path) -> list[tuple[str, str, str]]:
    """File, class and score of every image; "unknown" where it is of no class, and the reason where it cannot be read.

    Args:
        winner: of images, or of features.
        paths: images and folders of images; or one ``.npy`` file of features (n, d), whose rows are named by their number.
        cache: the folder that features of images are kept in.

    Raises:
        ValueError: for files that this winner is not for.
    """
    if len(paths) == 1 and paths[0].suffix == ".npy":
        features = np.load(paths[0])
        if features.ndim != 2 or features.shape[1] != len(winner.tensors["mean"]):
            raise ValueError(f"expected features of shape (n, {len(winner.tensors['mean'])}), got {features.shape}")
        return [(str(row), *found) for row, found in enumerate(_named(winner, torch.from_numpy(features).float()))]
    if winner.backbone is None:
        raise ValueError("this winner was trained on features, not on images: expected one .npy file of features (n, d)")
    files = [file for path in paths for file in (images_below(path) if path.is_dir() else [path])]
    images, readable, rows = [], [], {}
    for path in files:
        try:
            images.append(read_image(path, winner.backbone.side))
            readable.append(path)
        except Unreadable as error:
            rows[path] = ("", str(error))
    if images:
        features = torch.from_numpy(features_of_arrays(np.stack(images), winner.backbone, cache))
        rows |= dict(zip(readable, _named(winner, features), strict=True))
    return [(str(path), *rows[path]) for path in files]


def _named(winner: Winner, features: Tensor) -> list[tuple[str, str]]:
    """Name of the class, or "unknown", and score of every sample."""
    classes, scores = winner.predict(features)
    names = [winner.classes[label] if label >= 0 else UNKNOWN for label in classes.tolist()]
    return [(name, f"{score:.6g}") for name, score in zip(names, scores.tolist(), strict=True)]

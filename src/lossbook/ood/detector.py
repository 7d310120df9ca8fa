"""What all detectors share: reading a head, keeping what was learned as buffers, checks, precision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lossbook.heads.class_vectors import class_vectors
from lossbook.heads.linear import unit_vectors
from lossbook.metrics.detection import no_autocast
from lossbook.metrics.detection_checks import check_classifier, check_finite, check_matrix
from lossbook.objectives.classifier import UnitVectors

Head = nn.Module | tuple[Tensor, Tensor | None]


class Classifier(NamedTuple):
    """Logits are ``F.linear(features, weight, bias)``, with weight (N, d) and bias (N,)."""

    weight: Tensor
    bias: Tensor


def _layer(head: Head) -> tuple[Tensor, Tensor | None] | None:
    """Weight and bias where they are given as such: by an ``nn.Linear`` or as a pair."""
    if isinstance(head, nn.Linear):
        return head.weight.detach(), None if head.bias is None else head.bias.detach()
    return head if isinstance(head, tuple) and len(head) == 2 else None


@torch.no_grad()
def linear_classifier(head: Head) -> tuple[Classifier, bool]:
    """The weight and the added bias of a head, and whether they act on features of length 1 (cosines).

    A head of :mod:`lossbook.heads` is asked what it does: the weight has its class vectors, the added bias is minus
    ``head.threshold()``, and the similarities of a few more vectors show that there is nothing else.

    Args:
        head: a head whose logits are linear in the features or in the features of length 1; an ``nn.Linear``; or a pair
            (weight, bias) with a bias (N,), (1,) or None; or what ``to_classifier`` makes of such an objective.

    Raises:
        TypeError: for a head with other logits, such as distances or a combined prediction.

    Example:
        >>> (weight, bias), unit = linear_classifier(nn.Linear(4, 3, bias=False))
        >>> tuple(weight.shape), bias.tolist(), unit
        ((3, 4), [0.0, 0.0, 0.0], False)
    """
    unit = False
    if isinstance(head, nn.Sequential) and len(head) == 2 and isinstance(head[0], UnitVectors):  # a cosine classifier
        head, unit = head[1], True
    layer = _layer(head)
    if layer is not None:
        return Classifier(*check_classifier(*layer, layer[0])), unit
    if not all(hasattr(head, name) for name in ("weight", "similarities", "threshold")):
        raise TypeError(f"expected a head, an nn.Linear or a pair (weight, bias), got {type(head).__name__}")
    module: Any = head
    with no_autocast(module.weight.device):
        vectors, unit = class_vectors(module)
        weight, bias = check_classifier(vectors, -module.threshold(), module.weight)
        probes = 2 * module.weight.new_ones(weight.shape[1], weight.shape[1]).tril()[-8:]
        found = module.similarities(probes).to(weight.dtype)
        margin = max(1e-3, 16 * torch.finfo(probes.dtype).eps) * found.abs().max()
        expected = F.linear((unit_vectors(probes) if unit else probes).to(weight.dtype), weight)
        if bool((expected - found).abs().max() <= margin):
            return Classifier(weight.contiguous(), bias), unit
    raise TypeError(
        f"expected a head whose logits are linear in the features or in the features of length 1, got {type(head).__name__};"
        " of a dual head, give the one that predicts"
    )


class Detector(nn.Module):
    """An out-of-distribution detector: ``fit`` learns from the training features, a call scores features.

    All detectors take the same arguments; each says which it needs.  What was learned are buffers: they go with
    ``state_dict`` (``load_state_dict`` also fills a detector that was not fitted), ``to``, ``deepcopy`` and pickle.  Fitting
    and scoring leave random generators alone, give no gradients, and work in ``torch.inference_mode``.  Half precision is
    computed and returned in float32, autocast or not.
    """

    needs_head: ClassVar[bool]
    needs_labels: ClassVar[bool] = False
    buffers_learned: ClassVar[tuple[str, ...]]

    def __init__(self) -> None:
        super().__init__()
        self.unit_features = False
        for name in self.buffers_learned:
            self.register_buffer(name, None)

    @torch.no_grad()
    def fit(self, features: Tensor, head: Head | None = None, labels: Tensor | None = None) -> Self:
        """Learn from the training features.

        Args:
            features: (M, d), finite.
            head: what gives the logits, see :func:`linear_classifier`.
            labels: (M,), the classes; those of a detector that needs a head too are int64 within 0..N-1.

        Returns:
            The detector itself.

        Raises:
            ValueError: where something that the detector needs is missing or does not fit.
            TypeError: where something has a wrong type.
        """
        name = type(self).__name__
        with torch.inference_mode(False):
            features = check_matrix("features", features, "d").detach()
            check_finite("features", features)
            classifier, unit = Classifier(features.new_empty(0), features.new_empty(0)), False
            if self.needs_head:
                if head is None:
                    raise ValueError(f"{name} needs the classifier: fit(features, head)")
                classifier, unit = linear_classifier(head)
                check_classifier(*classifier, features)
            if labels is None:
                if self.needs_labels:
                    raise ValueError(f"{name} needs the classes of the features: fit(features, head, labels=labels)")
                labels = features.new_empty(0, dtype=torch.int64)
            with no_autocast(features.device):
                learned = self._learn(unit_vectors(features) if unit else features, classifier, labels)
            self.unit_features = unit
            for buffer, values in zip(self.buffers_learned, learned, strict=True):
                self.register_buffer(buffer, values.detach().clone())  # own memory, and no inference tensor
        return self

    @torch.no_grad()
    def forward(self, features: Tensor) -> Tensor:
        """Scores (B,) of features (B, d), larger = more likely known.

        Raises:
            RuntimeError: before ``fit``.
        """
        held = self._check_fitted()
        features = check_matrix("features", features, "d")
        if features.shape[1] != held.shape[-1]:
            raise ValueError(f"expected features (B, {held.shape[-1]}), as wide as those of fit, got {tuple(features.shape)}")
        if features.device != held.device:
            raise ValueError(f"expected features on the detector's device, {held.device}, got {features.device}")
        with no_autocast(features.device):
            return self._score(unit_vectors(features) if self.unit_features else features)

    def _check_fitted(self) -> Tensor:
        """The first buffer, whose last dimension is d."""
        held = getattr(self, self.buffers_learned[0])
        if held is None:
            raise RuntimeError(
                f"{type(self).__name__} was not fitted: call fit(features, head, labels) with training features first,"
                " or load_state_dict with the state of a fitted one"
            )
        return held

    def _learn(self, features: Tensor, classifier: Classifier, labels: Tensor) -> tuple[Tensor, ...]:
        """The buffers, in the order of ``buffers_learned``; classifier and labels are empty where the detector needs none."""
        raise NotImplementedError

    def _score(self, features: Tensor) -> Tensor:
        raise NotImplementedError

    def get_extra_state(self) -> Tensor:
        """Whether features are brought to length 1 first, for the state_dict."""
        return torch.tensor(self.unit_features)

    def set_extra_state(self, state: Tensor) -> None:
        self.unit_features = bool(state)

    def _load_from_state_dict(
        self,
        state_dict: Mapping[str, Any],
        prefix: str,
        local_metadata: Any,
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Buffers take the shapes of those that come, on the device where they are, or on which these come."""
        for name in self.buffers_learned:
            values, held = state_dict.get(prefix + name), getattr(self, name)
            if values is not None and (held is None or held.shape != values.shape):
                self.register_buffer(name, torch.empty_like(values, device=values.device if held is None else held.device))
        super()._load_from_state_dict(state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)

"""Out-of-distribution scores of the library pytorch-ood, to compare ours with: a page and a test call this, no run does."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def pytorch_ood_scores(
    features: Tensor,
    train_features: Tensor,
    train_labels: Tensor,
    weight: Tensor,
    bias: Tensor,
    *,
    neighbours: int,
    dimensions: int,
    temperature: float,
    noise: float,
) -> dict[str, Tensor]:
    """The scores of :mod:`lossbook.metrics.ood` as the library pytorch-ood has them, larger for known samples.

    It has no neural relation graph.  Its ``rmds`` inverts scatters and not covariances, so that the distances are too
    small by a factor, the number of training samples; they are multiplied by it here.  Its ``msp`` and ``odin`` are
    probabilities, which become log-odds here.  The inputs of ``odin`` are the features, whose linear classifier is then the
    whole network.

    Args:
        features: (B, d), float32.
        train_features: (M, d).
        train_labels: (M,).
        weight: (N, d).
        bias: (N,).
        neighbours, dimensions, temperature, noise: arguments of ``knn``, ``vim`` and ``odin``.

    Raises:
        ImportError: where pytorch-ood is not installed.
    """
    import lossbook._torchvision  # noqa: F401  cures torchvision, which pytorch-ood imports

    # isort: split
    from pytorch_ood import detector

    linear = nn.Linear(*reversed(weight.shape))
    with torch.no_grad():
        linear.weight.copy_(weight)
        linear.bias.copy_(bias)
    fit = (train_features, train_labels)
    logits = F.linear(features, weight, bias)
    maps = features[:, :, None, None]
    with torch.no_grad():
        scores = {
            "msp": -torch.logit(-detector.MaxSoftmax(None).predict_logits(logits.double())),
            "rmds": len(train_features) * detector.RMD(None).fit_features(*fit).predict_features(features),
            "energy": detector.EnergyBased(None).predict_logits(logits),
            "vim": detector.ViM(None, dimensions, weight, bias).fit_features(*fit).predict_features(features),
            "knn": detector.KNN(None, neighbours).fit_features(*fit).predict_features(features),
            "dice": detector.DICE(None, weight, bias, p=0.9).fit_features(*fit).predict_features(features),
            "she": detector.SHE(None, linear).fit_features(*fit).predict_features(features),
            "scale": detector.SCALE(None, lambda scaled: linear(scaled.flatten(1))).predict_feature_maps(maps),
        }
    probability = -detector.ODIN(linear, eps=noise, temperature=temperature).predict(features)
    scores["odin"] = -temperature * (torch.logit(probability) + math.log(len(weight) - 1))
    return {name: -score for name, score in scores.items()}

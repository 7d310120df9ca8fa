"""Losses: logits and labels to a scalar, one file per paper of this book, and files for those of others; the names below are
the public ones.

Head and loss in one pass, for many classes, are in :mod:`lossbook.losses.fused`.
"""

from lossbook.losses.baselines import (
    asymmetric,
    complement_cross_entropy,
    complement_entropy,
    cyclical_focal,
    focal,
    label_smoothing,
    negative_log,
)
from lossbook.losses.bce3s import contrastive_bce, contrastive_ce, joint_bce, joint_ce, uniform_bce, uniform_ce
from lossbook.losses.longtail import balanced_softmax, class_balanced_focal, ldam, logit_adjusted
from lossbook.losses.multicenter import additive_angular_margin, gaussian_kl, large_margin, multicenter_cross_entropy
from lossbook.losses.onecold import one_cold_cross_entropy
from lossbook.losses.uniform import bce_di, binary_cross_entropy, cross_entropy, naive, uce
from lossbook.losses.warped import euclidean_softmax, generalized_softmax, warped_softmax

__all__ = [
    "additive_angular_margin",
    "asymmetric",
    "balanced_softmax",
    "bce_di",
    "binary_cross_entropy",
    "class_balanced_focal",
    "complement_cross_entropy",
    "complement_entropy",
    "contrastive_bce",
    "contrastive_ce",
    "cross_entropy",
    "cyclical_focal",
    "euclidean_softmax",
    "focal",
    "gaussian_kl",
    "generalized_softmax",
    "joint_bce",
    "joint_ce",
    "label_smoothing",
    "large_margin",
    "ldam",
    "logit_adjusted",
    "multicenter_cross_entropy",
    "naive",
    "negative_log",
    "one_cold_cross_entropy",
    "uce",
    "uniform_bce",
    "uniform_ce",
    "warped_softmax",
]

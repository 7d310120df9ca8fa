r"""The loss of *Learning Anti-Classes with One-Cold Cross Entropy Loss* (`onecold`) and its soft targets.

Notation: :math:`z` are the class logits (B, N), :math:`\bar z = -z` the anti-class logits,
:math:`\hat{\bar y} = \operatorname{softmax}(-z)` the predicted anti-class distribution: how much the sample belongs to
what each class is *not*.  :math:`c` is the label.  All functions take class logits and negate them themselves, so that
the class with the largest logit stays the prediction.

Half precision is computed in float32.  All raise ``ValueError`` / ``TypeError`` for a wrong shape, dtype or label, see
:func:`~lossbook.losses.checks.check_logits_labels`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lossbook.losses.checks import Reduction, check_logits_labels, check_soft_targets, is_soft, reduce
from lossbook.precision import at_least_float32


def anti_class_probabilities(logits: Tensor) -> Tensor:
    r"""The predicted anti-class distribution of Eq. 4.

    .. math:: \hat{\bar y}_i = \frac{e^{-z_i}}{\sum_j e^{-z_j}}

    Args:
        logits: class logits (B, N).

    Returns:
        (B, N), rows that sum to 1; the *smallest* entry belongs to the predicted class.

    Example:
        >>> anti_class_probabilities(torch.tensor([[1.0, 0.0, 0.0]]))
        tensor([[0.1554, 0.4223, 0.4223]])
    """
    return (-at_least_float32(logits)).softmax(1)


def one_cold_cross_entropy(
    logits: Tensor, labels: Tensor, targets: Tensor | None = None, *, reduction: Reduction = "mean"
) -> Tensor:
    r"""The one-cold cross entropy, Eq. 4: cross entropy between an anti-class target and :math:`\operatorname{softmax}(-z)`.

    .. math:: L = -\sum_i \bar y_i \log \hat{\bar y}_i, \qquad
              \bar y_i = \frac{[i \neq c]}{N-1} \text{ unless given}

    With the uniform target it is also the reverse cross entropy (RCE).  Its gradient with respect to the class logits
    is :math:`\partial L / \partial z_i = \bar y_i - \hat{\bar y}_i` (Eqs. 5 and 17 with :math:`\bar z = -z`).

    The paper's settings: the uniform target; beside another loss a weight :math:`\gamma = 1` (Tables 1 and 2), and 0.1 for
    out-of-distribution detection (Table 4).

    Args:
        logits: class logits (B, N).
        labels: (B,), int64, or soft targets (B, N): a distribution over the classes for every sample.
        targets: anti-class distributions (B, N) whose rows sum to 1; None is the uniform one, without the matrix.
        reduction: see :func:`~lossbook.losses.checks.reduce`; ``"none"`` gives every sample's loss, (B,).

    Returns:
        Scalar, the mean over the batch, in nats.  At least the mean entropy of the targets: log(N - 1) for the
        uniform one (the released code subtracts that constant).

    Example:
        >>> logits = torch.tensor([[9.0, 0.0, 0.0]])
        >>> one_cold_cross_entropy(logits, torch.tensor([0]))  # log 2: right, and the other two classes equal
        tensor(0.6932)
        >>> one_cold_cross_entropy(logits, torch.tensor([1]))
        tensor(5.1932)
    """
    check_logits_labels(logits, labels, soft=True)
    log_anti = (-at_least_float32(logits)).log_softmax(1)
    if targets is not None:
        samples, classes = logits.shape
        check_soft_targets(targets, samples, classes, logits.device)
        return reduce(-(targets * log_anti).sum(1), reduction)
    # The own term is left out of the sum.  Subtracting it would cost digits: it is large where the sample is classified well.
    soft = is_soft(labels)
    others = (1 - labels.to(log_anti.dtype)) * log_anti if soft else log_anti.scatter(1, labels.unsqueeze(1), 0.0)
    return reduce(-others.sum(1), reduction) / (logits.shape[1] - 1)


def instance_targets(predictions: Tensor, labels: Tensor, alpha: float) -> Tensor:
    r"""Instance-based self-distillation, Eq. 9: the sample's earlier anti-class prediction softens its target.

    .. math:: \bar y'_i = (1 - \alpha) \frac{[i \neq c]}{N-1} + \alpha\, \hat{\bar y}_i

    If the prediction is the model's own at this step (without gradient), the gradient of the loss becomes
    :math:`(1-\alpha)` times the one of the uniform target: nothing but a smaller weight of the loss.

    The paper's settings: :math:`\alpha = 0.1` (Table 5).

    Args:
        predictions: anti-class distributions (B, N), rows that sum to 1; no gradient flows into them.
        labels: (B,), int64.
        alpha: share of the prediction, within [0, 1].

    Returns:
        (B, N), rows that sum to 1, for :func:`one_cold_cross_entropy`.

    Example:
        >>> instance_targets(torch.tensor([[0.2, 0.7, 0.1]]), torch.tensor([0]), alpha=0.5)
        tensor([[0.1000, 0.6000, 0.3000]])
    """
    check_logits_labels(predictions, labels)
    _check_alpha(alpha)
    soft = alpha * at_least_float32(predictions.detach())
    own = labels.unsqueeze(1)
    return (soft + (1 - alpha) / (predictions.shape[1] - 1)).scatter(1, own, soft.gather(1, own))


def class_weights(averages: Tensor) -> Tensor:
    r"""The matrix C of Eq. 10: each class' average anti-class prediction, without the class itself, rows that sum to 1.

    Args:
        averages: (N, N), row i is the mean (or the sum) of :math:`\hat{\bar y}` over the samples of class i.

    Returns:
        (N, N), zero diagonal, rows that sum to 1; a class without samples (a row of zeros) gets the uniform row.

    Example:
        >>> class_weights(torch.tensor([[0.2, 0.6, 0.2], [0.5, 0.4, 0.1], [0.0, 0.0, 0.0]]))
        tensor([[0.0000, 0.7500, 0.2500],
                [0.8333, 0.0000, 0.1667],
                [0.5000, 0.5000, 0.0000]])
    """
    if averages.ndim != 2 or averages.shape[0] != averages.shape[1] or averages.shape[0] < 2:
        raise ValueError(f"expected a square matrix (N, N) of at least 2 classes, got {tuple(averages.shape)}")
    off_diagonal = 1 - torch.eye(len(averages), dtype=averages.dtype, device=averages.device)
    others = averages * off_diagonal
    total = others.sum(1, keepdim=True)
    return torch.where(total > 0, others / total.clamp_min(torch.finfo(total.dtype).tiny), off_diagonal / (len(averages) - 1))


def class_targets(weights: Tensor, labels: Tensor, alpha: float) -> Tensor:
    r"""Class-based self-distillation, Eq. 10: the last epoch's average predictions of the class soften the target.

    .. math:: \bar y'_j = (1 - \alpha) \frac{[j \neq c]}{N-1} + \alpha\, C_{c,j}

    The paper's settings: :math:`\alpha = 0.5` (Table 5).

    Args:
        weights: C (N, N) from :func:`class_weights`.
        labels: (B,), int64.
        alpha: share of the class' weights, within [0, 1].

    Returns:
        (B, N), rows that sum to 1 with a zero at the label, for :func:`one_cold_cross_entropy`.

    Example:
        >>> weights = class_weights(torch.tensor([[0.2, 0.6, 0.2], [0.5, 0.4, 0.1], [0.2, 0.2, 0.6]]))
        >>> class_targets(weights, torch.tensor([0]), alpha=0.5)
        tensor([[0.0000, 0.6250, 0.3750]])
    """
    check_logits_labels(weights[:1].expand(len(labels), -1), labels)
    return instance_targets(weights[labels], labels, alpha)


def _check_alpha(alpha: float) -> None:
    if not 0 <= alpha <= 1:
        raise ValueError(f"expected alpha within [0, 1], got {alpha}")

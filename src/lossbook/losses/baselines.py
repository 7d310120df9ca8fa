r"""The losses that the `onecold` paper compares with and adds its own to (Table 1), on softmax probabilities.

Notation: :math:`p = \operatorname{softmax}(z)`, :math:`c` the label, :math:`N` classes.  All take logits (B, N) and
int64 labels (B,), return the mean over the batch as a scalar in nats, or what ``reduction`` says, compute half precision in
float32, and raise ``ValueError`` / ``TypeError`` for bad input, see :func:`~lossbook.losses.checks.check_logits_labels`.

Two of the table's rows are elsewhere: the reverse cross entropy is
:func:`~lossbook.losses.onecold.one_cold_cross_entropy` alone, the binary cross entropy
:func:`~lossbook.losses.uniform.binary_cross_entropy`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from lossbook.losses.checks import Reduction, check_logits_labels, check_reduction, reduce
from lossbook.losses.uniform import as_target
from lossbook.precision import at_least_float32, widest


def _log_probabilities(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Checked: log p (B, N), at least float32, and the labels as an index (B, 1)."""
    check_logits_labels(logits, labels)
    return at_least_float32(logits).log_softmax(1), labels.unsqueeze(1)


def _log_of_the_rest(log_p: Tensor, own: Tensor) -> Tensor:
    """log(1 - p_c), (B,), as the log-sum of the others.  It stays exact where p_c rounds to 1, and so does its gradient."""
    return log_p.scatter(1, own, -torch.inf).logsumexp(1)


def label_smoothing(logits: Tensor, labels: Tensor, smoothing: float = 0.1, *, reduction: Reduction = "mean") -> Tensor:
    r"""Cross entropy with smoothed labels (Szegedy et al., 2016).

    .. math:: L = -(1-\varepsilon) \log p_c - \frac{\varepsilon}{N} \sum_j \log p_j

    Args:
        logits: (B, N).
        labels: (B,), int64, or soft targets (B, N): a distribution over the classes for every sample.
        smoothing: :math:`\varepsilon` within [0, 1].
        reduction: see :func:`~lossbook.losses.checks.reduce`; ``"none"`` gives every sample's loss, (B,).

    Returns:
        Scalar in [0, inf).

    Example:
        >>> label_smoothing(torch.zeros(1, 4), torch.tensor([2]))  # log 4, whatever the smoothing
        tensor(1.3863)
    """
    check_logits_labels(logits, labels, soft=True)
    check_reduction(reduction)
    if not 0 <= smoothing <= 1:
        raise ValueError(f"expected smoothing within [0, 1], got {smoothing}")
    logits = at_least_float32(logits)
    return F.cross_entropy(logits, as_target(labels, logits), reduction=reduction, label_smoothing=smoothing)


def negative_log(logits: Tensor, labels: Tensor, *, reduction: Reduction = "mean") -> Tensor:
    r"""The negative-learning term (Kim et al., 2019): a sample is *not* of a complementary class.

    .. math:: L = -\frac{1}{N-1} \sum_{j \neq c} \log(1 - p_j)

    The original draws one complementary label per sample; this loss is the expectation, the mean over all of them.

    Args:
        logits: (B, N).
        labels: (B,), int64.
        reduction: see :func:`~lossbook.losses.checks.reduce`; ``"none"`` gives every sample's loss, (B,).

    Returns:
        Scalar in [0, inf).

    Example:
        >>> negative_log(torch.tensor([[0.0, 0.0]]), torch.tensor([0]))  # log 2
        tensor(0.6931)
    """
    log_p, own = _log_probabilities(logits, labels)
    # Only the largest probability can exceed 1/2, where 1 - p loses digits: it is masked here and its complement set below.
    top = log_p.detach().argmax(1, keepdim=True)
    log_rest = torch.log1p(-log_p.scatter(1, top, -torch.inf).exp())
    log_rest = log_rest.scatter(1, top, _log_of_the_rest(log_p, top).unsqueeze(1))
    return reduce(-log_rest.scatter(1, own, 0.0).sum(1), reduction) / (logits.shape[1] - 1)


def complement_entropy(logits: Tensor, labels: Tensor, *, reduction: Reduction = "mean") -> Tensor:
    r"""The entropy of the complementary classes' distribution (Chen et al., 2019).

    .. math:: H = -\sum_{j \neq c} q_j \log q_j, \qquad q_j = \frac{p_j}{1 - p_c}

    A value to be maximised.  Complement objective training alternates between cross entropy and :math:`-H/(N-1)`,
    two optimizer steps per batch.

    Args:
        logits: (B, N).
        labels: (B,), int64.
        reduction: see :func:`~lossbook.losses.checks.reduce`; ``"none"`` gives every sample's loss, (B,).

    Returns:
        Scalar within [0, log(N - 1)].

    Example:
        >>> complement_entropy(torch.tensor([[5.0, 1.0, 1.0]]), torch.tensor([0]))  # log 2
        tensor(0.6931)
    """
    log_p, own = _log_probabilities(logits, labels)
    log_q = log_p.scatter(1, own, -torch.inf).log_softmax(1)
    return reduce(-(log_q.exp() * log_q.scatter(1, own, 0.0)).sum(1), reduction)


def complement_cross_entropy(logits: Tensor, labels: Tensor, balance: float = 1.0, *, reduction: Reduction = "mean") -> Tensor:
    r"""Cross entropy less the complement entropy in one loss (Kim et al., 2021).

    .. math:: L = -\log p_c - \frac{\beta}{N-1} H

    Args:
        logits: (B, N).
        labels: (B,), int64.
        balance: :math:`\beta \ge 0` (:math:`-\gamma` in the original, whose :math:`\gamma` is -1).
        reduction: see :func:`~lossbook.losses.checks.reduce`; ``"none"`` gives every sample's loss, (B,).

    Returns:
        Scalar, at least :math:`-\beta \log(N-1) / (N-1)`; with :math:`H` from :func:`complement_entropy`.

    Example:
        >>> complement_cross_entropy(torch.zeros(1, 3), torch.tensor([0]))  # log 3 - log(2) / 2
        tensor(0.7520)
    """
    if balance < 0:
        raise ValueError(f"expected balance >= 0, got {balance}")
    entropy = complement_entropy(logits, labels, reduction=reduction)
    losses = F.cross_entropy(at_least_float32(logits), labels, reduction=reduction)
    return losses - balance / (logits.shape[1] - 1) * entropy


def focal(logits: Tensor, labels: Tensor, gamma: float | Tensor = 2.0, *, reduction: Reduction = "mean") -> Tensor:
    r"""The focal loss on softmax probabilities (Lin et al., 2017), and for a negative exponent its inverse.

    .. math:: L = -(1 - p_c)^{\gamma} \log p_c \quad (\gamma \ge 0), \qquad
              L = -(1 + p_c)^{|\gamma|} \log p_c \quad (\gamma < 0)

    Args:
        logits: (B, N).
        labels: (B,), int64.
        gamma: the exponent; a tensor (B,) gives every sample its own (AdaFocal).
        reduction: see :func:`~lossbook.losses.checks.reduce`; ``"none"`` gives every sample's loss, (B,).

    Returns:
        Scalar in [0, inf); the cross entropy for ``gamma=0``.

    Example:
        >>> focal(torch.zeros(1, 2), torch.tensor([0]))  # log(2) / 4
        tensor(0.1733)
    """
    log_p, own = _log_probabilities(logits, labels)
    gamma = torch.as_tensor(gamma, dtype=log_p.dtype, device=log_p.device)
    if gamma.ndim and gamma.shape != labels.shape:
        raise ValueError(f"expected one gamma, or one per sample, ({labels.numel()},), got {tuple(gamma.shape)}")
    log_own = log_p.gather(1, own).squeeze(1)
    log_base = torch.where(gamma >= 0, _log_of_the_rest(log_p, own), log_own.exp().log1p())
    return reduce(-((gamma.abs() * log_base).exp() * log_own), reduction)


def asymmetric(
    logits: Tensor,
    labels: Tensor,
    gamma_positive: float = 0.0,
    gamma_negative: float = 4.0,
    smoothing: float = 0.1,
    *,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""The asymmetric loss for one label per sample (Ridnik et al., 2021): two focal exponents on smoothed labels.

    .. math:: L = -\left(1 - \varepsilon + \frac{\varepsilon}{N}\right) (1 - p_c)^{\gamma_+} \log p_c
                  - \frac{\varepsilon}{N} \sum_{j \neq c} p_j^{\gamma_-} \log p_j

    Args:
        logits: (B, N).
        labels: (B,), int64.
        gamma_positive: :math:`\gamma_+ \ge 0`.
        gamma_negative: :math:`\gamma_- \ge 0`.
        smoothing: :math:`\varepsilon` within [0, 1].
        reduction: see :func:`~lossbook.losses.checks.reduce`; ``"none"`` gives every sample's loss, (B,).

    Returns:
        Scalar in [0, inf).

    Example:
        >>> asymmetric(torch.zeros(1, 2), torch.tensor([0]), gamma_negative=0.0)  # plain smoothing: log 2
        tensor(0.6931)
    """
    log_p, own = _log_probabilities(logits, labels)
    if gamma_positive < 0 or gamma_negative < 0 or not 0 <= smoothing <= 1:
        raise ValueError(
            "expected gamma_positive >= 0, gamma_negative >= 0 and smoothing within [0, 1], "
            f"got {gamma_positive}, {gamma_negative} and {smoothing}"
        )
    share = smoothing / logits.shape[1]
    positive = (gamma_positive * _log_of_the_rest(log_p, own)).exp() * log_p.gather(1, own).squeeze(1)
    negatives = ((gamma_negative * log_p).exp() * log_p).scatter(1, own, 0.0).sum(1)
    return reduce(-((1 - smoothing + share) * positive + share * negatives), reduction)


def cyclical_share(epoch: int, epochs: int, factor: float = 4.0) -> float:
    r"""The share :math:`\xi` of the confident term in :func:`cyclical_focal`: 1 at the start, 0 after ``1/factor`` of the
    training, and 1 again at its end.

    .. math:: \xi = 1 - f t \quad (f t \le 1), \qquad \xi = \frac{f t - 1}{f - 1} \quad (f t > 1), \qquad
              t = \frac{\text{epoch}}{\text{epochs} - 1}

    Example:
        >>> [round(cyclical_share(epoch, 9), 2) for epoch in range(9)]
        [1.0, 0.5, 0.0, 0.17, 0.33, 0.5, 0.67, 0.83, 1.0]
    """
    if not 0 <= epoch < epochs or factor <= 1:
        raise ValueError(f"expected 0 <= epoch < epochs and factor > 1, got {epoch}, {epochs} and {factor}")
    scaled = factor * epoch / max(1, epochs - 1)
    return 1 - scaled if scaled <= 1 else (scaled - 1) / (factor - 1)


def cyclical_focal(
    logits: Tensor,
    labels: Tensor,
    share: float,
    gamma_confident: float = 3.0,
    gamma_hard: float = 2.0,
    *,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""The cyclical focal loss (Smith, 2022): from confident samples to hard ones and back in the course of training.

    .. math:: L = -\left[\xi (1 + p_c)^{\gamma_{hc}} + (1 - \xi) (1 - p_c)^{\gamma_{lc}}\right] \log p_c

    Args:
        logits: (B, N).
        labels: (B,), int64.
        share: :math:`\xi` within [0, 1], from :func:`cyclical_share`.
        gamma_confident: :math:`\gamma_{hc} \ge 0`.
        gamma_hard: :math:`\gamma_{lc} \ge 0`.
        reduction: see :func:`~lossbook.losses.checks.reduce`; ``"none"`` gives every sample's loss, (B,).

    Returns:
        Scalar in [0, inf).

    Example:
        >>> cyclical_focal(torch.zeros(1, 2), torch.tensor([0]), share=0.0)  # focal: log(2) / 4
        tensor(0.1733)
    """
    if not 0 <= share <= 1 or gamma_confident < 0 or gamma_hard < 0:
        raise ValueError(f"expected share within [0, 1] and exponents >= 0, got {share}, {gamma_confident} and {gamma_hard}")
    confident = focal(logits, labels, -gamma_confident, reduction=reduction)
    return share * confident + (1 - share) * focal(logits, labels, gamma_hard, reduction=reduction)


def calibration_bins(confidences: Tensor, correct: Tensor, bins: int) -> tuple[Tensor, Tensor]:
    """Equal-mass bins of confidences and how overconfident each is.

    Args:
        confidences: (M,) the largest probability of every sample.
        correct: (M,) bool, whether the prediction was right.
        bins: how many, at most M.

    Returns:
        ``(edges, gaps)``: the ``bins - 1`` inner edges, ascending, and each bin's mean confidence less its accuracy,
        within [-1, 1].

    Example:
        >>> calibration_bins(torch.tensor([0.6, 0.9, 0.5, 1.0]), torch.tensor([True, True, False, True]), bins=2)
        (tensor([0.7500]), tensor([ 0.0500, -0.0500]))
    """
    if confidences.ndim != 1 or confidences.shape != correct.shape or not 1 <= bins <= len(confidences):
        raise ValueError(
            f"expected confidences and correct of the same shape (M,) and 1 <= bins <= M, "
            f"got {tuple(confidences.shape)}, {tuple(correct.shape)} and {bins}"
        )
    ordered, order = confidences.sort(stable=True)
    member = torch.arange(len(ordered), device=ordered.device) * bins // len(ordered)
    starts = torch.searchsorted(member, torch.arange(1, bins, device=ordered.device))
    edges = (ordered[starts - 1] + ordered[starts]) / 2
    wide = widest(ordered.device)
    over = ordered.to(wide) - correct[order].to(wide)
    # index_add_ has a deterministic form on CUDA; a cumsum of floating-point numbers has none.
    sums = torch.zeros(bins, dtype=wide, device=ordered.device).index_add_(0, member, over)
    return edges, (sums / torch.bincount(member)).to(edges.dtype)


def adafocal_gammas(
    gammas: Tensor,
    gaps: Tensor,
    rate: float = 1.0,
    switch: float = 0.2,
    lowest: float = -2.0,
    highest: float = 20.0,
) -> Tensor:
    r"""AdaFocal's exponents after an epoch (Ghosh et al., 2022): overconfident bins get a larger exponent.

    .. math:: \gamma_b \leftarrow \gamma_b\, e^{\pm\lambda (\text{confidence}_b - \text{accuracy}_b)}

    with + for a positive and - for a negative exponent; an exponent closer to zero than ``switch`` jumps to the
    other side, to ``-switch`` or ``switch``; the result is clipped to [``lowest``, ``highest``].

    Args:
        gammas: (bins,), each different from 0.
        gaps: (bins,) from :func:`calibration_bins`.
        rate: :math:`\lambda > 0`.

    Returns:
        (bins,), for :func:`focal`, where a negative one means the inverse focal loss.

    Example:
        >>> adafocal_gammas(torch.tensor([1.0, 0.25, -0.25]), torch.tensor([0.5, -0.5, 0.5]))
        tensor([ 1.6487, -0.2000,  0.2000])
    """
    if gammas.ndim != 1 or gammas.shape != gaps.shape:
        raise ValueError(f"expected gammas and gaps of the same shape (bins,), got {tuple(gammas.shape)} and {tuple(gaps.shape)}")
    moved = gammas * (gammas.sign() * rate * gaps).exp()
    return torch.where(moved.abs() < switch, -switch * moved.sign(), moved).clamp(lowest, highest)

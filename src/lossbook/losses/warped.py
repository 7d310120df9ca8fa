r"""The losses of `warped`: softmax cross entropies of Euclidean distances.

Notation: :math:`d_j = \|e - p_j\|` is the distance of an embedding to the proxy of class :math:`j` (not squared,
nothing normalised), :math:`y` the embedding's label, :math:`T` the temperature, which *multiplies* as in the paper's
Eq. 8.  Every loss takes the mean over the batch, or what ``reduction`` says; half precision is computed and returned in
float32.

All losses raise ``ValueError`` / ``TypeError`` for a wrong shape, dtype or label, see
:func:`~lossbook.losses.checks.check_logits_labels`, and ``ValueError`` for negative distances (a head's ``similarities`` are
minus its distances).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from lossbook.losses.checks import Reduction, check_logits_labels, check_reduction, readable
from lossbook.losses.uniform import as_target
from lossbook.precision import at_least_float32

Warp = Callable[[Tensor], Tensor]


def _check(distances: Tensor, labels: Tensor, temperature: float, soft: bool = False) -> None:
    check_logits_labels(distances, labels, soft)
    if not temperature > 0:
        raise ValueError(f"temperature must be positive, got {temperature}")
    # Checked on the CPU only, as the range of the labels: elsewhere the check would cost a synchronisation per step.
    if (values := readable(distances)) is not None and bool((values < 0).any()):
        raise ValueError(f"expected distances >= 0, got {values.min():g}; a Euclidean head's similarities are minus them")


def euclidean_softmax(distances: Tensor, labels: Tensor, temperature: float = 1.0, *, reduction: Reduction = "mean") -> Tensor:
    r"""The softmax cross entropy of minus the distances, Eq. 4.

    .. math:: L = \log\Big(1 + \sum_{j \neq y} e^{T (d_y - d_j)}\Big)

    The paper's settings: :math:`T = 1`, as Eq. 4 has no temperature.

    Args:
        distances: (B, N), each >= 0.
        labels: (B,), int64, or soft targets (B, N): a distribution over the classes for every sample.
        temperature: :math:`T > 0`, in 1 / distance.
        reduction: see :func:`~lossbook.losses.checks.reduce`; ``"none"`` gives every sample's loss, (B,).

    Returns:
        Scalar in [0, inf), in nats.

    Example:
        >>> euclidean_softmax(torch.tensor([[1.0, 1.0]]), torch.tensor([0]))  # halfway between two proxies: log 2
        tensor(0.6931)
    """
    _check(distances, labels, temperature, soft=True)
    check_reduction(reduction)
    logits = -temperature * at_least_float32(distances)
    return F.cross_entropy(logits, as_target(labels, logits), reduction=reduction)


def identity(x: Tensor) -> Tensor:
    """f(x) = x, the function of Eq. 4."""
    return x


def generalized_softmax(
    distances: Tensor, labels: Tensor, f1: Warp, f2: Warp, temperature: float = 1.0, *, reduction: Reduction = "mean"
) -> Tensor:
    r"""Two functions on the distances, Eq. 6 for any number of classes; Eq. 5 with the same one twice.

    .. math:: L = \log\Big(1 + \sum_{j \neq y} e^{T [f_1(d_y) - f_2(d_j)]}\Big)

    Between two classes and with a strictly increasing :math:`f_2`, every minimum other than the own proxy lies on the ray
    from it away from the other one (Lemma III.1): there where :math:`f_1'(d_y) - f_2'(d_j)` turns from negative to positive
    on the way out (Prop. III.2).

    The paper's settings: Eq. 7 as f1 and the identity as f2, see :func:`warped_softmax`; Table III tries monotone functions for
    both.

    Args:
        distances: (B, N), each >= 0.
        labels: (B,), int64.
        f1: of the true class's distances: a tensor to a tensor of the same shape, each entry on its own.
        f2: likewise, of the other classes' distances.
        temperature: :math:`T > 0`, in 1 / distance.
        reduction: see :func:`~lossbook.losses.checks.reduce`; ``"none"`` gives every sample's loss, (B,).

    Returns:
        Scalar in [0, inf), in nats.

    Example:
        >>> pull = generalized_softmax(torch.tensor([[1.0, 1.0]]), torch.tensor([0]), torch.square, torch.sqrt)
        >>> round(pull.item(), 4)
        0.6931
    """
    _check(distances, labels, temperature)
    check_reduction(reduction)
    wide = at_least_float32(distances)
    own = labels.unsqueeze(1)
    logits = f2(wide).scatter(1, own, f1(wide.gather(1, own)))
    return F.cross_entropy(-temperature * logits, labels, reduction=reduction)


def _check_warp(alpha: float, k1: float, k2: float, margin: float) -> None:
    if not (alpha >= 0 and 0 < k1 <= 1 <= k2 and margin >= 0):
        raise ValueError(f"expected alpha >= 0, 0 < k1 <= 1 <= k2 and margin >= 0, got {alpha}, {k1}, {k2} and {margin}")


def warp(distances: Tensor, alpha: float, k1: float, k2: float, margin: float = 1.0) -> Tensor:
    r"""The warping function, Eq. 7.

    .. math::
        f_1(x) = \begin{cases} k_1 x + \Delta & x < \alpha \\ k_2 x + \alpha (1 - k_2) & x \ge \alpha \end{cases}
        \qquad \Delta = m\,\operatorname{sg}[(1 - k_1) x]

    sg stops the gradient: :math:`\Delta` lifts the value back to :math:`x` for :math:`m = 1`, and leaves the slope
    :math:`k_1`.  At :math:`\alpha` the value jumps by :math:`-(m - 1)(1 - k_1)\alpha`: it is continuous for
    :math:`m = 1` only.  :func:`warp_slope_integral` is the continuous function with these slopes.

    Args:
        distances: any shape, each >= 0.
        alpha: :math:`\alpha \ge 0`, the point of attraction, in the distances' unit; ``inf``: everything is pushed out.
        k1: slope within alpha, :math:`0 < k_1 \le 1`: less pulls less than the other classes push (separability).
        k2: slope beyond alpha, :math:`k_2 \ge 1`: more pulls more than they push (compactness).
        margin: :math:`m \ge 0`, the factor of Delta; the paper takes 1 or more.

    Returns:
        A tensor of the distances' shape.

    Example:
        >>> warp(torch.tensor([1.0, 2.0, 4.0]), alpha=2.0, k1=0.5, k2=3.0)
        tensor([1., 2., 8.])
    """
    _check_warp(alpha, k1, k2, margin)
    within = k1 * distances + margin * (1 - k1) * distances.detach()
    return torch.where(distances < alpha, within, k2 * distances + alpha * (1 - k2))


def warp_slope_integral(distances: Tensor, alpha: float, k1: float, k2: float) -> Tensor:
    r"""The continuous function with the slopes of Eq. 7: what the gradient of :func:`warp` descends.

    .. math:: \int_0^x f_1' = k_1 \min(x, \alpha) + k_2 \max(x - \alpha, 0)

    The value of Eq. 7 hides its minima, as Delta lifts it; with this one as f1, :func:`generalized_softmax` shows them: for two
    classes the landscape's lowest point is at alpha from the own proxy, away from the other.

    Args:
        distances: any shape, each >= 0.
        alpha, k1, k2: see :func:`warp`.

    Example:
        >>> warp_slope_integral(torch.tensor([1.0, 2.0, 4.0]), alpha=2.0, k1=0.5, k2=3.0)
        tensor([0.5000, 1.0000, 7.0000])
    """
    _check_warp(alpha, k1, k2, margin=1.0)
    return k1 * distances.clamp_max(alpha) + k2 * (distances - alpha).clamp_min(0)


def warped_softmax(
    distances: Tensor,
    labels: Tensor,
    alpha: float,
    k1: float,
    k2: float,
    temperature: float = 1.0,
    margin: float = 1.0,
    *,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""The warped softmax, Eqs. 7 and 8: Eq. 4 with the true class's distance through :func:`warp`.

    .. math:: L = \log\Big(1 + \sum_{j \neq y} e^{T [f_1(d_y) - d_j]}\Big)

    With ``margin=1`` and :math:`d_y < \alpha` the value is that of :func:`euclidean_softmax`; only the gradient differs.

    The paper's settings, from the authors' code, are different in the two phases of a training (first, then second):

    - CUB: alpha 28.40, 24.68; k1 0.93, 0.95; k2 1.15, 1.20; T 4.525, 1; margin 1.30.
    - Cars: alpha 30.15, 23.25; k1 0.80, 0.50; k2 1.15, 1.55; T 5, 1; margin 1.50.
    - Stanford Online Products: alpha 13.025, 5.842; k1 0.8563, 0.8024; k2 1.1181, 1.6175; T 3.7442, 1; margin 1.348.
    - faces: alpha 15.75, 12.25; k1 0.30, 0.20; k2 1.075, 1.03; T 3.15, 1; margin 1.

    Alpha is a length: other features need another one.

    Args:
        distances: (B, N), each >= 0.
        labels: (B,), int64.
        alpha, k1, k2, margin: see :func:`warp`.
        temperature: :math:`T > 0`, in 1 / distance.
        reduction: see :func:`~lossbook.losses.checks.reduce`; ``"none"`` gives every sample's loss, (B,).

    Returns:
        Scalar in [0, inf), in nats.

    Example:
        >>> distances = torch.tensor([[1.0, 2.0]], requires_grad=True)
        >>> warped_softmax(distances, torch.tensor([0]), alpha=5.0, k1=0.5, k2=2.0).backward()
        >>> distances.grad  # the push is twice the pull
        tensor([[ 0.1345, -0.2689]])
    """

    def f1(own: Tensor) -> Tensor:
        return warp(own, alpha, k1, k2, margin)

    return generalized_softmax(distances, labels, f1, identity, temperature, reduction=reduction)


def r_disk_ends(proxy: Tensor, other: Tensor, radius: float) -> tuple[Tensor, Tensor]:
    r"""Where the line through two proxies meets the r-disk of the first, :math:`D_r(p_i) = \{e : \|e - p_i\| = r\}`.

    .. math:: p_i \pm r \frac{p_i - p_j}{\|p_i - p_j\|}

    Lemma III.1: on every r-disk Eq. 5 with a non-decreasing f is smallest at the far point and largest at the near one
    (nowhere else if f is strictly increasing).

    Args:
        proxy: :math:`p_i`, (d,): the true class's proxy, the middle of the disk.
        other: :math:`p_j`, (d,).
        radius: :math:`r \ge 0`.

    Returns:
        The far and the near point, seen from :math:`p_j`, each (d,).

    Example:
        >>> far, near = r_disk_ends(torch.tensor([0.0, 0.0]), torch.tensor([2.0, 0.0]), radius=1.0)
        >>> far.tolist(), near.tolist()
        ([-1.0, 0.0], [1.0, 0.0])
    """
    if proxy.ndim != 1 or proxy.shape != other.shape or bool((proxy == other).all()):
        raise ValueError(f"expected two different points (d,), got shapes {tuple(proxy.shape)} and {tuple(other.shape)}")
    if not radius >= 0:
        raise ValueError(f"expected a radius >= 0, got {radius}")
    outward = radius * F.normalize(proxy - other, dim=0)
    return proxy + outward, proxy - outward

r"""Post-hoc out-of-distribution scores (Sec. 3.4 of `onecold`): the ten methods of its Tables 7 and 8.

Every function returns one score per sample, (B,): **larger means more likely known**.  They need no training, only
features (B, d), the linear classifier ``weight`` (N, d) and ``bias`` (None, (1,) or (N,)), and what the training images gave.
:math:`z` are logits, :math:`p` their softmax, :math:`h` features.  A function learns from the training features at every call;
the modules of :mod:`lossbook.ood` do so once.

Scores are float32, or float64 for such input, inside autocast too.  Each function raises a ValueError for shapes, devices or
labels that do not fit, for training features that are not finite and for empty input, and a TypeError for what is no tensor
or has a wrong dtype; the message says what was expected.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from lossbook.metrics import detection
from lossbook.metrics.detection import without_autocast
from lossbook.metrics.detection_checks import check_classifier, check_logits, check_logits_pair, check_matrix, check_pair
from lossbook.precision import at_least_float32


@without_autocast
def msp(logits: Tensor) -> Tensor:
    r"""The maximum softmax probability (Hendrycks and Gimpel, 2017), as log-odds.

    .. math:: \log \frac{p_c}{1 - p_c} = z_c - \log \sum_{j \neq c} e^{z_j}, \qquad c = \arg\max_j z_j

    The log-odds rank samples as :math:`p_c` does, and still do where :math:`p_c` rounds to 1 (in float32 from log-odds of 17
    on).  The probability itself is ``msp(logits).sigmoid()``.

    Args:
        logits: (B, N), N >= 2.

    Returns:
        (B,), at least :math:`-\log(N - 1)`.

    Example:
        >>> msp(torch.tensor([[1.0, 0.0], [2.0, 0.0]]))
        tensor([1., 2.])
    """
    return detection.log_odds(check_logits("logits", logits))


def odin(function: Callable[[Tensor], Tensor], inputs: Tensor, temperature: float = 1000.0, noise: float = 0.0014) -> Tensor:
    r"""ODIN (Liang et al., 2018): the tempered maximum softmax probability after a step that raises it, as log-odds.

    .. math:: T \log \frac{(N - 1)\, p_c}{1 - p_c}, \quad p = \operatorname{softmax}(f(\tilde x) / T), \qquad
              \tilde x = x + \varepsilon \operatorname{sign} \nabla_x \log \max_j \operatorname{softmax}_j(f(x) / T)

    It ranks samples as :math:`p_c` does, which float32 can hardly resolve at a high temperature, where all are about 1/N; then
    the score is about the largest logit less the mean of the others.  It works in ``torch.inference_mode`` too, as long as
    the parameters of ``function`` were made outside.

    Args:
        function: inputs (B, ...) to logits (B, N).
        inputs: (B, ...), e.g. images within [0, 1].
        temperature: :math:`T > 0`.
        noise: :math:`\varepsilon \ge 0`, in the inputs' unit.

    Returns:
        (B,), at least 0.

    Example:
        >>> odin(lambda x: x, torch.tensor([[2.0, 1.0], [3.0, 1.0]]), noise=0.0)
        tensor([1.0000, 2.0000])
    """
    if not (temperature > 0 and noise >= 0):
        raise ValueError(f"expected temperature > 0 and noise >= 0, got {temperature} and {noise}")
    if not isinstance(inputs, Tensor) or not inputs.is_floating_point() or not inputs.numel():
        came = f"{tuple(inputs.shape)} of {inputs.dtype}" if isinstance(inputs, Tensor) else type(inputs).__name__
        raise ValueError(f"expected inputs as a floating-point tensor (B, ...) with B >= 1 samples, got {came}")
    with torch.inference_mode(False):
        with torch.enable_grad():
            # An inference tensor takes part in no gradient, its clone does.
            inputs = (inputs.clone() if inputs.is_inference() else inputs.detach()).requires_grad_()
            logits = check_logits("logits from the function", function(inputs))
            loss = F.cross_entropy(logits / temperature, logits.max(1).indices, reduction="sum")
            (gradient,) = torch.autograd.grad(loss, inputs)
        with torch.no_grad():
            logits = at_least_float32(function(torch.add(inputs.detach(), gradient.sign_(), alpha=-noise)))
            return temperature * detection.above_chance(logits / temperature)


@without_autocast
def energy(logits: Tensor, temperature: float = 1.0) -> Tensor:
    r"""The negative free energy (Liu et al., 2020): :math:`T \log \sum_j e^{z_j / T}`.

    Args:
        logits: (B, N), N >= 2.
        temperature: :math:`T > 0`.

    Example:
        >>> energy(torch.zeros(1, 4))  # log 4
        tensor([1.3863])
    """
    return detection.free_energy(check_logits("logits", logits), temperature)


@without_autocast
def rmds(features: Tensor, train_features: Tensor, train_labels: Tensor) -> Tensor:
    r"""The relative Mahalanobis distance (Ren et al., 2021), negative.

    .. math:: \max_k\; d_0(h) - d_k(h), \qquad d_k(h) = (h - \mu_k)^\top \Sigma^\dagger (h - \mu_k), \quad
              d_0(h) = (h - \mu)^\top \Sigma_0^\dagger (h - \mu)

    with the class means, their common covariance :math:`\Sigma`, and mean and covariance of all training features.  In
    float64, of which (d, d) matrices, the means (N, d), copies of ``features`` and (B, N) distances are held.

    Args:
        features: (B, d).
        train_features: (M, d).
        train_labels: (M,), any integers.
    """
    features, train = check_pair(features, train_features)
    return detection.rmds_scores(features, detection.learn_rmds(train, train_labels))


@without_autocast
def vim(features: Tensor, train_features: Tensor, weight: Tensor, bias: Tensor | None, dimensions: int | None = None) -> Tensor:
    r"""Virtual-logit matching (Wang et al., 2022): the energy less the scaled length outside the principal subspace.

    .. math:: \log \sum_j e^{z_j} - \alpha \|P^\perp (h - o)\|, \qquad o = -W^\dagger b, \qquad
              \alpha = \frac{\sum_m \max_j z_j^{(m)}}{\sum_m \|P^\perp (h^{(m)} - o)\|}

    Where training features have no length outside but rounding, the sum in the denominator is
    :math:`d\,\epsilon \sum_m \|h^{(m)} - o\|` with the :math:`\epsilon` of float32: finite, and any length outside counts much.
    Learned in float64, of which (d, d) matrices and copies of 4,096 training features are held; scored in the features' dtype,
    but for lengths outside that are small beside the whole one, which are float64's.

    Args:
        features: (B, d).
        train_features: (M, d), which give the subspace (uncentred around o) and :math:`\alpha`.
        weight: (N, d).
        bias: (N,), (1,) or None.
        dimensions: of the principal subspace, below d; by default d/2 (512 for d >= 768, 1000 for d >= 2048).
    """
    features, train = check_pair(features, train_features)
    weight, bias = check_classifier(weight, bias, train)
    return detection.vim_scores(features, detection.learn_vim(train, weight, bias, dimensions))


@without_autocast
def knn(features: Tensor, train_features: Tensor, neighbours: int = 50) -> Tensor:
    r"""Minus the distance to the k-th nearest training feature, both of length 1 (Sun et al., 2022).

    The neighbour is the exact one and its distance comes from differences, so that features which have collapsed onto their
    class means are ranked too.  Cosines are computed chunk by chunk.

    Args:
        features: (B, d).
        train_features: (M, d).
        neighbours: k, within 1..M.

    Returns:
        (B,), within [-2, 0]; a zero feature is sqrt(2) from every other.
    """
    features, train = check_pair(features, train_features)
    return detection.knn_scores(features, detection.learn_knn(train), neighbours)


@without_autocast
def dice(features: Tensor, train_features: Tensor, weight: Tensor, bias: Tensor | None, sparsity: float = 0.9) -> Tensor:
    r"""DICE (Sun and Li, 2022): the energy of a classifier that keeps its largest average contributions only.

    .. math:: z = (W \circ M) h + b, \qquad M_{ji} = [W_{ji} \bar h_i > q]

    with the mean training feature :math:`\bar h` and the quantile q of all contributions at ``sparsity``.

    Args:
        features: (B, d).
        train_features: (M, d).
        weight: (N, d).
        bias: (N,), (1,) or None.
        sparsity: share of the weights that are cut, within [0, 1).
    """
    features, train = check_pair(features, train_features)
    weight, bias = check_classifier(weight, bias, train)
    return detection.free_energy(detection.linear(features, detection.learn_dice(train, weight, sparsity), bias))


@without_autocast
def she(features: Tensor, logits: Tensor, train_features: Tensor, train_logits: Tensor, train_labels: Tensor) -> Tensor:
    r"""Simplified Hopfield energy (Zhang et al., 2023): the product with the predicted class' pattern.

    .. math:: \langle h, s_{\hat y(h)} \rangle, \qquad s_k = \text{mean of the class' correctly classified training features}

    A class of which nothing is classified right takes the mean of all its training features.

    Args:
        features: (B, d), with their logits (B, N).
        logits: (B, N).
        train_features: (M, d), with their logits (M, N).
        train_logits: (M, N).
        train_labels: (M,), int64 within 0..N-1.
    """
    features, train = check_pair(features, train_features)
    logits, train_logits = check_logits_pair(features, logits, train, train_logits)
    return detection.she_scores(features, logits, detection.learn_she(train, train_logits, train_labels))


@without_autocast
def relation(
    features: Tensor,
    logits: Tensor,
    train_features: Tensor,
    train_logits: Tensor,
    power: float = 8.0,
    threshold: float = 0.03,
) -> Tensor:
    r"""The neural relation graph (Kim et al., 2023): the sum of the strong edges to the training images.

    .. math:: \sum_m \left[r_m > \tau\right] r_m^{\kappa}, \qquad
              r_m = \max(0, \cos(h, h^{(m)})) \; p^\top p^{(m)}

    The edges are computed chunk by chunk.

    Args:
        features: (B, d), with their logits (B, N).
        logits: (B, N).
        train_features: (M, d), with their logits (M, N).
        train_logits: (M, N).
        power: :math:`\kappa > 0`.
        threshold: :math:`\tau \ge 0`.
    """
    features, train = check_pair(features, train_features)
    logits, train_logits = check_logits_pair(features, logits, train, train_logits)
    return detection.relation_scores(features, logits, detection.learn_relation(train, train_logits), power, threshold)


@without_autocast
def scale(features: Tensor, weight: Tensor, bias: Tensor | None, percentile: float = 0.65) -> Tensor:
    r"""SCALE (Xu et al., 2024): the energy after features are enlarged by how much their largest entries stand out.

    .. math:: h' = h \, e^{r}, \qquad r = \frac{\sum_i h_i}{\sum_{i \in \text{top}} h_i}

    where ``top`` are the sample's own entries above its ``percentile``.  Made for features after a ReLU; elsewhere
    negative entries count as 0 in r, since the sums could vanish.

    Args:
        features: (B, d).
        weight: (N, d).
        bias: (N,), (1,) or None.
        percentile: share of the entries that are not among the top ones, within [0, 1).
    """
    features = check_matrix("features", features, "d")
    weight, bias = check_classifier(weight, bias, features)
    return detection.free_energy(detection.linear(detection.scaled(features, percentile), weight, bias))

"""The losses of `uniform`: values, gradients, stability, and what they refuse."""

import math

import numpy as np
import pytest
import reference_uniform as ref
import torch
import torch.nn.functional as F
from arrays import rows
from torch.autograd import gradcheck

from lossbook.losses import uniform
from lossbook.objectives import create_objective

TABLE_ONE = [f"{formula}-{variant}" for formula in ("soft", "bce") for variant in ("0", "d", "u", "n0", "nd", "nu")]
HALF = [torch.float16, torch.bfloat16]

ON_LOGITS = {"naive": uniform.naive, "softmax": uniform.cross_entropy, "bce": uniform.binary_cross_entropy, "uce": uniform.uce}


def with_own_bias(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """``bce_di`` as a function of logits and labels only."""
    bias = torch.linspace(-1, 1, logits.shape[1], dtype=logits.dtype, device=logits.device)
    return uniform.bce_di(logits, bias, labels)


LOSSES = ON_LOGITS | {"bce_di": with_own_bias}
every_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES.keys())


def draw(batch: int = 7, classes: int = 5, scale: float = 3.0, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(batch, classes, generator=generator, dtype=torch.float64)
    return logits, torch.randint(classes, (batch,), generator=generator)


def one_hot(labels: torch.Tensor, classes: int) -> torch.Tensor:
    return F.one_hot(labels, classes).double()


def build(name: str, device="cpu", gamma: float = 6.0):
    """An objective in float64 with a bias away from zero, features and labels."""
    torch.manual_seed(1)
    scale = {"scale": gamma} if "-n" in name else {}
    objective = create_objective(name, in_features=4, num_classes=5, **scale).double().to(device)
    if objective.head.bias is not None:
        torch.nn.init.uniform_(objective.head.bias, 0.5, 2.0)
    features = torch.randn(6, 4, dtype=torch.float64, device=device)
    return objective, features, torch.tensor([0, 2, 1, 4, 2, 0], device=device)


# Values ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TABLE_ONE)
def test_table_one(name, device):
    objective, features, labels = build(name, device)
    weight, bias = rows(objective.head.weight), None
    if objective.head.bias is not None:
        bias = rows(objective.head.bias)
    logits = ref.table_one_logits(name, rows(features), weight, bias, gamma=6.0)
    assert rows(objective.logits(features)) == pytest.approx(np.array(logits))
    expected = ref.table_one(name, rows(features), weight, bias, labels.tolist(), gamma=6.0)
    assert objective(features, labels).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("classes", [2, 3, 40])
@pytest.mark.parametrize(
    ("loss", "longhand", "arguments"),
    [
        (uniform.naive, ref.naive, ()),
        (uniform.cross_entropy, ref.softmax, ()),
        (uniform.binary_cross_entropy, ref.bce, ()),
        (uniform.uce, ref.uce, (0.4, 8.0)),
    ],
    ids=["naive", "softmax", "bce", "uce"],
)
def test_value(loss, longhand, arguments, classes, device):
    logits, labels = draw(classes=classes)
    expected = ref.batch_mean(longhand, logits.tolist(), labels.tolist(), *arguments)
    assert loss(logits.to(device), labels.to(device), *arguments).item() == pytest.approx(expected, rel=1e-12)


def test_bce_di_value(device):
    metrics, labels = draw()
    bias = torch.tensor([-1.0, 0.5, 2.0, -0.3, 0.0], dtype=torch.float64)
    expected = ref.batch_mean(ref.bce_di, metrics.tolist(), labels.tolist(), bias.tolist())
    assert uniform.bce_di(metrics.to(device), bias.to(device), labels.to(device)).item() == pytest.approx(expected)


def test_bce_of_metric_minus_threshold_is_eqs_40_and_41():
    metrics, labels = draw()
    bias = torch.tensor([-1.0, 0.5, 2.0, -0.3, 0.0], dtype=torch.float64)
    diverse = ref.batch_mean(ref.bce_d, metrics.tolist(), labels.tolist(), bias.tolist())
    unified = ref.batch_mean(ref.bce_u, metrics.tolist(), labels.tolist(), 0.7)
    assert uniform.binary_cross_entropy(metrics - bias, labels).item() == pytest.approx(diverse)
    assert uniform.binary_cross_entropy(metrics - 0.7, labels).item() == pytest.approx(unified)
    equal_biases = torch.full((5,), 0.7, dtype=torch.float64)
    assert uniform.bce_di(metrics, equal_biases, labels).item() == pytest.approx(unified)


def test_uce_without_margin_is_bce():
    logits, labels = draw()
    torch.testing.assert_close(uniform.uce(logits, labels, margin=0.0), uniform.binary_cross_entropy(logits, labels))


def test_uce_puts_the_margin_on_the_positive_cosine():
    cosines = torch.tensor([[0.5, -0.1, 0.2]], dtype=torch.float64)
    b, m, s = 1.5, 0.3, 10.0
    expected = math.log(1 + math.exp(-(s * (0.5 - m) - b))) + sum(math.log(1 + math.exp(s * c - b)) for c in (-0.1, 0.2))
    assert uniform.uce(s * cosines - b, torch.tensor([0]), margin=m, scale=s).item() == pytest.approx(expected)


# Gradients -------------------------------------------------------------------------------------------------------


def test_gradient_of_softmax_is_probability_less_one_hot():
    logits, labels = draw()
    uniform.cross_entropy(logits.requires_grad_(), labels).backward()
    expected = logits.exp() / logits.exp().sum(1, keepdim=True) - one_hot(labels, 5)
    torch.testing.assert_close(logits.grad, expected / len(labels))


def test_gradient_of_bce_is_sigmoid_less_one_hot():
    logits, labels = draw()
    uniform.binary_cross_entropy(logits.requires_grad_(), labels).backward()
    expected = 1 / (1 + torch.exp(-logits)) - one_hot(labels, 5)
    torch.testing.assert_close(logits.grad, expected / len(labels))


def test_gradient_of_naive_is_constant():
    logits, labels = draw()
    uniform.naive(logits.requires_grad_(), labels).backward()
    hot = one_hot(labels, 5)
    torch.testing.assert_close(logits.grad, ((1 - hot) / 4 - hot) / len(labels))


def test_gradient_of_the_weight_of_bce_0():
    objective, features, labels = build("bce-0")
    objective(features, labels).backward()
    residual = torch.sigmoid(features @ objective.head.weight.detach().T) - one_hot(labels, 5)
    torch.testing.assert_close(objective.head.weight.grad, residual.T @ features / len(labels))


@pytest.mark.parametrize(("name", "sign"), [("bce-u", -1), ("bce-nu", 1), ("uce", 1)])
def test_gradient_of_the_unified_bias_is_eq_43(name, sign):
    """Eq. 43 is written for metric - b; Table I's linear losses add the bias, which turns its sign."""
    arguments = {"scale": 6.0, "margin": 0.0} if name == "uce" else {"scale": 6.0} if name == "bce-nu" else {}
    torch.manual_seed(1)
    objective = create_objective(name, 4, 5, **arguments, bias_start=0.8).double()
    features, labels = torch.randn(6, 4, dtype=torch.float64), [0, 2, 1, 4, 2, 0]
    objective(features, torch.tensor(labels)).backward()
    metrics = rows(objective.head.similarities(features))
    b = sign * objective.head.bias.item()
    expected = sign * ref.batch_mean(ref.bce_u_gradient_of_b, metrics, labels, b)
    assert objective.head.bias.grad.item() == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("name", ["soft-u", "soft-nu"])
def test_gradient_of_the_unified_bias_of_softmax_is_zero(name):
    objective, features, labels = build(name)
    objective(features, labels).backward()
    assert abs(objective.head.bias.grad.item()) < 1e-15


@pytest.mark.parametrize(("name", "sign"), [("bce-d", 1), ("bce-nd", -1), ("soft-d", 1), ("soft-nd", -1)])
def test_gradient_of_the_diverse_bias_sums_that_of_the_logits(name, sign):
    objective, features, labels = build(name)
    objective(features, labels).backward()
    logits = objective.logits(features).detach()
    probability = logits.softmax(1) if name.startswith("soft") else logits.sigmoid()
    torch.testing.assert_close(objective.head.bias.grad, sign * (probability - one_hot(labels, 5)).mean(0))


def test_gradient_of_the_bias_of_bce_di_reaches_the_own_class_only():
    metrics, labels = draw(batch=4)
    labels[:] = torch.tensor([0, 0, 3, 3])
    bias = torch.linspace(-1, 1, 5, dtype=torch.float64, requires_grad=True)
    uniform.bce_di(metrics, bias, labels).backward()
    for i in range(5):
        own = [ref.bce_u_gradient_of_b(metrics[m].tolist(), i, bias[i].item()) for m in range(4) if labels[m] == i]
        assert bias.grad[i].item() == pytest.approx(sum(own) / 4, rel=1e-10)


@every_loss
def test_gradcheck(loss):
    logits, labels = draw(batch=3, classes=4)
    assert gradcheck(lambda x: loss(x, labels), (logits.requires_grad_(),))


def test_gradcheck_of_the_bias_of_bce_di():
    metrics, labels = draw(batch=3, classes=4)
    bias = torch.randn(4, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda b: uniform.bce_di(metrics, b, labels), (bias,))


# Stability and precision -----------------------------------------------------------------------------------------

HUGE = 1e4
EXTREMES = torch.tensor([[HUGE, -HUGE, HUGE], [-HUGE, HUGE, HUGE], [HUGE] * 3, [-HUGE] * 3, [0.0] * 3])


@every_loss
@pytest.mark.parametrize("dtype", [torch.float32, *HALF], ids=str)
def test_huge_logits_give_finite_loss_and_gradient(loss, dtype, device):
    logits = EXTREMES.to(device, dtype).requires_grad_()
    for label in range(3):
        value = loss(logits, torch.full((5,), label, device=device))
        (gradient,) = torch.autograd.grad(value, logits)
        assert value.isfinite()
        assert gradient.isfinite().all()
        assert gradient.dtype == dtype


@pytest.mark.parametrize("gamma", [208, 256, 512])
def test_large_scales_overflow_only_in_the_naive_form(gamma, device):
    """N = 1000 and cosines over the whole of [-1, 1]: what the paper calls divergence at gamma >= 208 is an overflow."""
    metrics = gamma * torch.linspace(-1, 1, 1000, device=device).repeat(2, 1)
    labels = torch.tensor([0, 999], device=device)
    positive = metrics.gather(1, labels[:, None])
    naive_softmax = -(positive.exp() / metrics.exp().sum(1, keepdim=True)).log()
    naive_bce = (1 + (-positive).exp()).log() + (1 + metrics.exp()).log().sum(1, keepdim=True)
    assert not naive_softmax.isfinite().all()
    assert not naive_bce.isfinite().all()
    for loss in (uniform.cross_entropy, uniform.binary_cross_entropy):
        value = loss(metrics, labels)
        assert value.item() == pytest.approx(loss(metrics.double(), labels).item(), rel=1e-5)
        assert value.isfinite()


def test_bce_of_huge_logits_is_the_sum_of_what_is_wrong():
    logits = torch.tensor([[-HUGE, HUGE, -HUGE], [HUGE, -HUGE, -HUGE]])
    labels = torch.tensor([0, 0])
    assert (
        uniform.binary_cross_entropy(logits, labels).item() == HUGE
    )  # two wrong decisions of 1e4 in the first row, none in the second
    assert uniform.cross_entropy(logits, labels).item() == HUGE  # 2e4 and 0


def test_small_losses_keep_their_relative_precision():
    """1 - p would be rounded to 0 in float32: log(1 + e^-30) is 9.4e-14."""
    logits = torch.tensor([[30.0, -40.0]])
    label = torch.tensor([0])
    assert uniform.binary_cross_entropy(logits, label).item() == pytest.approx(math.log1p(math.exp(-30)), rel=1e-4)


@every_loss
@pytest.mark.parametrize("dtype", HALF, ids=str)
def test_half_precision_is_computed_in_float32(loss, dtype, device):
    logits, labels = draw()
    half, labels = logits.to(device, dtype), labels.to(device)
    value = loss(half, labels)
    assert value.dtype == torch.float32
    tolerance = 2e-2 if loss is with_own_bias else 1e-6  # the bias itself is half precision there
    assert value.item() == pytest.approx(loss(half.float(), labels).item(), rel=tolerance)


def test_bce_di_subtracts_its_bias_in_float32():
    metrics, bias = torch.full((1, 3), 6e4), torch.full((3,), -6e4)
    label = torch.tensor([1])
    expected = uniform.bce_di(metrics, bias, label).item()
    assert uniform.bce_di(metrics.half(), bias.half(), label).item() == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("name", ["soft-d", "bce-u", "bce-nu", "bce-di", "uce"])
def test_autocast(name, device):
    torch.manual_seed(0)
    objective = create_objective(name, 16, 10).to(device)
    features, labels = torch.randn(8, 16, device=device), torch.arange(8, device=device)
    exact = objective(features, labels)
    with torch.autocast(device.type, torch.bfloat16):
        value = objective(features, labels)
    value.backward()
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(exact.item(), rel=2e-2)
    assert all(p.grad.dtype == torch.float32 and p.grad.isfinite().all() for p in objective.parameters())


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
def test_compiled_losses_are_the_same(backend, device):
    def every_value(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return torch.stack([loss(logits, labels) for loss in LOSSES.values()])

    logits, labels = draw()
    eager, compiled = (logits.to(device).requires_grad_() for _ in range(2))
    labels = labels.to(device)
    expected = every_value(eager, labels)
    value = torch.compile(every_value, backend=backend, fullgraph=True)(compiled, labels)
    torch.testing.assert_close(value, expected)
    expected.sum().backward()
    value.sum().backward()
    torch.testing.assert_close(compiled.grad, eager.grad)


# Input -----------------------------------------------------------------------------------------------------------


@every_loss
def test_memory_layout_does_not_matter(loss, device):
    logits, labels = (tensor.to(device) for tensor in draw())
    transposed = logits.T.contiguous().T
    strided = torch.stack([labels, torch.zeros_like(labels)], 1)[:, 0]
    assert not transposed.is_contiguous()
    assert not strided.is_contiguous()
    torch.testing.assert_close(loss(transposed, strided), loss(logits, labels))


@every_loss
def test_inputs_are_left_alone(loss):
    logits, labels = draw()
    copies = logits.clone(), labels.clone()
    loss(logits, labels)
    assert torch.equal(logits, copies[0])
    assert torch.equal(labels, copies[1])


@every_loss
def test_one_sample(loss):
    logits, labels = draw(batch=3)
    singles = [loss(logits[m : m + 1], labels[m : m + 1]) for m in range(3)]
    torch.testing.assert_close(torch.stack(singles).mean(), loss(logits, labels))


@every_loss
@pytest.mark.parametrize("position", [0, 1], ids=["positive", "negative"])
def test_nan_stays_nan(loss, position, device):
    logits = torch.zeros(2, 3, device=device)
    logits[0, position] = torch.nan
    assert loss(logits, torch.tensor([0, 1], device=device)).isnan()


BAD_INPUT = {
    "label too large": (torch.zeros(2, 3), torch.tensor([0, 3]), ValueError, r"within 0\.\.2, got values from 0 to 3"),
    "label negative": (torch.zeros(2, 3), torch.tensor([-1, 0]), ValueError, r"within 0\.\.2, got values from -1 to 0"),
    "batch sizes differ": (torch.zeros(2, 3), torch.tensor([0]), ValueError, r"labels of shape \(2,\).*got \(1,\)"),
    "labels 2-D": (torch.zeros(2, 3), torch.zeros(2, 1).long(), ValueError, r"labels of shape \(2,\).*got \(2, 1\)"),
    "labels one-hot": (torch.zeros(2, 3), torch.zeros(2, 3).long(), ValueError, r"labels of shape \(2,\)"),
    "logits 1-D": (torch.zeros(3), torch.tensor([0]), ValueError, r"logits of shape \(B, N\).*got \(3,\)"),
    "logits 3-D": (torch.zeros(2, 3, 1), torch.tensor([0, 0]), ValueError, r"logits of shape \(B, N\)"),
    "one class": (torch.zeros(2, 1), torch.tensor([0, 0]), ValueError, r"N >= 2 classes, got \(2, 1\)"),
    "empty batch": (torch.zeros(0, 3), torch.zeros(0).long(), ValueError, r"B >= 1.*got \(0, 3\)"),
    "labels int32": (torch.zeros(2, 3), torch.zeros(2).int(), TypeError, "torch.int64, got torch.int32"),
    "labels floating": (torch.zeros(2, 3), torch.zeros(2), TypeError, "torch.int64, got torch.float32"),
    "logits integer": (torch.zeros(2, 3).long(), torch.tensor([0, 0]), TypeError, "floating-point logits, got torch.int64"),
}


@every_loss
@pytest.mark.parametrize(("logits", "labels", "error", "message"), BAD_INPUT.values(), ids=BAD_INPUT.keys())
def test_bad_input(loss, logits, labels, error, message):
    if loss is with_own_bias:
        bias = torch.zeros(logits.shape[1] if logits.ndim > 1 else 1)
        with pytest.raises(error, match=message):
            uniform.bce_di(logits, bias, labels)
    else:
        with pytest.raises(error, match=message):
            loss(logits, labels)


def test_bad_arguments():
    logits, labels = draw()
    with pytest.raises(ValueError, match=r"margin >= 0 and scale > 0, got -0\.1"):
        uniform.uce(logits, labels, margin=-0.1)
    with pytest.raises(ValueError, match=r"got 0\.4 and 0"):
        uniform.uce(logits, labels, scale=0)
    with pytest.raises(ValueError, match=r"bias of shape \(5,\), one a class, got \(1,\)"):
        uniform.bce_di(logits, torch.zeros(1), labels)

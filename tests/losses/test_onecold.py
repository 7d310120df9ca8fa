"""The one-cold cross entropy: values, Eqs. 5-7, soft targets, precision, and what it refuses."""

import math

import pytest
import reference_onecold as ref
import torch

from lossbook.losses.onecold import (
    anti_class_probabilities,
    class_targets,
    class_weights,
    instance_targets,
    one_cold_cross_entropy,
)
from lossbook.losses.uniform import cross_entropy


def draw(batch: int = 7, classes: int = 5, scale: float = 3.0, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(batch, classes, generator=generator, dtype=torch.float64)
    return logits, torch.randint(classes, (batch,), generator=generator)


def uniform_target(labels: torch.Tensor, classes: int) -> torch.Tensor:
    return torch.tensor([ref.one_cold(classes, int(c)) for c in labels], dtype=torch.float64)


# Values ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [2, 3, 40])
def test_value(classes, device):
    logits, labels = draw(classes=classes)
    expected = ref.batch_mean(ref.occe, logits, labels)
    assert one_cold_cross_entropy(logits.to(device), labels.to(device)).item() == pytest.approx(expected, rel=1e-12)


def test_any_target_distribution(device):
    logits, labels = draw()
    targets = torch.rand(logits.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    targets /= targets.sum(1, keepdim=True)
    expected = sum(ref.occe(row.tolist(), 0, t.tolist()) for row, t in zip(logits, targets, strict=True)) / len(labels)
    value = one_cold_cross_entropy(logits.to(device), labels.to(device), targets.to(device))
    assert value.item() == pytest.approx(expected, rel=1e-12)


def test_the_uniform_target_needs_no_matrix():
    logits, labels = draw()
    explicit = one_cold_cross_entropy(logits, labels, uniform_target(labels, 5))
    torch.testing.assert_close(one_cold_cross_entropy(logits, labels), explicit)


def test_two_classes_are_the_cross_entropy():
    """With one complementary class, not being the other one is being this one."""
    logits, labels = draw(classes=2)
    torch.testing.assert_close(one_cold_cross_entropy(logits, labels), cross_entropy(logits, labels))


@pytest.mark.parametrize("classes", [3, 10, 100])
def test_the_minimum_is_log_of_the_complementary_classes(classes):
    logits = torch.zeros(1, classes, dtype=torch.float64)
    logits[0, 0] = 60
    assert one_cold_cross_entropy(logits, torch.tensor([0])).item() == pytest.approx(math.log(classes - 1), rel=1e-12)
    other, labels = draw(classes=classes)
    assert one_cold_cross_entropy(other, labels) > math.log(classes - 1)


def test_the_released_code_differs_by_a_constant():
    """It multiplies the probabilities by N - 1 and adds 1e-7 in the logarithm."""
    logits, labels = draw(scale=1.0)
    log = (4 * (-logits).softmax(1) + 1e-7).log()
    released = -(uniform_target(labels, 5) * log).sum(1).mean()
    torch.testing.assert_close(released, one_cold_cross_entropy(logits, labels) - math.log(4), rtol=1e-5, atol=1e-5)


# Derivations -----------------------------------------------------------------------------------------------------


def test_gradient_is_eqs_5_and_17():
    """With respect to the anti-class logits: the prediction less the target."""
    logits, labels = draw()
    anti = (-logits).requires_grad_()
    one_cold_cross_entropy(-anti, labels).backward()
    expected = [[p - t for p, t in zip(ref.anti_probabilities(row), ref.one_cold(5, int(c)), strict=True)]
                for row, c in zip(logits.tolist(), labels, strict=True)]  # fmt: skip
    torch.testing.assert_close(anti.grad, torch.tensor(expected, dtype=torch.float64) / len(labels))


def test_gradient_is_eq_15_for_any_target():
    r"""sum over i != j of y_i yhat_j, plus y_j (yhat_j - 1)."""
    anti, labels = draw(batch=1)
    targets = torch.tensor([[0.1, 0.4, 0.2, 0.25, 0.05]], dtype=torch.float64)
    anti.requires_grad_()
    one_cold_cross_entropy(-anti, labels, targets).backward()
    p, y = ref.probabilities(anti[0].tolist()), targets[0].tolist()
    expected = [sum(y[i] * p[j] for i in range(5) if i != j) + y[j] * (p[j] - 1) for j in range(5)]
    assert anti.grad[0].tolist() == pytest.approx(expected)


def test_gradient_of_the_cross_entropy_is_eq_16():
    logits, labels = draw(batch=1)
    cross_entropy(logits.requires_grad_(), labels).backward()
    p = ref.probabilities(logits[0].tolist())
    assert logits.grad[0].tolist() == pytest.approx([p[j] - (j == int(labels)) for j in range(5)])


def test_limits_6_and_7():
    """Free logits under gradient descent: the own anti-probability vanishes, the others become equal; under the cross
    entropy alone they keep their order."""
    start = torch.tensor([[0.5, 2.0, -1.0, 0.0]], dtype=torch.float64)
    label = torch.tensor([0])
    ends = {}
    for name, loss in (("occe", one_cold_cross_entropy), ("ce", cross_entropy)):
        logits = start.clone().requires_grad_()
        optimizer = torch.optim.SGD([logits], lr=1.0)
        for _ in range(3000):
            optimizer.zero_grad()
            loss(logits, label).backward()
            optimizer.step()
        ends[name] = logits.detach()
    prediction = anti_class_probabilities(ends["occe"])[0]
    assert prediction[0] < 1e-3
    assert prediction[1:].tolist() == pytest.approx([1 / 3] * 3, abs=1e-3)
    others = ends["occe"][0, 1:]
    constant = -math.log(others.neg().exp().sum().item() / 3)  # the right side of (7)
    assert others.tolist() == pytest.approx([constant] * 3, abs=2e-3)
    assert ends["ce"][0, 1:].max() - ends["ce"][0, 1:].min() > 0.1
    assert ends["occe"][0, 0] > start[0, 0]


def test_every_complementary_class_counts_where_the_cross_entropy_sees_none():
    """Sec. 2.3: a correct and confident sample has almost no gradient under CE, but one under OCCE while its
    complementary logits differ."""
    logits = torch.tensor([[20.0, 0.0, 2.0]], dtype=torch.float64).requires_grad_()
    label = torch.tensor([0])
    (ce,) = torch.autograd.grad(cross_entropy(logits, label), logits)
    (occe,) = torch.autograd.grad(one_cold_cross_entropy(logits, label), logits)
    assert ce.norm() < 1e-6
    assert occe.norm() > 0.1
    assert occe[0, 1] < 0 < occe[0, 2]  # raise the lower one, lower the higher one


@pytest.mark.parametrize("classes", [2, 10, 100])
def test_at_equal_logits_the_gradient_is_that_of_the_cross_entropy_over_n_less_1(classes):
    """Why RCE alone is slow with many classes: it starts with a gradient N - 1 times smaller in every logit."""
    logits = torch.zeros(1, classes, dtype=torch.float64, requires_grad=True)
    label = torch.tensor([1])
    (ce,) = torch.autograd.grad(cross_entropy(logits, label), logits)
    (occe,) = torch.autograd.grad(one_cold_cross_entropy(logits, label), logits)
    torch.testing.assert_close(occe, ce / (classes - 1))


# Soft targets ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.0, 0.1, 1.0])
def test_instance_targets_are_eq_9(alpha):
    logits, labels = draw()
    targets = instance_targets(anti_class_probabilities(logits), labels, alpha)
    expected = [ref.instance_target(row.tolist(), int(c), alpha) for row, c in zip(logits, labels, strict=True)]
    torch.testing.assert_close(targets, torch.tensor(expected, dtype=torch.float64))


def test_the_own_prediction_as_target_only_scales_the_gradient():
    logits, labels = draw()
    logits.requires_grad_()
    targets = instance_targets(anti_class_probabilities(logits), labels, 0.3)
    assert not targets.requires_grad
    (soft,) = torch.autograd.grad(one_cold_cross_entropy(logits, labels, targets), logits)
    (uniform,) = torch.autograd.grad(one_cold_cross_entropy(logits, labels), logits)
    torch.testing.assert_close(soft, 0.7 * uniform)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_class_targets_are_eq_10(alpha):
    logits, _ = draw(batch=12, classes=3)
    labels = torch.arange(12) % 3
    sums = torch.zeros(3, 3, dtype=torch.float64).index_add_(0, labels, anti_class_probabilities(logits))
    matrix = ref.class_matrix(logits.tolist(), labels.tolist(), 3)
    torch.testing.assert_close(class_weights(sums), torch.tensor(matrix, dtype=torch.float64))
    targets = class_targets(class_weights(sums), labels, alpha)
    for m, c in enumerate(labels.tolist()):
        expected = [(1 - alpha) * y + alpha * w for y, w in zip(ref.one_cold(3, c), matrix[c], strict=True)]
        assert targets[m].tolist() == pytest.approx(expected)


def test_a_class_without_samples_gets_the_uniform_row():
    assert class_weights(torch.zeros(3, 3)).tolist() == [[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]


# Precision -------------------------------------------------------------------------------------------------------


def test_a_large_own_logit_costs_no_digits():
    """Subtracting the own class from the sum of all would leave errors of 1e-3 here."""
    logits = torch.tensor([[1e4, 0.1, 0.2, 0.3]])
    expected = one_cold_cross_entropy(logits.double(), torch.tensor([0])).item()
    assert one_cold_cross_entropy(logits, torch.tensor([0])).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
def test_compiled_soft_targets_are_the_same(backend, device):
    def soft(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return instance_targets(anti_class_probabilities(logits), labels, 0.3)

    logits, labels = (tensor.to(device) for tensor in draw())
    torch.testing.assert_close(torch.compile(soft, backend=backend, fullgraph=True)(logits, labels), soft(logits, labels))


# Input -----------------------------------------------------------------------------------------------------------

GOOD = torch.zeros(2, 3)
LABELS = torch.tensor([0, 1])


def test_bad_targets():
    with pytest.raises(ValueError, match=r"targets of the logits' shape \(2, 3\), got \(2, 4\)"):
        one_cold_cross_entropy(GOOD, LABELS, torch.full((2, 4), 0.25))
    with pytest.raises(ValueError, match="rows of targets that sum to 1, got sums from 3 to 3"):
        one_cold_cross_entropy(GOOD, LABELS, torch.ones(2, 3))


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"alpha within \[0, 1\], got 1.5"):
        instance_targets(GOOD, LABELS, 1.5)
    with pytest.raises(ValueError, match=r"square matrix \(N, N\).*got \(2, 3\)"):
        class_weights(GOOD)
    with pytest.raises(ValueError, match=r"labels within 0\.\.2"):
        class_targets(class_weights(torch.zeros(3, 3)), LABELS + 2, 0.5)

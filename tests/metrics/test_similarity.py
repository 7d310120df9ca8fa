"""Linear CKA against kernels and invariances, never an n x n matrix for narrow features; ranks of Jacobians."""

import math

import numpy as np
import pytest
import reference_similarity as ref
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from lossbook.metrics import jacobian_ranks, linear_cka


def draw(n, *widths, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(n, width, generator=generator, dtype=torch.float64) + 1 for width in widths]


@pytest.mark.parametrize(("n", "p", "q"), [(20, 4, 7), (5, 8, 9), (6, 3, 30), (6, 30, 3), (2, 1, 1)])
def test_equal_to_the_kernels(n, p, q, device):
    x, y = draw(n, p, q)
    assert linear_cka(x.to(device), y.to(device)) == pytest.approx(ref.linear_cka(x.numpy(), y.numpy()), rel=1e-10)


def test_invariances_and_range():
    x, y = draw(30, 6, 4)
    rotation = torch.linalg.qr(draw(6, 6)[0]).Q
    value = linear_cka(x, y)
    assert 0 < value < 1
    assert linear_cka(y, x) == pytest.approx(value)
    assert linear_cka(3 * x @ rotation - 5, y) == pytest.approx(value)
    assert linear_cka(x, x @ rotation) == pytest.approx(1)
    order = torch.randperm(30, generator=torch.Generator().manual_seed(0))
    assert linear_cka(x[order], y[order]) == pytest.approx(value)
    assert linear_cka(x[order], y) < value  # samples must correspond


def test_orthogonal_features_share_nothing():
    x = torch.tensor([[1.0], [-1.0], [1.0], [-1.0]])
    y = torch.tensor([[1.0], [1.0], [-1.0], [-1.0]])
    assert linear_cka(x, y) == 0
    assert math.isnan(linear_cka(x, torch.ones(4, 2)))


class LargestTensor(TorchDispatchMode):
    """Records the largest tensor that any operation makes."""

    def __init__(self):
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, operation, types, arguments=(), keywords=None):
        result = operation(*arguments, **(keywords or {}))
        if isinstance(result, torch.Tensor):
            self.elements = max(self.elements, result.numel())
        return result


def test_no_kernel_matrix_for_narrow_features():
    x, y = draw(1000, 5, 8)
    with LargestTensor() as largest:
        linear_cka(x, y)
    assert largest.elements == 8000


def test_large_offsets_cost_no_digits():
    x, y = draw(50, 3, 4)
    assert linear_cka(x.float() + 1000, y.float()) == pytest.approx(linear_cka(x, y), rel=1e-3)


# Jacobians -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("inputs", "outputs", "rank"), [(6, 4, 4), (4, 6, 4), (8, 8, 3), (5, 7, 1)])
def test_rank_of_a_linear_layer(inputs, outputs, rank):
    left, right = draw(outputs, rank)[0], draw(rank, inputs, seed=1)[0]
    weight = left @ right
    assert np.linalg.matrix_rank(weight.numpy()) == rank
    ranks = jacobian_ranks(lambda x: x @ weight.T, draw(3, inputs)[0])
    assert ranks.tolist() == [rank] * 3


def test_rank_of_images_through_a_part_of_a_network():
    """The dead units of a ReLU differ from sample to sample, and so does the rank."""
    torch.manual_seed(0)
    part = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(18, 12), nn.ReLU())
    part = part.double().eval()
    images = draw(4, 25)[0].reshape(4, 1, 5, 5)
    ranks = jacobian_ranks(part, images)
    for image, rank in zip(images, ranks.tolist(), strict=True):
        jacobian = torch.autograd.functional.jacobian(lambda x: part(x[None])[0], image).reshape(12, 25)
        assert rank == np.linalg.matrix_rank(jacobian.numpy(), rtol=1.19e-7)
    assert len(set(ranks.tolist())) > 1


def test_threshold_relative_and_as_it_is():
    weight = torch.diag(torch.tensor([1e-3, 1e-6, 1e-9, 0.0], dtype=torch.float64))
    sample = torch.ones(1, 4, dtype=torch.float64)
    count = {
        (threshold, relative): jacobian_ranks(lambda x: x @ weight, sample, threshold, relative).item()
        for threshold, relative in ((1.19e-7, True), (1.19e-7, False), (1e-4, True), (1e-4, False))
    }
    assert count == {(1.19e-7, True): 3, (1.19e-7, False): 2, (1e-4, True): 2, (1e-4, False): 1}


def test_the_zero_jacobian_has_rank_zero():
    assert jacobian_ranks(lambda x: 0 * x, torch.ones(2, 3, dtype=torch.float64)).tolist() == [0, 0]


def test_what_is_refused():
    with pytest.raises(ValueError, match=r"same n >= 2 samples, got \(3, 2\) and \(4, 2\)"):
        linear_cka(torch.ones(3, 2), torch.ones(4, 2))
    with pytest.raises(ValueError, match=r"floating-point inputs \(B, ...\), got \(3,\)"):
        jacobian_ranks(lambda x: x, torch.ones(3))
    with pytest.raises(ValueError, match=r"torch.int64"):
        jacobian_ranks(lambda x: x, torch.ones(3, 2).long())
    with pytest.raises(ValueError, match="threshold > 0"):
        jacobian_ranks(lambda x: x, torch.ones(3, 2), threshold=0.0)

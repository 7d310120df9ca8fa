"""Heads: formulas, the bias' sign, its start values, and what they refuse."""

import math

import numpy as np
import pytest
import reference_heads as ref
import torch
from arrays import rows

from lossbook.heads import CosineHead, LinearHead, diverse_bias

HEADS = [LinearHead, CosineHead]
BIASES = ["zero", "unified", "diverse"]


def build(head_class, bias, device="cpu", dtype=torch.float64):
    torch.manual_seed(0)
    head = head_class(6, 5, bias=bias).to(device, dtype)
    if head.bias is not None:
        torch.nn.init.uniform_(head.bias, 0.5, 2.0)
    return head, torch.randn(9, 6, device=device, dtype=dtype)


def test_linear_metrics(device):
    head, features = build(LinearHead, "zero", device)
    expected = [ref.linear(x, rows(head.weight)) for x in rows(features)]
    assert rows(head.similarities(features)) == pytest.approx(np.array(expected))


@pytest.mark.parametrize("scale", [1.0, 96.0])
def test_cosine_metrics(scale, device):
    head, features = build(CosineHead, "zero", device)
    head.scale = scale
    expected = [ref.cosine(x, rows(head.weight), scale) for x in rows(features)]
    assert rows(head.similarities(features)) == pytest.approx(np.array(expected))
    assert head.similarities(1e3 * features).abs().max() <= scale * (1 + 1e-12)


@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("head_class", HEADS)
def test_the_threshold_is_where_the_logit_is_zero(head_class, bias, device):
    """logits = metrics - threshold, whatever the sign with which the head takes its bias."""
    head, features = build(head_class, bias, device)
    torch.testing.assert_close(head(features), head.similarities(features) - head.threshold())
    assert head.threshold().shape == {"zero": (), "unified": (), "diverse": (5,)}[bias]
    assert not head.threshold().requires_grad


def test_signs_of_table_one():
    """A linear head adds its bias, so the threshold is -b; a cosine head subtracts it: +b."""
    linear, cosine = (head_class(6, 5, bias="unified", bias_start=2.5) for head_class in HEADS)
    zero = torch.zeros(1, 6)
    assert linear(zero).tolist() == [[2.5] * 5]
    assert linear.threshold().item() == -2.5
    assert cosine(zero).tolist() == [[-2.5] * 5]
    assert cosine.threshold().item() == 2.5


@pytest.mark.parametrize("head_class", HEADS)
def test_parameters(head_class):
    shapes = {bias: head_class(6, 5, bias=bias).bias for bias in BIASES}
    assert shapes["zero"] is None
    assert shapes["unified"].shape == (1,)
    assert shapes["diverse"].shape == (5,)
    assert head_class(6, 5).weight.shape == (5, 6)
    assert all(p.requires_grad for p in head_class(6, 5).parameters())


@pytest.mark.parametrize("head_class", HEADS)
def test_unified_bias_starts_at_zero(head_class):
    assert head_class(6, 5, bias="unified").bias.item() == 0


@pytest.mark.parametrize("n", [2, 5, 8, 101])
@pytest.mark.parametrize("mode", range(1, 8))
def test_diverse_bias_modes(mode, n):
    values = diverse_bias(n, mode)
    assert values.dtype == torch.float32
    assert rows(values) == pytest.approx(np.array(ref.diverse_bias(mode, n)), rel=1e-6)


def test_diverse_bias_mode_0_is_random_around_zero():
    torch.manual_seed(0)
    values = diverse_bias(4000, 0, in_features=16)
    assert values.abs().max() <= 1 / 4
    assert values.abs().max() > 0.24
    assert abs(values.mean()) < 0.01
    assert not torch.equal(values, diverse_bias(4000, 0, in_features=16))


@pytest.mark.parametrize("head_class", HEADS)
def test_bias_mode_reaches_the_head(head_class):
    assert head_class(6, 5, bias_mode=2).bias.tolist() == pytest.approx([64 * i / 5 for i in range(1, 6)])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64], ids=str)
def test_a_zero_feature_has_cosine_zero(dtype, device):
    head, _ = build(CosineHead, "zero", device, dtype)
    assert head(torch.zeros(2, 6, device=device, dtype=dtype)).tolist() == [[0.0] * 5] * 2


def test_a_zero_feature_has_cosine_zero_in_float16():
    head, _ = build(CosineHead, "zero", dtype=torch.float16)
    assert head(torch.zeros(1, 6, dtype=torch.float16)).tolist() == [[0.0] * 5]


def test_a_long_feature_keeps_its_cosine_in_float16():
    head, _ = build(CosineHead, "zero", dtype=torch.float16)
    feature = 6e4 * head.weight[:1].sign()  # norm 1.5e5, beyond float16's 65504
    expected = ref.cosine(rows(feature)[0], rows(head.weight), 96.0)
    assert rows(head(feature))[0] == pytest.approx(np.array(expected), abs=0.5)


def test_a_zero_feature_gets_no_exploding_gradient():
    head, _ = build(CosineHead, "zero", dtype=torch.float32)
    feature = torch.zeros(1, 6, requires_grad=True)
    head(feature)[0, 0].backward()
    assert feature.grad.abs().max() < 1e9


@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("head_class", HEADS)
def test_gradients_reach_every_parameter(head_class, bias):
    head, features = build(head_class, bias)
    head(features)[:, 0].sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in head.parameters())


@pytest.mark.parametrize("head_class", HEADS)
def test_what_is_refused(head_class):
    for in_features, num_classes in [(0, 5), (6, 1)]:
        with pytest.raises(ValueError, match=f"num_classes >= 2, got {in_features} and {num_classes}"):
            head_class(in_features, num_classes)
    with pytest.raises(ValueError, match="'zero', 'diverse' or 'unified', got 'none'"):
        head_class(6, 5, bias="none")
    for mode in (-1, 8):
        with pytest.raises(ValueError, match=rf"one of 0\.\.7 \(Table X\), got {mode}"):
            head_class(6, 5, bias_mode=mode)
    with pytest.raises(TypeError, match="depth"):
        head_class(6, 5, depth=3)


@pytest.mark.parametrize("scale", [0.0, -1.0, math.nan])
def test_the_scale_is_positive(scale):
    with pytest.raises(ValueError, match="scale must be positive"):
        CosineHead(6, 5, scale=scale)


def test_description():
    assert repr(CosineHead(6, 5, bias="unified", scale=64.0)) == (
        "CosineHead(in_features=6, num_classes=5, bias=unified, scale=64)"
    )
    assert repr(LinearHead(6, 5, bias="zero")) == "LinearHead(in_features=6, num_classes=5, bias=zero)"


@pytest.mark.parametrize("head_class", HEADS)
def test_threshold_has_the_heads_dtype(head_class):
    assert build(head_class, "unified")[0].threshold().dtype == torch.float64
    assert build(head_class, "diverse")[0].threshold().dtype == torch.float64


def test_threshold_without_a_bias_has_the_heads_dtype():
    assert build(LinearHead, "zero")[0].threshold().dtype == torch.float64

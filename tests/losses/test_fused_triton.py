"""The Triton kernel beside the torch operations that it replaces.

Triton decides at its import whether it interprets: without a GPU one test runs the others in a process of its own, with
``TRITON_INTERPRET=1``.
"""

import importlib
import importlib.util
import itertools
import os
import subprocess
import sys
from unittest import mock

import pytest
import torch

from lossbook.losses.fused import binary, products

pytestmark = pytest.mark.skipif(not importlib.util.find_spec("triton"), reason="triton is not installed")
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
ON_CUDA = torch.cuda.is_available() and not INTERPRETED
DEVICE = "cuda" if ON_CUDA else "cpu"
runs = pytest.mark.skipif(not ON_CUDA and not INTERPRETED, reason="no CUDA device; interpreted by another test")
compiles = pytest.mark.skipif(INTERPRETED, reason="the interpreter does not compile")


@compiles
def test_the_tests_of_this_file_in_the_interpreter():
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    result = subprocess.run(command, env=os.environ | {"TRITON_INTERPRET": "1"}, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-5000:] + result.stderr[-2000:]
    assert "29 passed" in result.stdout, result.stdout


@pytest.fixture
def kernel():
    return importlib.import_module("lossbook.losses.fused.binary_triton").binary_terms_


def draw(classes, samples, gain, bias, sample_bias, size=10.0):
    generator = torch.Generator().manual_seed(0)
    products = size * torch.randn(classes, samples, generator=generator)
    arguments = [
        torch.randint(classes, (1, samples), generator=generator),
        torch.rand(samples, generator=generator) < 0.6,
        torch.rand(classes, 1, generator=generator) if gain else None,
        torch.randn(classes, generator=generator) if bias else None,
        torch.randn(samples, generator=generator) if sample_bias else None,
    ]
    return products.to(DEVICE), [None if a is None else a.to(DEVICE) for a in arguments]


def wide(value):
    return value.double() if isinstance(value, torch.Tensor) and value.is_floating_point() else value


@runs
@pytest.mark.parametrize(("classes", "samples"), [(2, 1), (32, 128), (45, 131)])
@pytest.mark.parametrize(("gain", "bias", "sample_bias"), itertools.product([False, True], repeat=3))
def test_sums_and_gradients(kernel, classes, samples, gain, bias, sample_bias):
    products, arguments = draw(classes, samples, gain, bias, sample_bias)
    expected_products = products.double()
    expected = binary.binary_terms_(expected_products, *map(wide, arguments), 1.7, True)
    total, class_sums, sample_sums = kernel(products, *arguments, 1.7, True)
    torch.testing.assert_close(total.double(), expected[0], rtol=1e-5, atol=0)
    torch.testing.assert_close(products.double(), expected_products, rtol=1e-4, atol=1e-6)
    for sums, wanted in ((class_sums, expected[1]), (sample_sums, expected[2])):
        if wanted is not None:
            torch.testing.assert_close(sums.double(), wanted, rtol=1e-4, atol=1e-4)


@runs
def test_without_gradients_the_loss_alone(kernel):
    products, arguments = draw(45, 131, True, True, True)
    expected = binary.binary_terms_(products.clone(), *arguments, 0.0, False)[0]
    total, class_sums, sample_sums = kernel(products, *arguments, 0.0, False)
    torch.testing.assert_close(total, expected)
    assert class_sums is sample_sums is None


@runs
def test_tiny_terms_are_kept_and_huge_ones_finite(kernel):
    products = torch.tensor([[-20.0, -80.0], [300.0, -20.0]], device=DEVICE)
    nowhere = torch.zeros(1, 2, dtype=torch.int64, device=DEVICE), torch.tensor([False, False], device=DEVICE)
    kept = products.clone()
    total, _, _ = kernel(products, *nowhere, None, None, None, 0.0, True)
    torch.testing.assert_close(total - 300, kept[:, 0].new_tensor(0.0), rtol=0, atol=1e-4)
    torch.testing.assert_close(products, kept.sigmoid())
    tiny = torch.full((3, 2), -20.0, device=DEVICE)
    total, _, _ = kernel(tiny, *nowhere, None, None, None, 0.0, False)
    torch.testing.assert_close(total.cpu(), torch.log1p(torch.exp(torch.tensor(-20.0))) * 6)


@runs
def test_nan_stays_nan(kernel):
    products, arguments = draw(5, 3, False, False, False)
    products[2, 1] = torch.nan
    assert kernel(products, *arguments, 0.0, True)[0].isnan()
    assert products[2, 1].isnan()


@runs
@pytest.mark.parametrize("scale", [None, 4.0])
def test_the_loss_through_the_kernel(kernel, scale):
    torch.manual_seed(0)
    features, weight = torch.randn(20, 6, device=DEVICE), torch.randn(50, 6, device=DEVICE)
    bias, sample_bias = torch.randn(50, device=DEVICE), torch.randn(20, device=DEVICE)
    labels = torch.randint(50, (20,)).to(DEVICE)
    inputs = [t.requires_grad_() for t in (features, weight, bias, sample_bias)]

    def loss_and_gradients(function):
        with (
            mock.patch.object(binary, "_block_terms", lambda *_: function),
            mock.patch.object(products, "block_size", lambda *_: 33),
        ):
            loss = binary.binary_cross_entropy(features, weight, labels, bias, scale, sample_bias, margin=0.5)
        return loss, *torch.autograd.grad(loss, inputs)

    for value, expected in zip(loss_and_gradients(kernel), loss_and_gradients(binary.binary_terms_), strict=True):
        torch.testing.assert_close(value, expected, rtol=1e-5, atol=1e-6)


@compiles
def test_where_the_kernel_is_taken():
    binary._block_terms.cache_clear()
    assert binary._block_terms("cpu", torch.float32) is binary.binary_terms_
    assert binary._block_terms("cuda", torch.float64) is binary.binary_terms_
    assert binary._block_terms("cuda", torch.float32).__module__ == "lossbook.losses.fused.binary_triton"
    binary._block_terms.cache_clear()


@compiles
@pytest.mark.slow
@pytest.mark.parametrize("given", [True, False], ids=["all arguments", "none"])
@pytest.mark.parametrize("gradients", [True, False])
def test_it_compiles_for_a_gpu(given, gradients):
    """To machine code of an H100 (compute capability 9.0), with or without one."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    module = importlib.import_module("lossbook.losses.fused.binary_triton")
    pointers = dict.fromkeys(["products", "totals", "class_sums"], "*fp32") | {"own_rows": "*i64"}
    optional = dict.fromkeys(["gain", "bias", "sample_bias", "sample_sums"], "*fp32" if given else "constexpr")
    numbers = {"classes": "i32", "samples": "i32", "margin": "fp32"}
    constants = {"gradients": gradients, "tile_classes": module._CLASSES, "tile_samples": module._SAMPLES}
    signature = pointers | optional | numbers | dict.fromkeys(constants, "constexpr")
    constants |= {} if given else dict.fromkeys(optional)
    ordered = {name: signature[name] for name in module._binary_terms.arg_names}
    compiled = triton.compile(ASTSource(module._binary_terms, ordered, constants), target=GPUTarget("cuda", 90, 32))
    assert len(compiled.asm["cubin"]) > 0

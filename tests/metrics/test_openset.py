"""OSCR and AUROC against brute force with ties; the generalisation gap."""

import math

import pytest
import reference_openset as ref
import torch
from hypothesis import given
from hypothesis import strategies as st

from lossbook.metrics import auroc, generalisation_gap, oscr

many_ties = st.integers(0, 4).map(lambda x: x / 4)
any_float = st.floats(width=32, allow_nan=False, allow_infinity=False)


@st.composite
def data(draw, values):
    """Scores of known and of unknown samples, and the known ones' labels."""
    n = draw(st.integers(2, 4))
    rows = st.lists(st.lists(values, min_size=n, max_size=n), min_size=1, max_size=8)
    known, unknown = draw(rows), draw(rows)
    labels = draw(st.lists(st.integers(0, n - 1), min_size=len(known), max_size=len(known)))
    return torch.tensor(known), torch.tensor(labels), torch.tensor(unknown)


def check(known, labels, unknown) -> None:
    value = oscr(known, labels, unknown)
    assert value == pytest.approx(ref.oscr(known.tolist(), labels.tolist(), unknown.tolist()), abs=1e-12)
    scores = known.amax(1), unknown.amax(1)
    assert auroc(*scores) == pytest.approx(ref.auroc(*(s.tolist() for s in scores)), abs=1e-12)
    accuracy = (known.argmax(1) == labels).double().mean().item()
    assert 0 <= value <= accuracy + 1e-12
    assert value <= auroc(*scores) + 1e-12


@given(data(many_ties))
def test_equal_to_brute_force_with_many_ties(drawn):
    check(*drawn)


@given(data(any_float))
def test_equal_to_brute_force_for_any_finite_float(drawn):
    check(*drawn)


@given(data(st.sampled_from([-math.inf, 0.0, -0.0, 1.0, math.inf])))
def test_infinities_are_scores_that_tie_with_their_own_kind(drawn):
    check(*drawn)


@given(data(many_ties), st.randoms(use_true_random=False))
def test_the_order_of_the_samples_does_not_matter(drawn, random):
    known, labels, unknown = drawn
    order, other = list(range(len(known))), list(range(len(unknown)))
    random.shuffle(order)
    random.shuffle(other)
    assert oscr(known[order], labels[order], unknown[other]) == oscr(known, labels, unknown)


def test_with_every_known_sample_right_oscr_is_auroc():
    generator = torch.Generator().manual_seed(0)
    known, unknown = (torch.rand(20, 5, generator=generator) for _ in range(2))
    assert oscr(known, known.argmax(1), unknown) == pytest.approx(auroc(known.amax(1), unknown.amax(1)))


def test_the_ends():
    known, labels = torch.tensor([[0.9, 0.1], [0.8, 0.2]]), torch.tensor([0, 0])
    low, high = torch.tensor([[0.4, 0.3]]), torch.tensor([[1.0, 0.0]])
    assert oscr(known, labels, low) == 1
    assert oscr(known, labels, high) == 0
    assert oscr(known, 1 - labels, low) == 0
    assert oscr(known, labels, torch.tensor([[0.9, 0.0]])) == 0.25  # a tie is half a pair


def test_devices_and_dtypes(device):
    generator = torch.Generator().manual_seed(0)
    known, unknown = (torch.rand(20, 5, generator=generator) for _ in range(2))
    labels = torch.arange(20) % 5
    expected = oscr(known, labels, unknown)
    assert oscr(known.to(device), labels.to(device), unknown.to(device)) == expected
    half = known.half(), labels, unknown.half()
    assert oscr(*half) == pytest.approx(ref.oscr(half[0].tolist(), labels.tolist(), half[2].tolist()))


def test_large_scores_keep_their_order():
    """A sigmoid, as one library applies it, would tie these."""
    assert auroc(torch.tensor([1003.0, 1001.0]), torch.tensor([1000.0, 1002.0])) == 0.75


def test_generalisation_gap_is_train_less_test():
    logits = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    train_labels, test_labels = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 0, 1, 0])
    assert generalisation_gap(logits, train_labels, logits, test_labels) == 0.25


def test_what_is_refused():
    known, labels = torch.rand(3, 4), torch.tensor([0, 1, 2])
    for unknown, message in (
        (torch.rand(3, 5), r"unknown_probs \(U, 4\), got \(3, 5\)"),
        (torch.rand(0, 4), "M >= 1"),
        (torch.full((2, 4), math.nan), "without NaN"),
    ):
        with pytest.raises(ValueError, match=message):
            oscr(known, labels, unknown)
    with pytest.raises(ValueError, match=r"labels within 0\.\.3"):
        oscr(known, labels + 2, known)
    with pytest.raises(ValueError, match="known_probs' maxima without NaN"):
        oscr(known / 0 * 0, labels, known)
    with pytest.raises(ValueError, match=r"unknown_scores \(M,\)"):
        auroc(torch.rand(3), torch.rand(3, 1))

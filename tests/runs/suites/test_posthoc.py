"""What is done to a trained model afterwards: temperatures, priors, neighbours."""

from __future__ import annotations

import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier
from torch.nn.functional import cross_entropy

from lossbook.metrics.calibration import expected_calibration_error
from lossbook.runs.suites.posthoc import best_temperature, neighbours_vote, scaled_by_the_other_half


@pytest.fixture
def overconfident():
    """Logits that are right as often as their fifth part says."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(4000, 5, generator=generator).double()
    labels = torch.multinomial(logits.softmax(1), 1, generator=generator).squeeze(1)
    return 5 * logits, labels


def test_the_temperature_undoes_a_factor(overconfident):
    logits, labels = overconfident
    found = best_temperature(logits, labels)
    assert found == pytest.approx(5, rel=0.1)
    assert best_temperature(logits / 10, labels) == pytest.approx(found / 10, rel=1e-3)
    grid = [cross_entropy(logits / (found * factor), labels) for factor in (0.9, 1.0, 1.1)]
    assert grid[1] < min(grid[0], grid[2])


def test_the_scaled_logits_are_calibrated(overconfident):
    logits, labels = overconfident

    def error(of):
        return expected_calibration_error(of.softmax(1).amax(1), of.argmax(1) == labels)

    assert error(scaled_by_the_other_half(logits, labels)) < 0.03 < 0.2 < error(logits)


def test_no_image_is_scaled_by_its_own_label(overconfident):
    logits, labels = overconfident
    before = scaled_by_the_other_half(logits, labels)
    labels = labels.clone()
    labels[0::2] = (labels[0::2] + 1) % 5
    after = scaled_by_the_other_half(logits, labels)
    assert torch.equal(before[0::2], after[0::2])
    assert not torch.isclose(before[1::2], after[1::2]).any()


def test_neighbours_vote_by_cosine():
    generator = torch.Generator().manual_seed(0)
    train, test = torch.randn(300, 4, generator=generator), torch.randn(50, 4, generator=generator)
    labels = torch.randint(0, 3, (300,), generator=generator)
    peer = KNeighborsClassifier(10, metric="cosine", algorithm="brute").fit(train.numpy(), labels.numpy())
    assert neighbours_vote(test, train, labels).tolist() == peer.predict(test.numpy()).tolist()
    assert torch.equal(neighbours_vote(7 * test, train, labels), neighbours_vote(test, train, labels))

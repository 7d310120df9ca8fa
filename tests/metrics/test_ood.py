"""Ten post-hoc scores: each against its definition written sample by sample, and the traps that libraries fall into."""

import numpy as np
import pytest
import torch
from scipy.special import logsumexp

from lossbook.metrics import auroc, detection, ood

CLASSES, WIDTH = 4, 9


@pytest.fixture(scope="module")
def case():
    """Training and test features after a ReLU around class means in the first dimensions, and the nearest-mean classifier."""
    rng = np.random.default_rng(0)
    means = 4 * np.eye(CLASSES, WIDTH) + 0.5 * rng.random((CLASSES, WIDTH))
    labels = np.repeat(np.arange(CLASSES), 15)
    train = np.maximum(means[labels] + rng.standard_normal((60, WIDTH)), 0)
    test = np.maximum(means[np.arange(12) % CLASSES] + rng.standard_normal((12, WIDTH)), 0)
    weight, bias = 0.2 * means, -0.1 * (means**2).sum(1)
    return {
        "features": torch.from_numpy(test),
        "train_features": torch.from_numpy(train),
        "train_labels": torch.from_numpy(labels),
        "weight": torch.from_numpy(weight),
        "bias": torch.from_numpy(bias),
        "logits": torch.from_numpy(test @ weight.T + bias),
        "train_logits": torch.from_numpy(train @ weight.T + bias),
    }


def take(case, *names):
    return [case[name] for name in names]


def arrays(case, *names):
    return [case[name].numpy() for name in names]


def check(scores, expected):
    assert scores.shape == (12,)
    assert scores.tolist() == pytest.approx(list(expected), rel=1e-6, abs=1e-9)


def softmax(z):
    return np.exp(z - logsumexp(z))


# Definitions -----------------------------------------------------------------------------------------------------


def log_odds(p):
    return np.log(p) - np.log1p(-p)


def test_msp_and_energy(case):
    probabilities = [softmax(z).max() for z in case["logits"].numpy()]
    check(ood.msp(case["logits"]), [log_odds(p) for p in probabilities])
    check(ood.msp(case["logits"]).sigmoid(), probabilities)
    check(ood.energy(case["logits"], 2.0), [2 * logsumexp(z / 2) for z in case["logits"].numpy()])


def test_rmds(case):
    x, train, labels = arrays(case, "features", "train_features", "train_labels")
    means = [train[labels == k].mean(0) for k in range(CLASSES)]
    inside = np.mean([np.outer(h - means[k], h - means[k]) for h, k in zip(train, labels, strict=True)], 0)
    everything = np.mean([np.outer(h - train.mean(0), h - train.mean(0)) for h in train], 0)
    inner, outer = np.linalg.pinv(inside), np.linalg.pinv(everything)
    distance = [[(h - m) @ inner @ (h - m) - (h - train.mean(0)) @ outer @ (h - train.mean(0)) for m in means] for h in x]
    check(ood.rmds(*take(case, "features", "train_features", "train_labels")), [-min(row) for row in distance])


@pytest.mark.parametrize("dimensions", [3, None])
def test_vim(case, dimensions):
    x, train, weight, bias = arrays(case, "features", "train_features", "weight", "bias")
    origin = -np.linalg.pinv(weight) @ bias
    _, vectors = np.linalg.eigh((train - origin).T @ (train - origin))
    rest = vectors[:, : WIDTH - (dimensions or WIDTH // 2)]
    alpha = sum((weight @ h + bias).max() for h in train) / sum(np.linalg.norm((h - origin) @ rest) for h in train)
    expected = [logsumexp(weight @ h + bias) - alpha * np.linalg.norm((h - origin) @ rest) for h in x]
    check(ood.vim(*take(case, "features", "train_features", "weight", "bias"), dimensions), expected)


@pytest.mark.parametrize("neighbours", [1, 7, 60])
def test_knn(case, neighbours):
    x, train = arrays(case, "features", "train_features")
    unit = train / np.linalg.norm(train, axis=1, keepdims=True)
    expected = [-np.sort(np.linalg.norm(unit - h / np.linalg.norm(h), axis=1))[neighbours - 1] for h in x]
    check(ood.knn(*take(case, "features", "train_features"), neighbours), expected)


@pytest.mark.parametrize("sparsity", [0.0, 0.5, 0.9])
def test_dice(case, sparsity):
    x, train, weight, bias = arrays(case, "features", "train_features", "weight", "bias")
    contribution = weight * train.mean(0)
    masked = weight * (contribution > np.quantile(contribution, sparsity))
    check(
        ood.dice(*take(case, "features", "train_features", "weight", "bias"), sparsity),
        [logsumexp(masked @ h + bias) for h in x],
    )


def test_she(case):
    x, z, train, train_z, labels = arrays(case, "features", "logits", "train_features", "train_logits", "train_labels")
    patterns = [train[(labels == k) & (train_z.argmax(1) == k)].mean(0) for k in range(CLASSES)]
    names = ("features", "logits", "train_features", "train_logits", "train_labels")
    check(ood.she(*take(case, *names)), [h @ patterns[row.argmax()] for h, row in zip(x, z, strict=True)])


@pytest.mark.parametrize("power", [1.0, 8.0])
def test_relation(case, power):
    x, z, train, train_z = arrays(case, "features", "logits", "train_features", "train_logits")
    expected = []
    for h, row in zip(x, z, strict=True):
        total = 0.0
        for other, other_row in zip(train, train_z, strict=True):
            edge = max(0, h @ other / np.linalg.norm(h) / np.linalg.norm(other)) * (softmax(row) @ softmax(other_row))
            total += edge**power if edge > 0.03 else 0
        expected.append(total)
    names = ("features", "logits", "train_features", "train_logits")
    check(ood.relation(*take(case, *names), power=power), expected)


def test_scale(case):
    x, weight, bias = arrays(case, "features", "weight", "bias")
    expected = []
    for h in x:
        top = np.sort(h)[::-1][: WIDTH - round(WIDTH * 0.65)]
        expected.append(logsumexp(weight @ (h * np.exp(h.sum() / top.sum())) + bias))
    check(ood.scale(*take(case, "features", "weight", "bias")), expected)


def test_odin(case):
    """A linear model's gradient is known: of log softmax_c(z / T) it is W^T (e_c - p) / T."""
    x, weight, bias = arrays(case, "features", "weight", "bias")
    expected = []
    for h in x:
        z = (weight @ h + bias) / 10
        gradient = weight.T @ (np.eye(CLASSES)[z.argmax()] - softmax(z)) / 10
        p = softmax((weight @ (h + 0.1 * np.sign(gradient)) + bias) / 10).max()
        expected.append(10 * (log_odds(p) + np.log(CLASSES - 1)))
    model = torch.nn.functional.linear
    scores = ood.odin(lambda h: model(h, case["weight"], case["bias"]), case["features"], temperature=10.0, noise=0.1)
    check(scores, expected)
    assert not scores.requires_grad and not case["features"].requires_grad
    with torch.no_grad():
        again = ood.odin(lambda h: model(h, case["weight"], case["bias"]), case["features"], temperature=10.0, noise=0.1)
    torch.testing.assert_close(again, scores)


# Traps -----------------------------------------------------------------------------------------------------------


def every_score(case, features):
    """All scores but ODIN's, of other features."""
    logits = torch.nn.functional.linear(features, case["weight"], case["bias"])
    train, train_logits, labels = take(case, "train_features", "train_logits", "train_labels")
    weight, bias = take(case, "weight", "bias")
    return {
        "msp": ood.msp(logits),
        "rmds": ood.rmds(features, train, labels),
        "energy": ood.energy(logits),
        "vim": ood.vim(features, train, weight, bias),
        "knn": ood.knn(features, train, neighbours=10),  # fewer than each class has
        "dice": ood.dice(features, train, weight, bias),
        "she": ood.she(features, logits, train, train_logits, labels),
        "relation": ood.relation(features, logits, train, train_logits),
        "scale": ood.scale(features, weight, bias),
    }


def test_every_score_is_higher_for_known_samples(case):
    """Unknown features lie in the dimensions that no class uses."""
    unknown = 2 * torch.eye(WIDTH, dtype=torch.float64)[CLASSES:].repeat(8, 1)
    unknown += torch.rand(unknown.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    scores, others = every_score(case, case["features"]), every_score(case, unknown)
    found = {name: auroc(scores[name], others[name]) for name in scores}
    assert min(found.values()) > 0.8, found


def test_dead_units_change_nothing(case):
    """A covariance with dead units is singular: an inverse that is no pseudo-inverse turns RMDS into noise."""
    wide = dict(case)
    for name in ("features", "train_features"):
        wide[name] = torch.cat([case[name], torch.zeros(len(case[name]), 6, dtype=torch.float64)], 1)
    expected = ood.rmds(*take(case, "features", "train_features", "train_labels"))
    scores = ood.rmds(*take(wide, "features", "train_features", "train_labels"))
    torch.testing.assert_close(scores, expected)
    single = ood.rmds(wide["features"].float(), wide["train_features"].float(), wide["train_labels"])
    torch.testing.assert_close(single.double(), expected, rtol=1e-4, atol=1e-4)


def test_she_of_a_class_without_a_right_sample_takes_all_of_them(case):
    wrong = case["train_logits"].clone()
    wrong[case["train_labels"] == 2, 2] = -100
    features, logits, train, labels = take(case, "features", "logits", "train_features", "train_labels")
    scores = ood.she(features, logits, train, wrong, labels)
    assert scores.isfinite().all()
    chosen = logits.argmax(1) == 2
    assert chosen.any()
    torch.testing.assert_close(scores[chosen], features[chosen] @ train[labels == 2].mean(0))


def test_pairs_are_made_a_chunk_at_a_time(case, monkeypatch):
    features, logits, train, train_logits = take(case, "features", "logits", "train_features", "train_logits")
    whole = ood.knn(features, train, 5), ood.relation(features, logits, train, train_logits)
    monkeypatch.setattr(detection, "_CHUNK_ELEMENTS", 150)
    torch.testing.assert_close(ood.knn(features, train, 5), whole[0])
    torch.testing.assert_close(ood.relation(features, logits, train, train_logits), whole[1])


def test_scale_of_a_zero_feature_is_the_energy_of_the_bias(case):
    zero = torch.zeros(1, WIDTH, dtype=torch.float64)
    torch.testing.assert_close(ood.scale(zero, case["weight"], case["bias"]), case["bias"].logsumexp(0).reshape(1))


def test_devices(case, device):
    moved = {name: tensor.to(device) for name, tensor in case.items()}
    expected = every_score(case, case["features"])
    for name, scores in every_score(moved, moved["features"]).items():
        torch.testing.assert_close(scores.cpu(), expected[name], rtol=1e-9, atol=1e-9)


def test_what_is_refused(case):
    features, train, weight, bias = take(case, "features", "train_features", "weight", "bias")
    logits, train_logits = take(case, "logits", "train_logits")
    for call, message in (
        (lambda: ood.knn(features, train[:, :3]), r"features \(B, d\) and train_features \(M, d\), got \(12, 9\) and \(60, 3\)"),
        (lambda: ood.knn(features, train, 61), r"neighbours within 1\.\.60, got 61"),
        (lambda: ood.vim(features, train, weight, bias, 9), "0 < dimensions < 9, got 9"),
        (lambda: ood.dice(features, train, weight, bias, 1.0), r"sparsity within \[0, 1\), got 1.0"),
        (lambda: ood.scale(features, weight, bias, 1.0), r"percentile within \[0, 1\), got 1.0"),
        (lambda: ood.relation(features, logits, train, train_logits, 0.0), "power > 0"),
        (lambda: ood.energy(logits, 0.0), "temperature > 0"),
        (lambda: ood.odin(lambda h: h, features, noise=-1.0), "noise >= 0"),
    ):
        with pytest.raises(ValueError, match=message):
            call()

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


# Precision -------------------------------------------------------------------------------------------------------


def test_msp_ranks_where_probabilities_round_to_one():
    gaps = torch.tensor([20.0, 30.0, 200.0, 40.0, 150.0])
    logits = torch.stack([gaps, torch.zeros(5), torch.zeros(5)], 1)
    assert (logits.softmax(1).amax(1) == 1).all()
    torch.testing.assert_close(ood.msp(logits), gaps - np.log(2))
    assert ood.msp(torch.tensor([[0.0, -torch.inf, -torch.inf]])).tolist() == [torch.inf]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_msp_of_equal_small_and_vanishing_terms_in_one_batch(dtype):
    """Every row is scored as it is alone: with one, two and all classes equal, with others of e^-20 to e^-1000, and of none."""
    rows = [[0.0, 0, 0, 0], [5, 5, 0, -3], [5, 5, 5, 5], [3, 3 - 1e-3, 3, 0], [20, 0, 0, 1], [80, 0, -2, 1], [100, 0, 1, 2]]
    rows += [[1000, 0, 0, 999], [1e4, 9e3, 0, 9e3], [0, -np.inf, -np.inf, -np.inf], [-1000, -1000, -np.inf, -1001]]
    logits = torch.tensor(rows, dtype=dtype)
    others = logits.double().sort(1).values[:, :-1]
    expected = logits.double().amax(1) - others.logsumexp(1)
    tolerance = {"rtol": 1e-6, "atol": 3e-7} if dtype == torch.float32 else {"rtol": 1e-12, "atol": 1e-14}
    found = ood.msp(logits)
    torch.testing.assert_close(found.double(), expected, **tolerance)
    assert torch.equal(found, torch.cat([ood.msp(row[None]) for row in logits]))
    assert torch.equal(ood.msp(logits.flip(1)).isnan(), torch.zeros(len(rows), dtype=torch.bool))
    assert ood.msp(torch.tensor([[1.0, torch.nan], [1.0, 0.0]], dtype=dtype)).isnan().tolist() == [True, False]


@pytest.mark.parametrize("scale", [1e-4, 1.0, 100.0])
def test_odin_in_float32_ranks_as_in_float64(scale):
    """At a temperature of 1,000 probabilities differ in their sixth digit, at 1 they round to 1."""
    x = scale * torch.randn(400, 10, generator=torch.Generator().manual_seed(0))
    exact = ood.odin(lambda h: h.double(), x, noise=0.0)
    assert torch.equal(ood.odin(lambda h: h, x, noise=0.0).argsort(), exact.argsort())
    assert (exact >= 0).all()


def collapsed(samples, noise, seed):
    """Features on five class means, up to ``noise``."""
    generator = torch.Generator().manual_seed(seed)
    means = torch.randn(5, 32, generator=torch.Generator().manual_seed(99), dtype=torch.float64)
    return means[torch.arange(samples) % 5] + noise * torch.randn(samples, 32, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("neighbours", [1, 7, 40])
def test_knn_of_collapsed_features(neighbours):
    """Known features are ten times as near as unknown ones; 2 - 2 cos is rounding for both in float32."""
    train, known, unknown = collapsed(300, 2e-5, 0).float(), collapsed(50, 2e-5, 1).float(), collapsed(50, 2e-4, 2).float()
    scores = [ood.knn(x, train, neighbours) for x in (known, unknown)]
    assert auroc(*scores) == 1.0
    for x, found in zip((known, unknown), scores, strict=True):
        unit = [torch.nn.functional.normalize(y.double()) for y in (x, train)]
        exact = torch.cdist(*unit, compute_mode="donot_use_mm_for_euclid_dist").sort(1).values[:, neighbours - 1]
        torch.testing.assert_close(found.double(), -exact, rtol=1e-6, atol=0)


def test_knn_of_zero_and_of_equal_features(case):
    train = torch.eye(4).repeat(3, 1)
    train[0] = 0
    # Twice the direction itself besides (one of three was set to zero), then the others at a right angle, zero among them.
    assert ood.knn(5 * torch.eye(4)[:1], train, 2).tolist() == [0.0]
    assert ood.knn(5 * torch.eye(4)[:1], train, 3).tolist() == pytest.approx([-(2**0.5)])
    assert ood.knn(torch.zeros(1, 4), train, 12).tolist() == pytest.approx([-(2**0.5)])
    assert ood.knn(torch.full((1, 4), torch.nan), train, 3).isnan().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_vim_where_training_features_have_no_variance_outside(dtype):
    """They span 3 of 8 dimensions: scores are finite, and any length outside counts."""
    generator = torch.Generator().manual_seed(0)
    basis = torch.linalg.qr(torch.randn(8, 3, generator=generator, dtype=torch.float64)).Q
    train, known = (torch.randn(size, 3, generator=generator, dtype=torch.float64) @ basis.T for size in (60, 20))
    weight = basis[:, :3].T
    unknown = known + 0.01 * torch.linalg.qr(basis, mode="complete").Q[:, 4]
    scores = [ood.vim(x.to(dtype), train.to(dtype), weight.to(dtype), None, 4) for x in (known, unknown)]
    assert torch.cat(scores).isfinite().all()
    assert auroc(*scores) == 1.0
    energies = ood.energy(known @ weight.T)
    torch.testing.assert_close(scores[0].double(), energies, rtol=0, atol=0.1)  # rounding of the features, times the factor


@pytest.mark.parametrize("largest", [1e-7, 1e-4, 1e-2, 1.0])
def test_vim_in_float32_has_float64s_lengths_outside(largest):
    """Features lie on a plane of 8 dimensions but for parts outside of ``largest`` or less; a zero feature is among them."""
    generator = torch.Generator().manual_seed(1)
    basis = torch.linalg.qr(torch.randn(64, 64, generator=generator, dtype=torch.float64)).Q

    def draw(samples):
        inside, outside = torch.randn(samples, 8, generator=generator), torch.randn(samples, 56, generator=generator)
        share = largest * 10 ** (-2 * torch.rand(samples, 1, generator=generator))
        return torch.cat([inside, share * outside], 1).double() @ basis.T

    train, features, weight = draw(500).float(), draw(300).float(), (basis[:, :8].T + 0.1 * basis[:, 8:16].T).float()
    features[7] = 0
    bias = torch.randn(8, generator=generator)
    exact = ood.vim(features.double(), train.double(), weight.double(), bias.double(), 8)
    found = ood.vim(features, train, weight, bias, 8)
    energies = torch.nn.functional.linear(features.double(), weight.double(), bias.double()).logsumexp(1)
    # Rounding of the product, relative to the whole length, where it is used: to lengths of 1/64 of that or more.
    torch.testing.assert_close(energies - found.double(), energies - exact, rtol=2e-5, atol=1e-5)
    order = found.argsort()
    assert (exact[order].diff() > -2e-5 * exact.abs().max()).all()
    assert torch.equal(found[7:8], ood.vim(features[7:8], train, weight, bias, 8))


def test_vim_of_training_features_at_the_origin_is_the_energy():
    features, weight = torch.randn(5, 4, generator=torch.Generator().manual_seed(0)), torch.eye(4)[:2]
    torch.testing.assert_close(ood.vim(features, torch.zeros(6, 4), weight, None), ood.energy(features @ weight.T))


@pytest.mark.parametrize("score", [ood.vim, ood.dice])
def test_a_bias_may_be_absent_or_one_number(case, score):
    features, train, weight = take(case, "features", "train_features", "weight")
    for bias in (None, torch.tensor([0.7], dtype=torch.float64), torch.tensor(0.7, dtype=torch.float64)):
        every = torch.full((CLASSES,), 0.0 if bias is None else 0.7, dtype=torch.float64)
        assert torch.equal(score(features, train, weight, bias), score(features, train, weight, every))
        assert torch.equal(ood.scale(features, weight, bias), ood.scale(features, weight, every))


def test_vim_and_rmds_hold_copies_of_a_few_features_only(case, monkeypatch):
    features, train, labels, weight, bias = take(case, "features", "train_features", "train_labels", "weight", "bias")
    whole = ood.vim(features, train, weight, bias), ood.rmds(features, train, labels)
    monkeypatch.setattr(detection, "_CHUNK_ROWS", 7)
    torch.testing.assert_close(ood.vim(features, train, weight, bias), whole[0])
    torch.testing.assert_close(ood.rmds(features, train, labels), whole[1])


def test_autocast_changes_no_score(case):
    single = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in case.items()}
    features, train, labels, weight, bias = take(single, "features", "train_features", "train_labels", "weight", "bias")
    logits, train_logits = take(single, "logits", "train_logits")
    calls = (
        lambda: ood.msp(logits),
        lambda: ood.energy(logits),
        lambda: ood.rmds(features, train, labels),
        lambda: ood.vim(features, train, weight, bias),
        lambda: ood.knn(features, train, 5),
        lambda: ood.dice(features, train, weight, bias),
        lambda: ood.she(features, logits, train, train_logits, labels),
        lambda: ood.relation(features, logits, train, train_logits),
        lambda: ood.scale(features=features, weight=weight, bias=bias),
    )
    for call in calls:
        expected = call()
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(call(), expected)


def test_odin_in_inference_mode(case):
    def function(h):
        return torch.nn.functional.linear(h, case["weight"], case["bias"])

    expected = ood.odin(function, case["features"], noise=0.1)
    with torch.inference_mode():
        assert torch.equal(ood.odin(function, case["features"] * 1, noise=0.1), expected)


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


def test_every_bad_input_is_one_clear_error(case):
    features, train, weight, bias = take(case, "features", "train_features", "weight", "bias")
    logits, train_logits, labels = take(case, "logits", "train_logits", "train_labels")
    for call, error, message in (
        (lambda: ood.msp(logits.numpy()), TypeError, "expected logits as a tensor, got ndarray"),
        (lambda: ood.msp(logits[0]), ValueError, r"logits of shape \(B, N\).*got \(4,\)"),
        (lambda: ood.msp(logits[:, :1]), ValueError, "N >= 2 classes"),
        (lambda: ood.energy(logits[:0]), ValueError, "B >= 1 samples"),
        (lambda: ood.energy(logits.long()), TypeError, "floating-point logits"),
        (lambda: ood.odin(lambda h: h, features.long()), ValueError, "inputs as a floating-point tensor"),
        (lambda: ood.odin(lambda h: h, features[:0]), ValueError, "B >= 1 samples"),
        (lambda: ood.odin(lambda h: h.sum(1), features), ValueError, r"logits from the function of shape \(B, N\)"),
        (lambda: ood.knn(features[:0], train), ValueError, "B >= 1 samples"),
        (lambda: ood.knn(features, train[:0]), ValueError, "B >= 1 samples"),
        (lambda: ood.knn(features, train.tolist()), TypeError, "expected train_features as a tensor, got list"),
        (lambda: ood.knn(features, train / 0), ValueError, "finite train_features"),
        (lambda: ood.knn(features, train.to("meta")), ValueError, "one device, got features on cpu, train_features on meta"),
        (lambda: ood.knn(features, train, 2.5), ValueError, r"neighbours within 1\.\.60, got 2.5"),
        (lambda: ood.rmds(features, train, labels[:5]), ValueError, r"shape \(60,\)"),
        (lambda: ood.rmds(features, train, labels.double()), TypeError, "integer train_labels"),
        (lambda: ood.vim(features, train, weight[:, :2], bias), ValueError, r"weight \(N, 9\) for these features, got \(4, 2\)"),
        (lambda: ood.dice(features, train, weight, bias[:3]), ValueError, r"shape \(1,\) or \(4,\), got \(3,\)"),
        (lambda: ood.she(features, logits[:3], train, train_logits, labels), ValueError, r"logits \(12, N\)"),
        (lambda: ood.she(features, logits, train, train_logits[:, :3], labels), ValueError, r"train_logits \(60, N\)"),
        (lambda: ood.she(features, logits, train, train_logits, labels + 1), ValueError, r"labels within 0\.\.3"),
        (lambda: ood.she(features, logits, train, train_logits, labels.float()), TypeError, "dtype torch.int64"),
        (lambda: ood.relation(features, logits, train, train_logits[:9]), ValueError, "one row per feature"),
    ):
        with pytest.raises(error, match=message):
            call()

"""The multi-centre heads: what they draw in training, what is left of it afterwards; and the objectives built on them."""

import copy
import math

import numpy as np
import pytest
import reference_multicenter as ref
import torch
import torch.nn.functional as F

from lossbook.data.batches import mix_batch
from lossbook.heads import LinearHead, MultiCenterCosineHead, MultiCenterHead
from lossbook.losses.multicenter import additive_angular_margin, gaussian_kl, large_margin, multicenter_cross_entropy
from lossbook.objectives import create_objective

HEADS = [MultiCenterHead, MultiCenterCosineHead]
D, C, B = 6, 4, 9

every_head = pytest.mark.parametrize("head_class", HEADS)


def build(head_class=MultiCenterHead, device="cpu", dtype=torch.float32, seed=0, **arguments):
    torch.manual_seed(seed)
    generator = torch.Generator(device).manual_seed(seed)
    head = head_class(D, C, generator=generator, **arguments).to(device, dtype)
    return head, torch.randn(B, D).to(device, dtype)


def objective_of(name, device="cpu", **arguments):
    torch.manual_seed(0)
    objective = create_objective(name, D, C, **arguments).to(device)
    objective.head.generator = torch.Generator(device).manual_seed(1)
    return objective, torch.randn(B, D).to(device), (torch.arange(B) % C).to(device)


def same_noise(objective):
    objective.head.generator.manual_seed(1)


# Training and evaluation -------------------------------------------------------------------------------------------


@every_head
@pytest.mark.parametrize("subcenters", [0, 1, 2, 5])
def test_shapes(head_class, subcenters, device):
    head, features = build(head_class, device, num_subcenters=subcenters)
    assert head.centers().shape == (C, subcenters + 1, D)
    assert head(features).shape == (B, C, subcenters + 1)
    assert head.eval()(features).shape == (B, C)
    assert head.similarities(features).shape == (B, C)
    assert head.bias is None
    assert head.threshold().item() == 0
    assert {name: tuple(p.shape) for name, p in head.named_parameters()} == {"weight": (C, D), "log_var": (C, D)}


@every_head
def test_the_class_centre_comes_first(head_class, device):
    head, features = build(head_class, device)
    torch.testing.assert_close(head(features)[:, :, 0], head.similarities(features))
    assert torch.equal(head.centers()[:, 0], head.weight)


def test_logits_are_inner_products_with_the_centers():
    head, features = build(dtype=torch.float64)
    centers = head.centers()
    expected = [[[sum(x * w for x, w in zip(f, w, strict=True)) for w in c] for c in centers.tolist()] for f in features.tolist()]
    assert head.center_logits(features, centers).detach().numpy() == pytest.approx(np.array(expected))


def test_cosine_logits():
    head, features = build(MultiCenterCosineHead, dtype=torch.float64, scale=8.0)
    centers = head.centers()
    expected = [[[8 * ref.cosine(f, w) for w in c] for c in centers.tolist()] for f in features.tolist()]
    assert head.center_logits(features, centers).detach().numpy() == pytest.approx(np.array(expected))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
def test_evaluation_is_exactly_the_linear_layer(dtype, device):
    head, features = build(device=device, dtype=dtype)
    linear = head.to_linear()
    assert torch.equal(linear(features), head.eval()(features))
    assert type(linear) is torch.nn.Linear
    assert [tuple(p.shape) for p in linear.parameters()] == [(C, D)]
    assert linear.weight.dtype == dtype
    assert linear.weight.requires_grad


def test_the_linear_layer_is_a_copy():
    head, features = build()
    linear = head.to_linear()
    before = linear(features)
    torch.nn.init.zeros_(head.weight)
    assert torch.equal(linear(features), before)


@every_head
def test_evaluation_draws_nothing(head_class):
    head, features = build(head_class)
    head.eval()
    before = head.generator.get_state()
    assert torch.equal(head(features), head(features))
    assert torch.equal(head.generator.get_state(), before)


# Noise -------------------------------------------------------------------------------------------------------------


@every_head
def test_noise_is_fresh_and_repeatable(head_class, device):
    head, features = build(head_class, device)
    first, second = head(features), head(features)
    assert not torch.equal(first[:, :, 1:], second[:, :, 1:])
    head.generator.manual_seed(0)
    assert torch.equal(head(features), first)


def test_without_a_generator_the_noise_follows_the_default_one():
    head = MultiCenterHead(D, C)
    draws = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        draws.append(head.centers())
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_the_batch_shares_the_noise():
    head, features = build()
    logits = head(features[:1].expand(5, -1))
    assert torch.equal(logits, logits[:1].expand(5, -1, -1))


@pytest.mark.parametrize("sigma_scale", [0.1, 1.0])
def test_covariance_of_the_subcenters(sigma_scale):
    """Mean w, covariance sigma_scale^2 diag(sigma^2): 20,000 draws, five standard errors."""
    count = 20000
    torch.manual_seed(0)
    head = MultiCenterHead(3, 2, count, sigma_scale, torch.Generator().manual_seed(0)).double()
    torch.nn.init.uniform_(head.log_var, -2, 2)
    centers = head.centers()[:, 1:].detach()
    sigma = sigma_scale * (0.5 * head.log_var.detach()).exp()
    torch.testing.assert_close(head.sigma(), sigma)
    assert ((centers.mean(1) - head.weight).abs() < 5 * sigma / math.sqrt(count)).all()
    for c in range(2):
        covariance = torch.cov(centers[c].T) / (sigma[c, :, None] * sigma[c])
        assert (covariance - torch.eye(3)).abs().max() < 5 * math.sqrt(2 / count)


def test_variance_of_a_logit():
    """Var[w'x] = sum_j sigma_j^2 x_j^2."""
    count = 20000
    head, features = build(dtype=torch.float64, num_subcenters=count)
    torch.nn.init.uniform_(head.log_var, -2, 2)
    logits = head(features)[:, :, 1:].detach()
    expected = features.square() @ head.sigma().square().T
    torch.testing.assert_close(logits.var(2), expected, rtol=5 * math.sqrt(2 / count), atol=0)


def test_sigma_scale_zero_and_no_subcenters():
    head, features = build(sigma_scale=0.0)
    logits = head(features)
    torch.testing.assert_close(logits, logits[:, :, :1].expand(-1, -1, 3))


@every_head
def test_gradients_reach_both_parameters(head_class):
    head, features = build(head_class)
    multicenter_cross_entropy(head(features), torch.arange(B) % C).backward()
    for parameter in head.parameters():
        assert parameter.grad.isfinite().all()
        assert parameter.grad.abs().sum() > 0


def test_gradient_of_the_weight_sums_over_its_centers():
    """dL/dw_c = sum_k sum_m (p - tau) x: the sub-centres hand their gradients to the class centre."""
    head, features = build(dtype=torch.float64)
    labels = torch.arange(B) % C
    logits = head(features)
    logits.retain_grad()
    multicenter_cross_entropy(logits, labels).backward()
    torch.testing.assert_close(head.weight.grad, torch.einsum("mck,md->cd", logits.grad, features))


@every_head
def test_start_values(head_class):
    """kaiming_uniform with a = sqrt 5: within 1 / sqrt d, the weight as a linear head's of the same seed."""
    torch.manual_seed(0)
    head = head_class(400, 20)
    torch.manual_seed(0)
    assert torch.equal(head.weight, LinearHead(400, 20, "zero").weight)
    for parameter in (head.weight, head.log_var):
        assert 0.99 / 20 < parameter.abs().max() <= 1 / 20


def test_description_and_copies():
    assert repr(MultiCenterHead(6, 5, sigma_scale=0.1)) == (
        "MultiCenterHead(in_features=6, num_classes=5, num_subcenters=2, sigma_scale=0.1)"
    )
    assert repr(MultiCenterCosineHead(6, 5)).endswith("sigma_scale=1, scale=16)")
    head, features = build()
    assert torch.equal(copy.deepcopy(head)(features), head(features))


@every_head
def test_what_is_refused(head_class):
    for arguments in ({"num_subcenters": -1}, {"num_subcenters": 1.5}, {"sigma_scale": -0.1}, {"sigma_scale": math.nan}):
        with pytest.raises(ValueError, match="whole num_subcenters >= 0 and sigma_scale >= 0"):
            head_class(D, C, **arguments)
    with pytest.raises(ValueError, match="num_classes >= 2"):
        head_class(D, 1)
    with pytest.raises(ValueError, match="scale must be positive"):
        MultiCenterCosineHead(D, C, scale=0.0)


@pytest.mark.slow
def test_compiled_head(device):
    head, features = build(device=device, sigma_scale=0.0)
    head.generator = None
    labels = torch.arange(B, device=device) % C
    compiled = torch.compile(lambda x: multicenter_cross_entropy(head(x), labels), fullgraph=True)
    torch.testing.assert_close(compiled(features), multicenter_cross_entropy(head(features), labels))


# Objectives --------------------------------------------------------------------------------------------------------


def test_the_objective_is_eq_11(device):
    objective, features, labels = objective_of("multicenter", device, kl_weight=0.5, center_weight=0.7, label_smoothing=0.1)
    loss = objective(features, labels)
    same_noise(objective)
    expected = multicenter_cross_entropy(objective.head(features), labels, 0.7, 0.1) + 0.5 * gaussian_kl(objective.head.log_var)
    torch.testing.assert_close(loss, expected)
    assert objective.measured["kl"].item() == pytest.approx(gaussian_kl(objective.head.log_var).item())
    assert objective.measured["sigma"].item() == pytest.approx(objective.head.sigma().mean().item())


def test_without_subcenters_it_is_the_linear_softmax():
    objective, features, labels = objective_of("multicenter", num_subcenters=0.0)
    torch.manual_seed(0)
    softmax = create_objective("soft-0", D, C)
    torch.testing.assert_close(objective(features, labels), softmax(features, labels))
    torch.testing.assert_close(objective.logits(features), softmax.logits(features))
    assert objective.measured == {}


def test_logits_are_the_class_centres_in_training_too():
    objective, features, _ = objective_of("multicenter")
    assert objective.training
    assert torch.equal(objective.logits(features), objective.head.to_linear()(features))


@pytest.mark.parametrize("name", ["multicenter", "multicenter-lsoftmax", "multicenter-arc"])
def test_mixed_images_have_one_draw_of_subcenters(name):
    objective, features, labels = objective_of(name)
    partners = labels.roll(1)
    mixed = objective.mixed(features, labels, partners, 0.3)
    losses = []
    for y in (labels, partners):
        same_noise(objective)
        losses.append(objective(features, y))
    torch.testing.assert_close(mixed, 0.3 * losses[0] + 0.7 * losses[1])


def test_mixed_images_have_a_soft_label_spread_over_the_centers():
    objective, features, labels = objective_of("multicenter", kl_weight=0.0)
    images = features[:, :, None, None]
    mixed, partners, share = mix_batch(images, labels, "mixup", 1.0, torch.Generator().manual_seed(0))
    features = mixed[:, :, 0, 0]
    loss = objective.mixed(features, labels, partners, share)
    same_noise(objective)
    soft = sum(
        weight * torch.tensor([ref.label(y, C, 2) for y in classes.tolist()])
        for weight, classes in ((share, labels), (1 - share, partners))
    )
    torch.testing.assert_close(loss, F.cross_entropy(objective.head(features).flatten(1), soft))


def margin_by_hand(objective, features, labels, margin, length):
    """The loss with the margin put on sample by sample, centre by centre."""
    centers = objective.head.centers()
    logits = objective.head.center_logits(features, centers).detach().clone()
    for m, y in enumerate(labels.tolist()):
        for k in range(3):
            cosine = ref.cosine(features[m].tolist(), centers[y, k].tolist())
            logits[m, y, k] = length(features[m], centers[y, k]) * margin(torch.tensor(cosine))
    return multicenter_cross_entropy(logits, labels) + gaussian_kl(objective.head.log_var)


def test_large_margin_objective():
    objective, features, labels = objective_of("multicenter-lsoftmax", margin=3)
    loss = objective(features, labels)
    same_noise(objective)
    expected = margin_by_hand(objective, features, labels, lambda c: large_margin(c, 3), lambda x, w: x.norm() * w.norm())
    torch.testing.assert_close(loss, expected)


def test_angular_margin_objective():
    objective, features, labels = objective_of("multicenter-arc", margin=0.3, scale=8.0)
    loss = objective(features, labels)
    same_noise(objective)
    expected = margin_by_hand(objective, features, labels, lambda c: additive_angular_margin(c, 0.3), lambda x, w: 8.0)
    torch.testing.assert_close(loss, expected)


def test_the_large_margin_grows_over_the_first_half():
    objective, features, labels = objective_of("multicenter-lsoftmax", num_subcenters=0)
    losses = []
    for epoch in (0, 2, 5, 9):
        objective.start_epoch(epoch, 10)
        losses.append(objective(features, labels).item())
    assert losses[0] == pytest.approx(F.cross_entropy(objective.logits(features), labels).item())
    assert losses[0] < losses[1] < losses[2] == losses[3]


@pytest.mark.parametrize("name", ["softtriple", "subcenter-arcface"])
def test_learned_subcenters(name):
    objective, features, labels = objective_of(name, num_subcenters=3)
    (parameter,) = objective.parameters()
    assert parameter.numel() == C * 3 * D
    assert not objective.head.weight.requires_grad
    torch.testing.assert_close(objective.head.weight[1], parameter.T[3:6].mean(0))
    with pytest.raises(ValueError, match=r"labels within 0\.\.3"):
        objective(features, labels + 1)


@pytest.mark.parametrize(("name", "margin"), [("subcenter-arcface", 0.3), ("softtriple", 0.01)])
def test_one_learned_subcenter_against_the_formula(name, margin):
    """With one centre a class SoftTriple is a cosine softmax with a margin on the cosine; ArcFace one on the angle."""
    objective, features, labels = objective_of(name, num_subcenters=1, scale=8.0, margin=margin)
    cosines = F.normalize(features) @ F.normalize(objective.head.weight).T
    own = cosines[torch.arange(B), labels]
    moved = additive_angular_margin(own, margin) if name == "subcenter-arcface" else own - margin
    logits = 8 * cosines.scatter(1, labels[:, None], moved[:, None])
    torch.testing.assert_close(objective(features, labels), F.cross_entropy(logits, labels), rtol=1e-4, atol=1e-5)


def test_autocast(device):
    objective, features, labels = objective_of("multicenter", device)
    exact = objective(features, labels)
    same_noise(objective)
    with torch.autocast(device.type, torch.bfloat16):
        value = objective(features, labels)
    value.backward()
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(exact.item(), rel=2e-2)


def test_wrong_weights():
    with pytest.raises(ValueError, match="kl_weight >= 0, got -1"):
        create_objective("multicenter", D, C, kl_weight=-1.0)
    with pytest.raises(ValueError, match="whole margin"):
        create_objective("multicenter-lsoftmax", D, C, margin=1.5)

"""The objectives of `multicenter`: Eq. 11, margins, mixed images, and the classifiers with learned sub-centres."""

import pytest
import reference_multicenter as ref
import torch
import torch.nn.functional as F

from lossbook.data.batches import mix_batch
from lossbook.losses.multicenter import additive_angular_margin, gaussian_kl, large_margin, multicenter_cross_entropy
from lossbook.objectives import create_objective

D, C, B = 6, 4, 9


def objective_of(name, device="cpu", **arguments):
    torch.manual_seed(0)
    objective = create_objective(name, D, C, **arguments).to(device)
    objective.head.generator = torch.Generator(device).manual_seed(1)
    return objective, torch.randn(B, D).to(device), (torch.arange(B) % C).to(device)


def same_noise(objective):
    objective.head.generator.manual_seed(1)


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
    """With one centre per class SoftTriple is a cosine softmax with a margin on the cosine; ArcFace one on the angle."""
    objective, features, labels = objective_of(name, num_subcenters=1, scale=8.0, margin=margin)
    cosines = F.normalize(features) @ F.normalize(objective.head.weight).T
    own = cosines[torch.arange(B), labels]
    moved = additive_angular_margin(own, margin) if name == "subcenter-arcface" else own - margin
    logits = 8 * cosines.scatter(1, labels[:, None], moved[:, None])
    torch.testing.assert_close(objective(features, labels), F.cross_entropy(logits, labels), rtol=1e-4, atol=1e-5)


def test_wrong_weights():
    with pytest.raises(ValueError, match="kl_weight >= 0, got -1"):
        create_objective("multicenter", D, C, kl_weight=-1.0)
    with pytest.raises(ValueError, match="whole margin"):
        create_objective("multicenter-lsoftmax", D, C, margin=1.5)

"""The suite 'corruption': what each corruption does to images, and what is measured on them."""

from types import SimpleNamespace

import pytest
import torch

from lossbook.data.load import load
from lossbook.heads.euclidean import EuclideanHead
from lossbook.heads.linear import CosineHead
from lossbook.metrics.retrieval import precision_at_1
from lossbook.papers.registry import get_paper
from lossbook.papers.results import published
from lossbook.runs.spec import RunSpec
from lossbook.runs.subsets import held_out_classes
from lossbook.runs.suites.corruption import CORRUPTIONS, corrupt, measure


def images(channels: int = 3, count: int = 12, height: int = 33, width: int = 40) -> torch.Tensor:
    return torch.randint(0, 256, (count, channels, height, width), generator=torch.Generator().manual_seed(0)).to(torch.uint8)


def full(value: int, channels: int = 1) -> torch.Tensor:
    return torch.full((50, channels, 40, 40), value, dtype=torch.uint8)


def test_the_nine_of_table_iv():
    assert ["uncorrupted", *CORRUPTIONS] == published(get_paper("warped").evidence, "IV")["corruption"].drop_duplicates().tolist()


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_same_at_every_call_and_leaves_images_and_random_state_alone(name):
    given = images()
    before, state = given.clone(), torch.get_rng_state()
    first = corrupt(name, given)
    torch.rand(3)
    assert torch.equal(first, corrupt(name, given))
    torch.set_rng_state(state)
    corrupt(name, given)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(given, before)
    assert first.dtype == torch.uint8
    assert first.shape == given.shape
    assert not torch.equal(first, given)


@pytest.mark.parametrize("name", [name for name in CORRUPTIONS if name != "defocus-blur"])
def test_every_image_gets_a_draw_of_its_own(name):
    alike = images(count=1).expand(12, -1, -1, -1).contiguous()
    result = corrupt(name, alike)
    assert len(torch.unique(result.flatten(1), dim=0)) >= 3


@pytest.mark.parametrize(("name", "spread"), [("gaussian", 51.0), ("uniform", 51 / 3**0.5)])
def test_noise_has_its_strength(name, spread):
    noise = corrupt(name, full(128)).float() - 128
    assert noise.mean().abs() < 0.5
    # Little of the normal noise is cut off: 128 is 2.5 standard deviations from either end.
    assert noise.std() == pytest.approx(spread, rel=0.03)


def test_salt_and_pepper_and_dropout_change_whole_pixels():
    for name, shares in (("salt-and-pepper", {0: 0.05, 255: 0.05, 100: 0.9}), ("dropout", {0: 0.2, 100: 0.8})):
        result = corrupt(name, full(100, channels=3))
        assert (result == result[:, :1]).all(), "the channels of a pixel change together"
        for value, share in shares.items():
            assert (result == value).double().mean().item() == pytest.approx(share, abs=0.005)


def test_cutout_is_one_grey_square_inside():
    covered = (corrupt("cutout", full(0)) == 128)[:, 0]
    assert (covered.sum((1, 2)) == 12 * 12).all()
    assert (covered.any(1).sum(1) == 12).all()
    assert (covered.any(2).sum(1) == 12).all()


def test_jigsaw_keeps_the_pixels_of_every_row():
    given = images(channels=1)
    result = corrupt("jigsaw", given)
    assert torch.equal(result.sort(dim=-1).values, given.sort(dim=-1).values)
    assert torch.equal(result[..., 32:, :], given[..., 32:, :]), "pixels beyond four whole cells stay"


def test_shear_keeps_the_middle_row():
    given = images(channels=1, height=33, width=33)
    middle = corrupt("affine-shear", given)[..., 16, :].int() - given[..., 16, :].int()
    assert middle.abs().max() <= 1


def test_blur_keeps_a_plain_image_and_flattens_noise():
    assert torch.equal(corrupt("defocus-blur", full(77, channels=3)), full(77, channels=3))
    given = images()
    assert corrupt("defocus-blur", given).float().std() < 0.5 * given.float().std()


def test_hue_and_saturation_keep_grey_colours():
    assert (corrupt("add-hue-and-saturation", full(90, channels=3)).int() - 90).abs().max() <= 1


def test_bad_names_and_grey_images():
    with pytest.raises(ValueError, match="unknown corruption 'fog'; expected one of gaussian"):
        corrupt("fog", images())
    with pytest.raises(ValueError, match="needs images of three channels, got 1"):
        corrupt("add-hue-and-saturation", images(channels=1))


def outputs(head, spec: RunSpec):
    unknown = held_out_classes(spec)
    return SimpleNamespace(
        spec=spec,
        objective=SimpleNamespace(head=head),
        extract=lambda given: given[:, :, ::4, ::4].flatten(1).float(),
        unknown_features=None if unknown is None else unknown.images[:, :, ::4, ::4].flatten(1).float(),
        unknown_labels=None if unknown is None else unknown.labels,
    )


@pytest.mark.parametrize(("head", "distance"), [(EuclideanHead, "euclidean"), (CosineHead, "cosine")])
def test_suite_measures_with_the_distance_of_the_loss(head, distance):
    spec = RunSpec(dataset="mnist5k", classes=(0, 1, 2, 3, 4, 5, 6))
    given = outputs(head(49, 7), spec)
    values = measure(given).metrics
    grey = [name for name in CORRUPTIONS if name != "add-hue-and-saturation"]
    assert list(values) == [f"corrupted_{name}" for name in ("none", *grey)]
    assert values["corrupted_none"] == precision_at_1(given.unknown_features, given.unknown_labels, distance)
    features = given.extract(corrupt("cutout", load("mnist5k").select((7, 8, 9)).test.images))
    assert values["corrupted_cutout"] == precision_at_1(features, given.unknown_labels, distance)
    assert values["corrupted_jigsaw"] < values["corrupted_none"]


def test_suite_needs_unknown_classes():
    with pytest.raises(ValueError, match=r"needs RunSpec\.classes"):
        measure(outputs(EuclideanHead(49, 10), RunSpec()))

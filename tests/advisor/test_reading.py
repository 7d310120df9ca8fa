"""What users have: files of features of all kinds, folders of images of all kinds, and a clear message for the rest."""

import numpy as np
import pytest
import torch
from PIL import Image

from lossbook.advisor.images import Backbone, Unreadable, features_of_arrays, read_image
from lossbook.advisor.reading import read
from lossbook.optional import MissingPackage

FEATURES = np.arange(24, dtype=np.float64).reshape(8, 3)
LABELS = np.array(["ä", "b", "ä", "b", "ä", "b", "ä", "b"])


def _write(kind, path, **columns):
    if kind == "npz":
        np.savez(path, **columns)
    else:
        numbers = {name: np.unique(v, return_inverse=True)[1] if v.dtype.kind == "U" else v for name, v in columns.items()}
        torch.save({name: torch.from_numpy(value) for name, value in numbers.items()}, path)


@pytest.mark.parametrize("kind", ["npz", "pt"])
def test_features_labels_and_groups_of_one_file(kind, tmp_path):
    _write(kind, tmp_path / f"my.{kind}", features=FEATURES, labels=LABELS, groups=np.array([5, 5, 1, 2, 3, 4, 6, 7]))
    samples = read(str(tmp_path / f"my.{kind}"))
    assert samples.labels.tolist() == [1, 0] * 4
    assert samples.classes == (("b", "ä") if kind == "npz" else ("0", "1"))
    assert samples.groups[0] == samples.groups[1] and len(set(samples.groups)) == 7
    assert np.array_equal(samples.features, FEATURES) and not samples.left_out


def test_a_pair_of_npy_files_is_not_read_into_memory(tmp_path):
    np.save(tmp_path / "x.npy", FEATURES.astype(np.float32))
    np.save(tmp_path / "y.npy", LABELS)
    samples = read(str(tmp_path / "x.npy"), str(tmp_path / "y.npy"))
    assert isinstance(samples.features, np.memmap)
    with pytest.raises(ValueError, match=r"expected --labels FILE\.npy"):
        read(str(tmp_path / "x.npy"))


def test_parquet_says_which_package_reads_it(tmp_path):
    (tmp_path / "my.parquet").write_bytes(b"PAR1")
    with pytest.raises((MissingPackage, ValueError), match=r"pyarrow|cannot be read"):
        read(str(tmp_path / "my.parquet"))


def test_a_split_of_the_data_is_kept(tmp_path):
    _write("npz", tmp_path / "my.npz", features=FEATURES, labels=LABELS, split=np.array(["train"] * 4 + ["test"] * 4))
    assert read(str(tmp_path / "my.npz")).part.tolist() == ["train"] * 4 + ["test"] * 4


def test_what_cannot_be_used_is_left_out_and_counted(tmp_path):
    features, labels = FEATURES.copy(), np.array([0, 1, 0, 1, 0, 1, np.nan, 7])
    features[0, 1] = np.inf
    _write("npz", tmp_path / "my.npz", features=features, labels=labels)
    samples = read(str(tmp_path / "my.npz"))
    assert samples.left_out == {
        "features that are not finite": 1,
        "no label": 1,
        "the only sample of its class (1 classes)": 1,
    }
    assert samples.labels.tolist() == [1, 0, 1, 0, 1]
    assert samples.classes == ("0.0", "1.0")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"features": FEATURES}, "labels is missing"),
        ({"x": FEATURES, "labels": LABELS}, "features is missing"),
        ({"features": FEATURES[:, 0], "labels": LABELS}, r"shape \(n, d\)"),
        ({"features": FEATURES, "labels": LABELS[:3]}, "expected one label per sample"),
        ({"features": FEATURES, "labels": np.zeros(8)}, "at least two classes with two samples each, got 1 of 1"),
        (
            {"features": FEATURES, "labels": LABELS, "split": np.array(["dev"] * 8)},
            "expected a split of train, val, test, got 'dev'",
        ),
        ({"features": FEATURES, "labels": LABELS, "split": np.array(["", *["test"] * 7])}, "1 have none"),
        ({"features": FEATURES, "labels": LABELS, "groups": np.zeros(3)}, "expected one group per sample"),
    ],
)
def test_wrong_columns_are_one_message(columns, message, tmp_path):
    _write("npz", tmp_path / "my.npz", **columns)
    with pytest.raises(ValueError, match=message):
        read(str(tmp_path / "my.npz"))


def test_neither_file_nor_folder_nor_name(tmp_path):
    with pytest.raises(ValueError, match="expected a folder of images, a file"):
        read("nothing-of-this-name")
    (tmp_path / "broken.npz").write_bytes(b"PK\\x03")
    with pytest.raises(ValueError, match=r"broken.npz cannot be read"):
        read(str(tmp_path / "broken.npz"))
    with pytest.raises(ValueError, match="has no image in a sub-folder"):
        read(str(tmp_path))


def _save(path, image, **arguments):
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **arguments)


def test_images_of_every_mode_are_upright_and_in_colour(tmp_path):
    red = Image.new("RGB", (30, 20), (200, 0, 0))
    modes = {
        "grey.png": (Image.new("L", (9, 9), 100), (100, 100, 100)),
        "grey16.png": (Image.fromarray(np.full((9, 9), 25700, np.uint16)), (100, 100, 100)),
        "palette.gif": (red.convert("P"), (200, 0, 0)),
        "cmyk.jpg": (Image.new("CMYK", (9, 9), (0, 0, 0, 0)), (255, 255, 255)),
        "clear.png": (Image.new("RGBA", (9, 9), (200, 0, 0, 0)), (255, 255, 255)),
        "bits.png": (Image.new("1", (9, 9), 1), (255, 255, 255)),
        "красный.png": (red, (200, 0, 0)),
    }
    for name, (image, colour) in modes.items():
        _save(tmp_path / name, image)
        found = read_image(tmp_path / name, 8)
        assert found.shape == (3, 8, 8)
        assert np.abs(found.mean((1, 2)) - colour).max() <= 4, name
    turned = Image.new("RGB", (8, 8))
    turned.paste((255, 255, 255), (0, 0, 8, 4))  # white above black
    exif = Image.Exif()
    exif[0x0112] = 3  # turned by 180 degrees
    _save(tmp_path / "turned.png", turned, exif=exif)
    upright = read_image(tmp_path / "turned.png", 8)
    assert upright[:, :4].max() == 0 and upright[:, 4:].min() == 255


def test_broken_and_huge_images_say_why(tmp_path, monkeypatch):
    whole = tmp_path / "whole.png"
    _save(whole, Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 40, 3), dtype=np.uint8)))
    (tmp_path / "cut.png").write_bytes(whole.read_bytes()[:600])
    (tmp_path / "empty.jpg").write_bytes(b"")
    for name in ("cut.png", "empty.jpg"):
        with pytest.raises(Unreadable, match="broken, or no image"):
            read_image(tmp_path / name, 8)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(Unreadable, match="more than 1,000 pixels"):
        read_image(whole, 8)


def test_a_folder_of_images(tmp_path, tiny):
    data = tmp_path / "data"
    for k in range(3):
        _save(data / "red" / f"{k}.png", Image.new("RGB", (9, 9), (200 + k, 0, 0)))
        _save(data / "blau" / f"{k}.png", Image.new("RGB", (9, 9), (0, 0, 200 + k)))
    (data / "red" / "broken.jpg").write_bytes(b"no")
    (data / "red" / "notes.txt").write_text("no")
    (data / "empty").mkdir()
    samples = read(str(data), backbone=tiny, cache=tmp_path / "cache")
    assert samples.classes == ("blau", "red")
    assert samples.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert samples.left_out == {"broken, or no image": 1, "files that are no images": 1}
    np.testing.assert_allclose(samples.features[3], [200 / 127.5 - 1, -1, -1], atol=1e-6)
    assert samples.backbone == tiny


def test_a_folder_with_parts(tmp_path, tiny):
    for part in ("train", "test"):
        for name in ("a", "b"):
            for k in range(2):
                _save(tmp_path / "data" / part / name / f"{k}.png", Image.new("RGB", (9, 9), (50 * k, 0, 0)))
    samples = read(str(tmp_path / "data"), backbone=tiny, cache=tmp_path / "cache")
    assert samples.part.tolist() == ["test"] * 4 + ["train"] * 4
    assert samples.classes == ("a", "b")


def test_features_are_computed_once_for_the_same_images(tmp_path, tiny, monkeypatch):
    images = np.random.default_rng(0).integers(0, 255, (5, 3, 8, 8), dtype=np.uint8)
    first = features_of_arrays(images, tiny, tmp_path)
    monkeypatch.setattr(Backbone, "build", lambda self: pytest.fail("computed again"))
    assert np.array_equal(features_of_arrays(images, tiny, tmp_path), first)
    with pytest.raises(pytest.fail.Exception):
        features_of_arrays(images[:4], tiny, tmp_path)


def test_a_backbone_that_does_not_exist():
    with pytest.raises(ValueError, match="cannot be imported"):
        Backbone("no_such_module:net").build()
    with pytest.raises(ValueError, match="expected a file of weights"):
        Backbone(weights="nothing.pt").build()


def test_a_data_sets_name_brings_its_own_test(tmp_path, tiny):
    samples = read("digits", backbone=tiny, cache=tmp_path)
    assert len(samples) == 1797 and (samples.part == "train").sum() == 900
    assert samples.features.shape == (1797, 3)

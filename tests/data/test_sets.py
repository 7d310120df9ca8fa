"""Data sets: bundled ones are verified and fixed; a missing or damaged one says so and how to mend it."""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from lossbook.data import (
    AUGMENTATIONS,
    DATASETS,
    Split,
    augment_batch,
    batches,
    first_of_each_class,
    held_out_classes,
    load,
    long_tail_counts,
    mix_batch,
    resize,
    subset,
    to_float,
)
from lossbook.data.features import chunk_files
from lossbook.data.sets import FEATURES, DataError, content_hash, data_dir
from lossbook.runs.spec import RunSpec


@pytest.fixture
def fresh_cache():
    load.cache_clear()
    yield
    load.cache_clear()


@pytest.mark.parametrize(("name", "train", "test", "size"), [("mnist5k", 2000, 3000, 28), ("digits", 900, 897, 8)])
def test_bundled_sets(name, train, test, size):
    data = load(name)
    assert (len(data.train), len(data.test)) == (train, test)
    assert data.train.images.shape == (train, 1, size, size)
    assert data.train.images.dtype == torch.uint8
    assert data.train.labels.bincount().unique().tolist() == [train // 10]
    assert data.num_classes == 10


@pytest.mark.parametrize("name", [name for name, (_, _, bundled) in DATASETS.items() if not bundled])
def test_downloaded_sets_where_they_are_found(name):
    folders = {"fashion-mnist": "FashionMNIST/raw", "cifar10": "cifar-10-batches-py/data_batch_5", "cifar100": "cifar-100-python"}
    folders |= {"omniglot": "omniglot", "imagenet-lt": "imagenet", "inaturalist2018": "inaturalist2018"}
    folders |= {"cub-retrieval": "CUB_200_2011", "cars-retrieval": "cars196", "sop": "Stanford_Online_Products"}
    folders |= {name: chunk_files(data_dir(), source, "train")[-1] for name, source in FEATURES.items()}
    if not (data_dir() / folders[name]).exists():
        pytest.skip(f"{name} is not under LOSSBOOK_DATA")
    data = load(name)
    assert len(data.train) + len(data.test) in (60000, 70000, 32460, 165846, 461939, 23576, 32370, 240106)
    assert len(data.train.labels.unique()) == data.num_classes


def test_damaged_content_names_set_folder_and_cure(fresh_cache, monkeypatch):
    loader, classes, bundled = DATASETS["digits"]
    train, test = loader()
    train.images[0, 0, 0, 0] += 1
    monkeypatch.setitem(DATASETS, "digits", (lambda: (train, test), classes, bundled))
    with pytest.raises(DataError, match=r"'digits' in an installed package: the train images .* reinstall"):
        load("digits")


def test_missing_files_name_set_folder_and_cure(fresh_cache, monkeypatch, tmp_path):
    torchvision_datasets = pytest.importorskip("lossbook._torchvision").datasets
    monkeypatch.setenv("LOSSBOOK_DATA", str(tmp_path))

    def no_network(self):
        raise OSError("no network")

    monkeypatch.setattr(torchvision_datasets.FashionMNIST, "download", no_network)
    with pytest.raises(DataError, match=rf"'fashion-mnist' in {tmp_path} is missing or damaged .*no network.*LOSSBOOK_DATA"):
        load("fashion-mnist")


def test_a_damaged_file_is_one_clear_error(fresh_cache, monkeypatch, tmp_path):
    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for part, count in (("train", 60000), ("t10k", 10000)):
        for kind in ("images-idx3-ubyte", "labels-idx1-ubyte"):
            (raw / f"{part}-{kind}").write_bytes(b"\0" * 64)
            with gzip.open(raw / f"{part}-{kind}.gz", "wb") as file:
                file.write(b"\0" * 64)
        assert count
    monkeypatch.setenv("LOSSBOOK_DATA", str(tmp_path))
    with pytest.raises(DataError, match="'fashion-mnist'"):
        load("fashion-mnist")


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"'imagenet'; expected one of mnist5k, digits"):
        load("imagenet")


def test_data_dir_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("LOSSBOOK_DATA", str(tmp_path))
    assert data_dir() == tmp_path
    monkeypatch.delenv("LOSSBOOK_DATA")
    assert data_dir() == Path(os.path.expanduser("~")) / ".cache" / "lossbook"  # noqa: PTH111


def test_select_relabels_in_the_order_given():
    data = load("digits")
    chosen = data.select((7, 2))
    first = chosen.train.images[chosen.train.labels == 0]
    assert torch.equal(first, data.train.images[data.train.labels == 7])
    assert chosen.num_classes == 2


def test_an_epoch_shows_every_image_once():
    split = Split(torch.arange(10, dtype=torch.uint8).view(10, 1, 1, 1), torch.arange(10))
    seen = [labels for _, labels in batches(split, 5, torch.Generator().manual_seed(0))]
    assert sorted(torch.cat(seen).tolist()) == list(range(10))
    images, labels = next(batches(split, 4, torch.Generator().manual_seed(0)))
    assert torch.equal(images.flatten().long(), labels)


def test_small_split_still_gives_a_batch():
    split = Split(torch.zeros(3, 1, 2, 2, dtype=torch.uint8), torch.zeros(3, dtype=torch.int64))
    assert [len(labels) for _, labels in batches(split, 100, torch.Generator())] == [3]


def test_to_float_and_resize():
    images = torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1).expand(2, 1, 4, 4)
    assert torch.equal(to_float(images)[:, 0, 0, 0], torch.tensor([-1.0, 1.0]))
    smaller = resize(Split(images, torch.zeros(2)), 2)
    assert smaller.images.shape == (2, 1, 2, 2)
    assert smaller.images.dtype == torch.uint8
    assert torch.equal(smaller.images[:, 0, 0, 0], torch.tensor([0, 255], dtype=torch.uint8))
    assert resize(smaller, 0) is smaller


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_augmentations_keep_shape_and_values(name):
    images = torch.rand(6, 3, 16, 16)
    new = augment_batch(images.clone(), (name,), torch.Generator().manual_seed(0))
    assert new.shape == images.shape
    assert np.isin(new.numpy(), images.numpy()).all()
    assert not torch.equal(new, images)


def test_content_hash_sees_every_pixel_and_label():
    split = Split(torch.zeros(2, 1, 2, 2, dtype=torch.uint8), torch.tensor([0, 1]))
    other = Split(split.images.clone(), torch.tensor([1, 0]))
    assert content_hash(split) != content_hash(other)
    other = Split(split.images.clone().index_fill_(0, torch.tensor([1]), 1), split.labels)
    assert content_hash(split) != content_hash(other)


@pytest.mark.parametrize(
    ("largest", "classes", "imbalance", "total"),
    [
        *((500, 100, 100, 10847), (500, 100, 50, 12608), (500, 100, 10, 19573)),
        *((5000, 10, 100, 12406), (5000, 10, 50, 13996), (5000, 10, 10, 20431)),
    ],
)
def test_long_tails_have_the_published_sizes(largest, classes, imbalance, total):
    counts = long_tail_counts(largest, classes, imbalance)
    assert counts.sum() == total
    assert counts[0] == largest
    assert counts[-1] == largest // imbalance


def test_long_tail_of_impossible_shape():
    with pytest.raises(ValueError, match=r"an imbalance of at least 1 and two classes, got 0\.5"):
        long_tail_counts(500, 10, 0.5)


def test_the_first_images_of_each_class_in_their_order():
    labels = torch.tensor([2, 0, 0, 1, 2, 0, 2])
    split = Split(torch.arange(7, dtype=torch.uint8).view(7, 1, 1, 1), labels)
    few = first_of_each_class(split, torch.tensor([2, 5, 1]))
    assert few.images.flatten().tolist() == [0, 1, 2, 3]
    assert few.labels.tolist() == [2, 0, 0, 1]


def test_subset_applies_few_images_and_a_long_tail():
    data = subset(RunSpec(dataset="digits", train_per_class=50, imbalance=10.0))
    counts = torch.bincount(data.train.labels)
    assert torch.equal(counts, long_tail_counts(50, 10, 10.0))
    assert len(data.test) == len(load("digits").test)


def test_groups_merge_classes_and_keep_what_they_were():
    data = subset(RunSpec(dataset="digits", groups=((0, 7), (3, 2), (5,))))
    assert data.num_classes == 3
    pairs = {tuple(pair) for pair in torch.stack([data.test.labels, data.test.fine], 1).tolist()}
    assert pairs == {(0, 0), (0, 7), (1, 3), (1, 2), (2, 5)}
    with pytest.raises(ValueError, match="at least two different classes"):
        subset(RunSpec(dataset="digits", groups=((0, 7), (7,))))


def test_left_out_classes():
    assert held_out_classes(RunSpec(dataset="digits")) is None
    rest = held_out_classes(RunSpec(dataset="digits", classes=tuple(range(8))))
    assert rest.labels.unique().tolist() == [0, 1]


@pytest.mark.parametrize("view", ["mixup", "cutmix", "mixup|cutmix"])
def test_a_mixed_image_is_made_of_its_share_of_two(view):
    """Images that are constant show both values: their mean gives the share."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(6)
    images = labels.view(6, 1, 1, 1).expand(6, 1, 20, 20).float().contiguous()
    for _ in range(20):
        mixed, partners, share = mix_batch(images, labels, view, 1.0, generator)
        assert sorted(partners.tolist()) == labels.tolist()
        assert 0 <= share <= 1
        torch.testing.assert_close(mixed.mean((1, 2, 3)), share * labels + (1 - share) * partners)
    assert torch.equal(images[:, 0, 0, 0], labels.float()), "the batch itself stays as it was"


def test_views_by_name():
    images, labels = torch.rand(4, 1, 4, 4), torch.arange(4)
    same, partners, share = mix_batch(images, labels, "plain", 1.0, torch.Generator())
    assert same is images
    assert partners is labels
    assert share == 1
    with pytest.raises(ValueError, match="unknown view 'mix'; expected some of plain, mixup"):
        mix_batch(images, labels, "mix", 1.0, torch.Generator())


def test_class_balanced_batches():
    labels = torch.cat([torch.full((count,), k) for k, count in enumerate((40, 6, 3, 20))])
    split = Split(torch.arange(len(labels), dtype=torch.uint8).view(-1, 1, 1, 1), labels)
    seen = list(batches(split, 8, torch.Generator().manual_seed(0), num_classes=2))
    assert len(seen) == len(labels) // 8
    for images, chosen in seen:
        assert torch.equal(labels[images.flatten().long()], chosen)
        counts = torch.bincount(chosen)
        assert sorted(counts[counts > 0].tolist()) == [4, 4]
        for k in counts.nonzero().flatten():
            own = images.flatten()[chosen == k]
            assert len(own.unique()) == min(4, (labels == k).sum())
    assert {k for _, chosen in seen for k in chosen.tolist()} == {0, 1, 2, 3}
    with pytest.raises(ValueError, match=r"batches of 1\.\.4 classes"):
        next(batches(split, 10, torch.Generator(), num_classes=5))


def test_omniglot_is_the_same_packed_and_as_folders(fresh_cache, monkeypatch, tmp_path):
    """A small copy in torchvision's layout: block means, drawers 1-15 train, evaluation characters counted on."""
    from PIL import Image

    from lossbook.data import sets

    for part, characters in (("background", ("B/character01", "A/character02")), ("evaluation", ("C/character01",))):
        for number, name in enumerate(characters):
            folder = tmp_path / "omniglot-py" / f"images_{part}" / name
            folder.mkdir(parents=True)
            for drawer in range(1, 21):
                ink = np.zeros((105, 105), dtype=bool)
                ink[: 3 * drawer, :3] = True
                Image.fromarray(~ink).save(folder / f"{number:04d}_{drawer:02d}.png")
    monkeypatch.setenv("LOSSBOOK_DATA", str(tmp_path))
    monkeypatch.setattr("lossbook._torchvision.datasets.Omniglot._check_integrity", lambda self: True)
    monkeypatch.setattr("lossbook._torchvision.datasets.Omniglot.download", lambda self: None)
    train, test = sets._omniglot()
    assert train.labels.bincount().tolist() == [15, 15, 15]
    assert test.labels.bincount().tolist() == [5, 5, 5]
    assert train.images.shape == (45, 1, 35, 35)
    assert [int((image == 255).sum()) for image in test.images[:5]] == [16, 17, 18, 19, 20]


@pytest.fixture
def photographs(monkeypatch, tmp_path):
    """Three photographs and the lists that name them, where ImageNet-LT is looked for."""
    from PIL import Image

    monkeypatch.setenv("LOSSBOOK_DATA", str(tmp_path))
    folder = tmp_path / "imagenet"
    (folder / "train" / "n 1").mkdir(parents=True)
    for name, size, grey in (("a", (300, 400), 10), ("b", (500, 250), 200), ("c", (100, 100), 90)):
        Image.new("RGB", size, (grey, grey, 0)).save(folder / "train" / "n 1" / f"{name}.png")
    (folder / "ImageNet_LT_train.txt").write_text("train/n 1/a.png 0\ntrain/n 1/b.png 7\n")
    (folder / "ImageNet_LT_test.txt").write_text("train/n 1/c.png 3\n")
    return folder


def test_photographs_by_their_published_lists(fresh_cache, monkeypatch, photographs):
    monkeypatch.setattr("lossbook.data.sets.COUNTS", {"imagenet-lt": {"train": 2, "test": 1}})
    data = load("imagenet-lt")
    assert data.train.images.shape == (2, 3, 224, 224)
    assert data.train.images[:, 0, 100, 100].tolist() == [10, 200]
    assert (data.train.labels.tolist(), data.test.labels.tolist()) == ([0, 7], [3])
    assert data.num_classes == 1000


def test_photographs_are_counted(fresh_cache, photographs):
    with pytest.raises(DataError, match=r"train images and labels have 2 images, expected 115,846 images; put the published"):
        load("imagenet-lt")
    (photographs / "train" / "n 1" / "b.png").unlink()
    with pytest.raises(
        DataError, match=r"'imagenet-lt' in .* is missing or damaged \(FileNotFoundError.*b\.png.*put the published"
    ):
        load("imagenet-lt")


@pytest.fixture
def cars(monkeypatch, tmp_path):
    """Three cars in the published layout, the labels out of order."""
    from PIL import Image
    from scipy.io import savemat

    monkeypatch.setenv("LOSSBOOK_DATA", str(tmp_path))
    folder = tmp_path / "cars196"
    (folder / "car_ims").mkdir(parents=True)
    rows = np.zeros(3, dtype=[("relative_im_path", object), ("class", object), ("test", object)])
    for k, (label, grey) in enumerate(((1, 10), (196, 90), (100, 200))):
        Image.new("RGB", (300, 200), (grey, 0, 0)).save(folder / "car_ims" / f"{k}.png")
        rows[k] = (f"car_ims/{k}.png", label, 0)
    savemat(folder / "cars_annos.mat", {"annotations": rows})
    return folder


def _cub(folder: Path) -> None:
    from PIL import Image

    (folder / "images" / "001.a").mkdir(parents=True)
    (folder / "images.txt").write_text("1 001.a/x.png\n2 001.a/y.png\n")
    (folder / "image_class_labels.txt").write_text("1 1\n2 200\n")
    for name, grey in (("x", 10), ("y", 90)):
        Image.new("RGB", (50, 60), (grey, 0, 0)).save(folder / "images" / "001.a" / f"{name}.png")


def _sop(folder: Path) -> None:
    from PIL import Image

    (folder / "bicycle_final").mkdir(parents=True)
    for part, label, grey in (("train", 11318, 10), ("test", 22634, 90)):
        Image.new("L", (50, 60), grey).save(folder / "bicycle_final" / f"{part}.png")
        header = "image_id class_id super_class_id path\n"
        (folder / f"Ebay_{part}.txt").write_text(f"{header}1 {label} 1 bicycle_final/{part}.png\n")


@pytest.mark.parametrize(
    ("name", "folder", "make", "labels"),
    [
        ("cub-retrieval", "CUB_200_2011", _cub, [0, 199]),
        ("sop", "Stanford_Online_Products", _sop, [11317, 22633]),
    ],
)
def test_retrieval_sets_have_all_images_in_both_splits(fresh_cache, monkeypatch, tmp_path, name, folder, make, labels):
    monkeypatch.setenv("LOSSBOOK_DATA", str(tmp_path))
    monkeypatch.setattr("lossbook.data.sets.COUNTS", {name: {"train": 2, "test": 2}})
    make(tmp_path / folder)
    data = load(name)
    assert data.train.labels.tolist() == data.test.labels.tolist() == labels
    assert data.train.images.shape == (2, 3, 224, 224)
    assert data.test.images[:, 0, 100, 100].tolist() == [10, 90]
    assert data.num_classes > max(labels)


def test_cars_by_their_published_layout(fresh_cache, monkeypatch, cars):
    monkeypatch.setattr("lossbook.data.sets.COUNTS", {"cars-retrieval": {"train": 3, "test": 3}})
    data = load("cars-retrieval")
    assert data.train.labels.tolist() == [0, 195, 99]
    assert data.test.images[:, 0, 100, 100].tolist() == [10, 90, 200]


def test_retrieval_sets_are_counted_and_never_downloaded(fresh_cache, monkeypatch, cars):
    with pytest.raises(DataError, match=r"'cars-retrieval' in .*: the train images .* 3 images, expected 16,185 images; put the"):
        load("cars-retrieval")
    (cars / "car_ims" / "1.png").unlink()
    with pytest.raises(DataError, match=r"'cars-retrieval' in .* is missing or damaged \(FileNotFoundError.*1\.png.*put the"):
        load("cars-retrieval")


def test_an_unknown_half_of_a_retrieval_set(fresh_cache, monkeypatch, cars):
    """Training sees the classes of the run, retrieval all images of the others."""
    monkeypatch.setattr("lossbook.data.sets.COUNTS", {"cars-retrieval": {"train": 3, "test": 3}})
    spec = RunSpec(dataset="cars-retrieval", classes=tuple(range(98)))
    assert subset(spec).train.images[:, 0, 100, 100].tolist() == [10]
    assert held_out_classes(spec).images[:, 0, 100, 100].tolist() == [90, 200]

"""Omniglot from torchvision's folders."""

import numpy as np

from lossbook.data.omniglot import OMNIGLOT


def test_omniglot_is_read_from_folders(monkeypatch, tmp_path):
    """A small copy in torchvision's layout: block means, drawers 1-15 train, evaluation characters counted on."""
    from PIL import Image

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
    train, test = OMNIGLOT.read(("train", "test"))
    assert train.labels.bincount().tolist() == [15, 15, 15]
    assert test.labels.bincount().tolist() == [5, 5, 5]
    assert train.images.shape == (45, 1, 35, 35)
    assert [int((image == 255).sum()) for image in test.images[:5]] == [16, 17, 18, 19, 20]

"""Pairs of pictures from a folder: read, and each damage named."""

import pytest
import torch

from lossbook.data.dataset import DataError
from lossbook.data.pairs import read_pairs


@pytest.fixture
def folder(tmp_path):
    """Dark and bright people, two pictures each, in two folds."""
    from PIL import Image

    lines = ["left,right,same,fold"]
    for fold in range(2):
        for name, grey in ((f"dark{fold}", 20 + fold), (f"bright{fold}", 200 + fold)):
            (tmp_path / name).mkdir()
            for k in range(2):
                Image.new("RGB", (30 + k, 40), (grey + k, grey, grey)).save(tmp_path / name / f"{k}.png")
            lines.append(f"{name}/0.png,{name}/1.png,1,{fold}")
        lines += [f"dark{fold}/{k}.png,bright{fold}/0.png,0,{fold}" for k in range(2)]
    (tmp_path / "pairs.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_pairs_of_a_folder_are_read(folder):
    pairs = read_pairs(folder, size=8)
    assert pairs.left.shape == pairs.right.shape == (8, 3, 8, 8)
    assert pairs.left.dtype == torch.uint8
    assert pairs.left[:, 1, 4, 4].tolist() == [20, 200, 20, 20, 21, 201, 21, 21]
    assert pairs.right[:, 0, 4, 4].tolist() == [21, 201, 200, 200, 22, 202, 201, 201]
    assert pairs.same.tolist() == [True, True, False, False] * 2
    assert pairs.fold.tolist() == [0] * 4 + [1] * 4
    assert read_pairs(folder, size=4, gray=True).left.shape == (8, 1, 4, 4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n", r"expected the columns left, right, same, fold, got a, b"),
        ("left,right,same,fold\n", "no pairs"),
        ("left,right,same,fold\ndark0/0.png,dark0/1.png,yes,0\n", "line 2: ValueError: same must be 0 or 1, got 'yes'"),
        ("left,right,same,fold\ndark0/0.png,dark0/1.png,1,x\n", "line 2: ValueError"),
        ("left,right,same,fold\ndark0/0.png,dark0/1.png,1\n", "line 2: TypeError"),
        ("left,right,same,fold\ndark0/0.png,dark9/1.png,1,0\n", "line 2: FileNotFoundError.*dark9"),
        ("left,right,same,fold\ndark0/0.png,pairs.csv,1,0\n", "line 2: UnidentifiedImageError"),
    ],
)
def test_a_damaged_folder_is_one_clear_error(folder, text, message):
    (folder / "pairs.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read_pairs(folder, size=8)


def test_a_folder_without_pairs(tmp_path):
    with pytest.raises(DataError, match=r"no pairs\.csv in .* expected a file with the columns left, right, same, fold"):
        read_pairs(tmp_path, size=8)

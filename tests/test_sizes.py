"""The repository stays small: a clone takes all that was ever committed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LARGEST = 2_000_000  # bytes; a page with many figures is 1.2 million, what there is on each pair of a hundred classes 1.8


def test_no_committed_file_is_large():
    if not (ROOT / ".git").exists():
        pytest.skip("not a clone")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    paths = [ROOT / name for name in listed.split("\0") if name]
    assert [path.name for path in paths if path.is_file() and path.stat().st_size > LARGEST] == []

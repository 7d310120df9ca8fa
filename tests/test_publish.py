"""The published site keeps one book per version, newest first, on a branch of its own."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def publish(tmp_path):
    """The script in a small repository with a remote, as a module."""
    (tmp_path / "work" / ".ci").mkdir(parents=True)
    script = tmp_path / "work" / ".ci" / "publish.py"
    script.write_text((ROOT / ".ci" / "publish.py").read_text())
    for command in (
        ["init", "-q", "--bare", str(tmp_path / "remote")],
        ["init", "-q", "-b", "main", str(tmp_path / "work")],
        ["-C", str(tmp_path / "work"), "add", "."],
        ["-C", str(tmp_path / "work"), "-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "-qm", "x"],
        ["-C", str(tmp_path / "work"), "remote", "add", "origin", str(tmp_path / "remote")],
    ):
        subprocess.run(["git", *command], check=True)
    spec = importlib.util.spec_from_file_location("publish", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _book(folder: Path, text: str) -> Path:
    (folder / "_static").mkdir(parents=True)
    (folder / "index.html").write_text(text)
    (folder / "_static" / "style.css").write_text("")
    return folder


def _shown(tmp_path: Path, path: str) -> str:
    command = ["git", "-C", str(tmp_path / "remote"), "show", f"gh-pages:{path}"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_versions_stand_side_by_side(publish, tmp_path):
    for number, version in enumerate(("latest", "v1.9.0", "v1.10.0", "latest")):
        publish.main(_book(tmp_path / f"html{number}", f"book {number}"), version)
    assert json.loads(_shown(tmp_path, "versions.json")) == ["latest", "v1.10.0", "v1.9.0"]
    assert _shown(tmp_path, "latest/index.html") == "book 3"
    assert _shown(tmp_path, "v1.9.0/index.html") == "book 1"
    assert _shown(tmp_path, "v1.9.0/_static/style.css") == ""
    assert "url=latest/" in _shown(tmp_path, "index.html")
    tree = subprocess.run(
        ["git", "-C", str(tmp_path / "remote"), "ls-tree", "--name-only", "gh-pages"], check=True, capture_output=True, text=True
    )
    assert tree.stdout.split() == [".nojekyll", "index.html", "latest", "v1.10.0", "v1.9.0", "versions.json"]
    left = subprocess.run(["git", "-C", str(tmp_path / "work"), "worktree", "list"], check=True, capture_output=True, text=True)
    assert len(left.stdout.splitlines()) == 1

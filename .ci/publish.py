"""Put a built book beside the other versions on the branch ``gh-pages``, and push it.

    python .ci/publish.py _build/html latest

The branch holds one folder per version, ``versions.json`` (newest first), and an ``index.html`` that leads to ``latest``.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

BRANCH = "gh-pages"
_INDEX = (
    '<!doctype html><meta charset="utf-8"><title>Beyond Softmax</title>'
    '<meta http-equiv="refresh" content="0; url=latest/"><a href="latest/">Beyond Softmax</a>\n'
)


def _git(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True)


def lay_out(html: Path, site: Path, version: str) -> None:
    """Replace the folder of the version in the site, and write its list of versions."""
    shutil.rmtree(site / version, ignore_errors=True)
    shutil.copytree(html, site / version)
    found = sorted((path.parent.name for path in site.glob("*/index.html")), key=_order, reverse=True)
    (site / "versions.json").write_text(json.dumps(found) + "\n", encoding="utf-8")
    (site / "index.html").write_text(_INDEX, encoding="utf-8")
    (site / ".nojekyll").touch()  # folders that begin with an underscore are served too


def _order(version: str) -> tuple[bool, tuple[int, ...]]:
    """``latest`` first, then by number: v1.10.0 comes before v1.9.0."""
    return version == "latest", tuple(int(part) for part in version.lstrip("v").split(".") if part.isdigit())


def main(html: Path, version: str) -> None:
    root = Path(__file__).resolve().parents[1]
    with tempfile.TemporaryDirectory() as temporary:
        site = Path(temporary) / "site"
        known = _git("ls-remote", "--heads", "origin", BRANCH, folder=root).stdout
        if known:
            _git("fetch", "--depth", "1", "origin", BRANCH, folder=root)
            _git("worktree", "add", "--detach", str(site), "FETCH_HEAD", folder=root)
        else:
            _git("worktree", "add", "--detach", str(site), folder=root)
        try:
            _git("checkout", "--orphan", f"publish-{version}", folder=site)
            if not known:
                _git("rm", "-rfq", ".", folder=site)
            lay_out(html.resolve(), site, version)
            _git("add", "--all", "--force", folder=site)
            _git(
                "-c", "user.name=Beyond Softmax", "-c", "user.email=book@users.noreply.example",
                "commit", "-qm", f"The book, {version}", folder=site,
            )  # fmt: skip
            _git("push", "--force", "origin", f"HEAD:refs/heads/{BRANCH}", folder=site)
        finally:
            _git("worktree", "remove", "--force", str(site), folder=root)
            subprocess.run(["git", "-C", str(root), "branch", "-D", f"publish-{version}"], check=False, capture_output=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])

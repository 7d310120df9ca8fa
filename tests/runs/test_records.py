"""Records: written whole or not at all, valid only for the code that made them, resumed where missing."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from waiting import wait_for

from lossbook.files import write_atomically
from lossbook.runs import records as records_module
from lossbook.runs import train as training
from lossbook.runs.missing import train_missing
from lossbook.runs.records import Store
from lossbook.runs.spec import RunSpec
from lossbook.runs.train import train

TINY = RunSpec(model="mlp", image_size=7, epochs=1, objective="bce-u", lr=0.03)


@pytest.fixture(scope="module")
def result():
    return train(TINY)


def test_a_record_comes_back(tmp_path, result):
    store = Store(tmp_path)
    path = store.save(result)
    record = store.load(TINY)
    assert record["spec"]["objective"] == "bce-u"
    assert RunSpec.from_mapping(record["spec"]) == TINY
    assert path.name == f"{TINY.run_id}.json"
    assert {"commit", "torch", "threads"} <= set(record["provenance"])
    assert [p.name for p in tmp_path.iterdir()] == [path.name], "no temporary file is left"


def test_the_commit_is_that_of_the_project_and_of_nothing_else(tmp_path, monkeypatch):
    """The project unpacked inside another repository, or installed into an environment there, has no commit; nor without git."""
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", "-C", str(tmp_path)]
    package = tmp_path / "project" / "src" / "lossbook"
    package.mkdir(parents=True)
    monkeypatch.setattr(records_module, "PACKAGE_DIR", package)
    for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "of something else"]):
        subprocess.run([*git, *command], check=True)
    assert records_module.commit() == "unknown"
    (tmp_path / ".git").rename(tmp_path / "project" / ".git")
    commit = records_module.commit()
    assert len(commit) == 12
    assert int(commit, 16)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert records_module.commit() == "unknown"


@pytest.mark.parametrize("damage", [b"", b"{", b'{"spec": {}}', b"null", b"[]", b"\xff\xfe"])
def test_a_damaged_record_counts_as_missing(tmp_path, result, damage):
    store = Store(tmp_path)
    store.save(result).write_bytes(damage)
    assert store.missing([TINY]) == [TINY]


def test_a_flipped_byte_in_a_record_is_found_wherever_it_is(tmp_path, result):
    """Most digits of a number can change and leave good JSON; a 17th one may change and leave the same number."""
    store = Store(tmp_path)
    path = store.save(result)
    content, record = path.read_bytes(), store.load(TINY)
    for place in range(0, len(content) - 1, 97):
        flipped = bytes([content[place] ^ 1])
        if not (content[place : place + 1] + flipped).isspace():
            path.write_bytes(content[:place] + flipped + content[place + 1 :])
            assert store.load(TINY) in (None, record), place
    path.write_bytes(content)
    assert store.missing([TINY]) == []


def test_changed_code_makes_a_record_missing(tmp_path, result, monkeypatch):
    store = Store(tmp_path)
    store.save(result)
    assert store.missing([TINY]) == []
    monkeypatch.setattr(records_module, "code_of", lambda spec: "other")
    assert store.missing([TINY]) == [TINY]


def test_only_what_is_missing_is_trained(tmp_path, result, monkeypatch):
    store = Store(tmp_path)
    store.save(result)
    trained = []
    monkeypatch.setattr(training, "train", lambda spec, *more: trained.append(spec) or train(spec, *more))
    records = train_missing([TINY, TINY.replace(seed=1)], store)
    assert [spec.seed for spec in trained] == [1]
    assert [RunSpec.from_mapping(record["spec"]).seed for record in records] == [0, 1]


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    write_atomically(path, "old")
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_missing_values_are_null(tmp_path, result):
    text = Store(tmp_path).save(result).read_text()
    assert "NaN" not in text
    json.loads(text, parse_constant=lambda name: pytest.fail(name))


@pytest.mark.slow
def test_killed_while_running_leaves_whole_records_and_resumes(tmp_path):
    program = (
        "import sys; from lossbook.runs.missing import train_missing; from lossbook.runs.records import Store\n"
        "from lossbook.runs.spec import RunSpec\n"
        "spec = RunSpec(model='mlp', image_size=7, epochs=1, objective='bce-u', lr=0.03)\n"
        "train_missing([spec.replace(seed=s) for s in range(2000)], Store(sys.argv[1]))"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: len(list(tmp_path.glob("*.json"))) >= 3, 120)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = [path for path in tmp_path.iterdir() if path.suffix == ".json"]
    assert len(done) >= 3
    for path in done:
        json.loads(Path(path).read_text())
    specs = [TINY.replace(seed=seed) for seed in range(len(done) + 1)]
    assert len(Store(tmp_path).missing(specs)) == 1

"""The evidence made again: trained in two processes, written when it is whole."""

from types import SimpleNamespace

import pandas as pd
import pytest

from lossbook.book import evidence as module
from lossbook.papers.paper import Evidence
from lossbook.runs.missing import train_missing
from lossbook.runs.records import Store
from lossbook.runs.spec import RunSpec
from lossbook.runs.tables import Table

SPEC = RunSpec(dataset="digits", model="mlp", epochs=1)
TABLE = Table("a", "a", {"quick": (SPEC, SPEC.replace(lr=0.02))}, seeds={"quick": 2})
BROKEN = Table("b", "b", {"quick": (SPEC.replace(model="none"),)}, seeds={"quick": 1})


@pytest.fixture
def paper(monkeypatch):
    """A made-up paper; its tables can be replaced."""
    made = SimpleNamespace(evidence=Evidence("made-up", (TABLE,)))
    monkeypatch.setattr(module, "get_paper", lambda name: made)
    return made


@pytest.mark.slow
def test_what_is_missing_is_trained_and_a_paper_is_written_when_it_is_whole(paper, tmp_path):
    store = Store(tmp_path / "runs")
    (before,) = train_missing(TABLE.runs("quick")[:1], store)
    kept = store.path(TABLE.runs("quick")[0]).stat().st_mtime_ns
    paper.evidence = Evidence("made-up", (TABLE, BROKEN))
    with pytest.raises(ValueError, match="none"):
        module.make_evidence("made-up", "quick", store.root, tmp_path)
    assert not (tmp_path / "quick").exists(), "not whole"
    paper.evidence = Evidence("made-up", (TABLE,))
    (path,) = module.make_evidence("made-up", "quick", store.root, tmp_path)
    assert path == tmp_path / "quick" / "made-up.csv"
    rows = pd.read_csv(path)
    assert rows["run_id"].tolist() == [spec.run_id for spec in TABLE.runs("quick")]
    assert rows["run_id"][0] == before["run_id"]
    assert store.path(TABLE.runs("quick")[0]).stat().st_mtime_ns == kept, "a run with a record is not trained again"
    assert set(rows["threads"][1:]) == {1}


@pytest.mark.slow
def test_twice_the_epochs_go_into_a_folder_of_their_own(paper, tmp_path):
    assert module.make_evidence("made-up", "quick", tmp_path / "runs", tmp_path, longer=True) == [], "no claim reads it"
    read = Table("c", "c", {"quick": (SPEC,)}, seeds={"quick": 20})
    paper.evidence = Evidence("made-up", (TABLE, read))
    (path,) = module.make_evidence("made-up", "quick", tmp_path / "runs", tmp_path, longer=True)
    assert path == tmp_path / "quick-longer" / "made-up.csv"
    rows = pd.read_csv(path)
    assert rows["table"].tolist() == ["c"] * 5
    assert rows["spec"].str.contains('"epochs":2').all()


def test_each_tier_is_made_paper_by_paper_and_the_frozen_one_where_its_features_are(monkeypatch, tmp_path, capsys):
    made, recorded = [], []
    monkeypatch.setattr(module, "make_evidence", lambda *arguments: made.append((*arguments[:2], arguments[-1])) or [])
    monkeypatch.setattr(module, "record", lambda dataset, path: recorded.append(path))
    monkeypatch.setattr(module, "missing_features", lambda: ["omniglot"])
    module.make_all("", tmp_path, tmp_path)
    assert made == [(name, "quick", longer) for name in module.papers_at("quick") for longer in (False, True)]
    printed = capsys.readouterr().out
    assert "the features of omniglot are missing; `lossbook features`" in printed
    assert printed.splitlines()[-1].startswith("Now run `make notebooks`")
    made.clear()
    monkeypatch.setattr(module, "missing_features", list)
    module.make_all("uniform", tmp_path, tmp_path)
    assert made == [("uniform", tier, longer) for tier in ("quick", "frozen") for longer in (False, True)]
    assert set(recorded) == {tmp_path / "frozen/features.csv"}


def test_an_unknown_paper_is_an_error():
    with pytest.raises(ValueError, match="unknown paper 'unifrom'"):
        module.make_all("unifrom")


def test_features_count_as_there_when_every_file_is(monkeypatch, tmp_path):
    monkeypatch.setenv("LOSSBOOK_DATA", str(tmp_path))
    cache = module.CACHES["omniglot"]
    monkeypatch.setattr(module, "CACHES", {"omniglot": cache})
    files = [path for part in cache.counts for path in cache.files(part)]
    files[0].parent.mkdir(parents=True)
    for path in files[:-1]:
        path.touch()
    assert module.missing_features() == ["omniglot"]
    files[-1].touch()
    assert module.missing_features() == []

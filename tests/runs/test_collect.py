"""Records to results: a tier with all its tables, or with some of them."""

import pandas as pd
import pytest

from lossbook import collect
from lossbook.papers.paper import Paper, Table
from lossbook.runs.spec import RunSpec
from lossbook.runs.records import Store

SPEC = RunSpec(dataset="digits", model="mlp", epochs=1)
TABLES = tuple(Table(name, name, {"quick": (SPEC.replace(lr=lr),)}, seeds={"quick": 2}) for name, lr in (("a", 0.1), ("b", 0.2)))


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr(collect, "get_paper", lambda name: Paper(name, "title", TABLES, (), ()))
    return Store(tmp_path / "runs")


def test_tables_that_are_whole_can_be_written_without_the_others(store, tmp_path):
    store.run(TABLES[1].runs("quick"))
    store.run(TABLES[0].runs("quick")[:1])  # one of its two
    with pytest.raises(RuntimeError, match=r"1 run\(s\) of paper a are missing"):
        collect.write_results("paper", "quick", store.root, tmp_path)
    (path,) = collect.write_results("paper", "quick", store.root, tmp_path, partial=True)
    assert set(pd.read_csv(path)["table"]) == {"b"}
    store.run(TABLES[0].runs("quick"))
    (path,) = collect.write_results("paper", "quick", store.root, tmp_path, partial=True)
    whole = path.read_text()
    assert set(pd.read_csv(path)["table"]) == {"a", "b"}
    collect.write_results("paper", "quick", store.root, tmp_path)
    assert path.read_text() == whole

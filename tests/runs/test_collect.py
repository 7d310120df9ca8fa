"""Records to results: a tier with all its tables, or with some of them."""

import pandas as pd
import pytest

from lossbook.runs.collect import write_results
from lossbook.runs.missing import train_missing
from lossbook.runs.records import Store
from lossbook.runs.spec import RunSpec
from lossbook.runs.tables import Table

SPEC = RunSpec(dataset="digits", model="mlp", epochs=1)
TABLES = tuple(
    Table(name, name, {"quick": (SPEC.replace(lr=lr),)}, seeds={"quick": 2}, small_tables=("curves",))
    for name, lr in (("a", 0.1), ("b", 0.2))
)


def test_tables_that_are_whole_can_be_written_without_the_others(tmp_path):
    store = Store(tmp_path / "runs")
    train_missing(TABLES[1].runs("quick"), store)
    train_missing(TABLES[0].runs("quick")[:1], store)  # one of its two
    with pytest.raises(RuntimeError, match=r"1 run\(s\) of paper a are missing"):
        write_results("paper", TABLES, "quick", store.root, tmp_path)
    path, curves = write_results("paper", TABLES, "quick", store.root, tmp_path, partial=True)
    assert set(pd.read_csv(path)["table"]) == {"b"}
    assert set(pd.read_csv(curves)["run_id"]) == {TABLES[1].runs("quick")[0].run_id}, "of the first seed only"
    train_missing(TABLES[0].runs("quick"), store)
    path, _ = write_results("paper", TABLES, "quick", store.root, tmp_path, partial=True)
    whole = path.read_text()
    assert set(pd.read_csv(path)["table"]) == {"a", "b"}
    write_results("paper", TABLES, "quick", store.root, tmp_path)
    assert path.read_text() == whole


def test_nothing_is_written_where_the_tier_has_no_runs(tmp_path):
    with pytest.raises(ValueError, match="no table of paper has runs at the tier frozen"):
        write_results("paper", TABLES, "frozen", tmp_path, tmp_path, partial=True)

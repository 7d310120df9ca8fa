"""The page of measured ratios: goals met and missed, suites without goals, what is shown; keys sorted as numpy sorts them."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lossbook.book import benchmark_figures as figures
from lossbook.book.benchmarks import goals_met, judge, load_suites, machines, seconds_to_accuracy, suite_table
from lossbook.metrics.ordering import lexsort

ROW = {
    "case": "a < b, n=3",
    "peer": "torch & co",
    "time_ratio": 0.5,
    "memory_ratio": 2.0,
    "ours_ms": 1500.0,
    "ours_mib": 0.25,
    "value_error": 3e-7,
    "machine": "processor",
    "device": "cpu",
    "threads": 1,
    "torch": "2",
    "repeats": 5,
}


@pytest.fixture
def folder(tmp_path):
    with_goals = [ROW | {"time_goal": 0.5, "memory_goal": 1.0, "error_goal": 1e-6}, ROW | {"case": "c", "repeats": 15}]
    pd.DataFrame(with_goals).to_csv(tmp_path / "retrieval.csv", index=False)
    pd.DataFrame([ROW]).to_csv(tmp_path / "aaa.csv", index=False)
    pd.DataFrame({"what": ["make book"], "seconds": [1]}).to_csv(tmp_path / "book.csv", index=False)
    return tmp_path


def test_every_csv_with_ratios_is_a_suite(folder):
    suites = load_suites(folder)
    assert list(suites) == ["retrieval", "aaa"]  # known ones first
    assert all({"time_goal", "memory_goal", "error_goal"} <= set(frame) for frame in suites.values())


def test_goals_are_met_up_to_their_value(folder):
    suites = load_suites(folder)
    found = judge(suites["retrieval"])
    assert found[["case", "measure", "word"]].to_numpy().tolist() == [
        ["a < b, n=3", "time", "met"],
        ["a < b, n=3", "memory", "missed"],
        ["a < b, n=3", "error", "met"],
    ]
    assert judge(suites["aaa"]).empty
    assert goals_met(suites).to_numpy().tolist() == [["Retrieval", 2, 1]]


def test_what_a_table_says(folder):
    text = suite_table(load_suites(folder)["retrieval"], "Caption <1>")._repr_html_()
    for piece in (
        "<caption>Caption &lt;1&gt;</caption>",
        "<b>a &lt; b, n=3</b><br>torch &amp; co",
        "0.5<br>1.5&nbsp;s",
        "2<br>0.25&nbsp;MiB",
        "3e-07",
        '<span class="verdict-met">met: time ≤ 0.5</span>',
        '<span class="verdict-missed">missed: memory ≤ 1</span>',
    ):
        assert piece in text, piece
    assert "verdict" not in suite_table(load_suites(folder)["aaa"], "")._repr_html_()


def test_machines_are_told_apart(folder):
    suites = load_suites(folder)
    assert machines(suites)[["repeats", "suites"]].to_numpy().tolist() == [["5 to 15", "Retrieval, aaa"]]
    suites["aaa"] = suites["aaa"].assign(machine="another")
    assert list(machines(suites)["machine"]) == ["processor", "another"]


def test_the_figure_has_a_line_for_every_case_with_a_goal_on_a_ratio(folder):
    figures.ratios(load_suites(folder))
    axis = plt.gca()
    assert [label.get_text() for label in axis.get_yticklabels()] == ["a < b, n=3\nbeside torch & co"]
    assert axis.get_xscale() == "log"
    plt.close("all")


def test_our_trainings_stand_below_the_published_ones_once_measured(folder):
    published = seconds_to_accuracy(folder, "data/published/airbench/records.csv")
    assert set(published["data set"]) == {"cifar10"}
    run = {"what": "resnet", "dataset": "cifar100", "target": 75.0, "device": "gpu", "torch": "2"}
    runs = [run | {"seed": seed, "accuracy": 75 + seed, "seconds": 100.0 + seed**2} for seed in range(3)]
    pd.DataFrame(runs).to_csv(folder / "accuracy.csv", index=False)
    assert list(load_suites(folder)) == ["retrieval", "aaa"]
    both = seconds_to_accuracy(folder, "data/published/airbench/records.csv")
    assert both.iloc[:-1].equals(published)
    assert both.iloc[-1].tolist() == ["resnet", "cifar100", "76.00", "101", "gpu", "this project, 3 runs; to reach 75.00 %"]


def test_an_empty_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="make benchmarks"):
        load_suites(tmp_path)


values = st.one_of(st.sampled_from([-0.0, 0.0, np.inf, -np.inf, 1e-45]), st.floats(width=32, allow_nan=False))


@given(st.lists(st.tuples(values, st.integers(0, 2)), min_size=1, max_size=20), st.sampled_from([torch.float32, torch.float64]))
def test_lexsort_is_numpys(pairs, dtype):
    first, second = torch.tensor([p[0] for p in pairs], dtype=dtype), torch.tensor([p[1] for p in pairs])
    assert lexsort(first).tolist() == np.lexsort((first.numpy(),)).tolist()
    assert lexsort(first, second).tolist() == np.lexsort((first.numpy(), second.numpy())).tolist()
    assert lexsort(second, first).tolist() == np.lexsort((second.numpy(), first.numpy())).tolist()
    large = second * 2**40  # not in 32 bits
    assert lexsort(first, large).tolist() == np.lexsort((first.numpy(), large.numpy())).tolist()
    assert lexsort(-second, first).tolist() == np.lexsort((-second.numpy(), first.numpy())).tolist()

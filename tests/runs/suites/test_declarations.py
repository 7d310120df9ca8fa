"""Every suite returns exactly what it declares, on tiny runs that reach all its cases."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from lossbook.data.other_sets import OTHER_SETS
from lossbook.runs.results import TRAINING_METRICS
from lossbook.runs.spec import RunSpec
from lossbook.runs.suites import retrieval
from lossbook.runs.suites.lookup import get_suite, metrics_of
from lossbook.runs.suites.registry import SUITES
from lossbook.runs.suites.suite import Suite
from lossbook.runs.train import RunResult, train

TINY = RunSpec(dataset="digits", model="mlp", train_per_class=10, epochs=2, batch_size=20, lr=0.01)
OPEN = TINY.replace(classes=(0, 1, 2, 3, 4, 5, 6, 7))

# Suite -> runs that together measure everything that it declares.
RUNS: dict[str, tuple[RunSpec, ...]] = {
    "bench": (OPEN.replace(objective="warped-bce"), TINY),
    "collapse": (TINY,),
    "corruption": (OPEN,),
    "diversity": (TINY.replace(groups=((0, 1), (2, 3)), objective="multicenter"), TINY),
    "geometry": (TINY,),
    "layers": (TINY,),
    "longtail": (TINY,),
    "neighbours": (OPEN,),
    "ood": (TINY,),
    "ood_printed": (TINY,),
    "openset": (OPEN.replace(objective="ce+occe-dual"), OPEN),
    "plane": (TINY.replace(objective="euclidean-softmax", embedding_size=2),),
    "posthoc": (TINY,),
    "reality_check": (OPEN.replace(embedding_size=8),),
    "rejection": (OPEN.replace(objective="bce-u"), OPEN),
    "rejection_others": (TINY.replace(objective="bce-u"),),
    "retrieval": (OPEN.replace(objective="euclidean-softmax"), OPEN),
    "tsne": (TINY, TINY.replace(seed=1)),
    "uniformity": (TINY.replace(objective="bce-u"), TINY.replace(objective="bce-d"), TINY.replace(objective="soft-0")),
    "verification": (OPEN,),
}


@dataclass(frozen=True)
class Found:
    """What the runs of a suite returned together."""

    metrics: frozenset[str]
    small_tables: dict[str, frozenset[str]]


def run(name: str, spec: RunSpec) -> RunResult:
    result = train(spec.replace(suites=(name,)))
    assert result.metrics["diverged"] == 0
    return result


@pytest.fixture(scope="module", params=RUNS)
def measured(request: pytest.FixtureRequest) -> tuple[Suite, Found]:
    """A suite, and what its runs returned."""
    name = request.param
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(OTHER_SETS, "ood_printed", {"digits": ("faces",)})
        patch.setitem(OTHER_SETS, "rejection_others", {"digits": ("mnist5k",)})
        results = [run(name, spec) for spec in RUNS[name]]
        if name == "retrieval":
            patch.setattr(retrieval, "_MANY_CLASSES", 1)
            results.append(run(name, TINY.replace(dataset="mnist5k", classes=(0, 1, 2, 3, 4))))
    metrics = frozenset().union(*(result.metrics.keys() for result in results)) - set(TRAINING_METRICS)
    tables: dict[str, frozenset[str]] = {}
    for result in results:
        for table, rows in result.small_tables.items():
            assert rows
            tables[table] = tables.get(table, frozenset()) | rows[0].keys()
    return get_suite(name), Found(metrics, tables)


def pattern(declared: str) -> re.Pattern[str]:
    """Of the names that a declared one stands for."""
    return re.compile("".join(".+" if part.startswith("<") else re.escape(part) for part in re.split("(<[^>]+>)", declared)))


def test_all_suites_are_run() -> None:
    assert set(RUNS) == set(SUITES), "every suite needs tiny runs in RUNS"


def test_metrics_are_those_declared(measured: tuple[Suite, Found]) -> None:
    suite, found = measured
    families = [pattern(name) for name in suite.metrics if "<" in name]
    assert set(suite.metrics) - found.metrics == {name for name in suite.metrics if "<" in name}
    others = found.metrics - set(suite.metrics)
    assert all(any(family.fullmatch(name) for family in families) for name in others), others
    assert all(any(family.fullmatch(name) for name in others) for family in families)


def test_small_tables_and_their_columns_are_those_declared(measured: tuple[Suite, Found]) -> None:
    suite, found = measured
    assert {name: set(re.findall("`([^`]+)`", line)) for name, line in suite.small_tables.items()} == found.small_tables


@pytest.mark.parametrize("name", SUITES)
def test_every_line_is_one_line(name: str) -> None:
    for line in (*SUITES[name].metrics.values(), *SUITES[name].small_tables.values()):
        assert line and "\n" not in line and not line.endswith(".")


def test_constant_columns_are_the_metrics_without_families() -> None:
    assert metrics_of(["ood", "openset", "layers"])[:4] == ("error", "oscr", "auroc_msp", "error_ce")
    assert metrics_of(["layers"]) == ("rank_logits", "complement_spread")
    with pytest.raises(ValueError, match="unknown suite 'none'; expected one of bench, collapse"):
        metrics_of(["none"])

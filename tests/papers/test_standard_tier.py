"""The standard tier's plan: every table once, and costs that follow from the number of images."""

import pytest

from lossbook.papers.registry import PAPERS
from lossbook.papers.standard_plan import ORDER, steps
from lossbook.papers.standard_tier import CIFAR100, LONG_TAIL, OMNIGLOT, core_minutes, is_on_plan
from lossbook.runs.tables import EVIDENCE


def test_every_run_of_the_tiers_network_is_planned_once():
    assert len(set(ORDER)) == len(ORDER)
    planned = [spec.run_id for step in steps() for spec in step.runs]
    listed = {run.run_id for paper in PAPERS.values() for run in paper.evidence.runs("standard") if is_on_plan(run)}
    assert len(planned) == len(set(planned))
    assert set(planned) == listed
    assert all(step.hours * 60 <= step.minutes * len(step.runs) + 1e-9 for step in steps())


def test_a_run_costs_what_its_images_cost():
    """The two costs that were measured; the images of the long tail are counted in its paper."""
    assert core_minutes(CIFAR100) == pytest.approx(14.5, rel=0.1)
    assert core_minutes(LONG_TAIL) == pytest.approx(10.1, rel=0.1)
    assert core_minutes(LONG_TAIL) == pytest.approx(10_847 * 60 / 1100 / 60)
    assert core_minutes(OMNIGLOT) == pytest.approx(964 * 15 * 30 / 1100 / 60)
    assert core_minutes(CIFAR100.replace(views=("plain", "mixup"))) == 2 * core_minutes(CIFAR100)
    assert core_minutes(CIFAR100.replace(classes=tuple(range(50)), epochs=10)) == core_minutes(CIFAR100) / 4
    second = {"epochs": 10, "frozen": True}
    assert core_minutes(CIFAR100.replace(second_phase=second)) == core_minutes(CIFAR100)
    assert core_minutes(CIFAR100.replace(second_phase={"epochs": 20})) == 2 * core_minutes(CIFAR100)


@pytest.mark.parametrize(("paper", "table"), ORDER[:13])
def test_the_central_tables_have_five_seeds_and_mixed_precision(paper, table):
    runs = PAPERS[paper].evidence.table(table).runs("standard")
    # The reality check is four times as long, and repeats the folds already.
    assert {run.seed for run in runs} == set(range(3 if (paper, table) == ("warped", "VI") else EVIDENCE["standard"]))
    assert all(run.mixed_precision and run.model == "resnet10" for run in runs)

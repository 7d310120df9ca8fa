"""The tables of `uniform`: every printed row has its run."""

import pytest

from lossbook.papers.results import published
from lossbook.papers.uniform.read import EVIDENCE
from lossbook.papers.uniform.tables import BIAS_MODES, COSINE_LOSSES, FINE_GRAINED, LOSSES, PAPER_MODELS, SOFTMAX_LOSSES


def runs(table: str, tier: str = "paper"):
    return EVIDENCE.table(table).runs(tier)


def test_losses_are_those_of_table_1_in_its_order():
    printed = published(EVIDENCE, "I").set_index("loss")
    assert list(LOSSES) == printed.index.tolist()
    assert set(SOFTMAX_LOSSES) == set(printed.index[printed["formula"] == "softmax"])
    assert set(COSINE_LOSSES) == set(printed.index[printed["classifier"] == "cosine"])


def test_table_2_has_every_loss_on_every_backbone():
    assert {(spec.model, spec.objective) for spec in runs("II")} == {(m, loss) for m in PAPER_MODELS for loss in LOSSES}
    assert {(spec.lr, spec.epochs) for spec in runs("II")} == {(1e-4, 30)}


@pytest.mark.parametrize("table", ["III", "S.I"])
def test_tables_over_the_scale_have_every_printed_scale(table):
    printed = published(EVIDENCE, table)["gamma"].unique()
    assert [spec.objective_args["scale"] for spec in runs(table)] == printed.tolist()


def test_small_data_sets_have_every_loss_on_every_backbone():
    cases = {(spec.dataset, spec.model, spec.objective) for spec in runs("V-IX")}
    assert cases == {(name, model, loss) for name in FINE_GRAINED for model in PAPER_MODELS for loss in LOSSES}
    assert {(spec.lr, spec.epochs) for spec in runs("V-IX")} == {(1e-3, 100)}


def test_table_10_has_every_printed_mode():
    printed = published(EVIDENCE, "X")
    wanted = set(printed[["loss", "bias_mode"]].itertuples(index=False, name=None))
    for tier in ("quick", "paper"):
        assert {(spec.objective, int(spec.objective_args["bias_mode"])) for spec in runs("X", tier)} == wanted
    assert {mode for _, mode in wanted} == set(BIAS_MODES)


def test_only_cosine_heads_have_a_scale():
    for table in ("II", "V-IX", "X", "open-set"):
        for spec in runs(table, "quick"):
            assert ("scale" in spec.objective_args) == (spec.objective in COSINE_LOSSES)


def test_every_loss_sees_the_same_draws_of_known_classes():
    draws = {loss: {spec.classes for spec in runs("open-set", "quick") if spec.objective == loss} for loss in LOSSES}
    assert len(set(map(frozenset, draws.values()))) == 1
    assert len(draws["bce-nu"]) == 20

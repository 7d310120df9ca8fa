"""The tables and claims of `onecold`, and the suite 'layers' that two of its figures need."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from lossbook.data import Split
from lossbook.runs.suites import Outputs
from lossbook.runs.suites.layers import evaluate, prefixes
from lossbook.runs.suites.ood_printed import PRINTED
from lossbook.papers.paper import get_paper
from lossbook.papers.onecold.experiment import GAMMAS, OOD_METHODS, PAIRS, known_classes, open_set_rows
from lossbook.models import create_model
from lossbook.objectives import create_objective
from lossbook.papers.results import load_results, published
from lossbook.runs.spec import RunSpec
from lossbook.runs.train import train

PAPER = get_paper("onecold")
CLAIMS = {claim.id: claim for claim in PAPER.claims}


def reference():
    return load_results("results", "quick", "onecold")


def test_paper_tier_is_as_printed():
    one = PAPER.table("1").runs("paper")
    schedules = {(spec.dataset, spec.epochs, spec.lr_steps, spec.lr, spec.batch_size, spec.weight_decay) for spec in one}
    assert schedules == {
        ("cifar100", 150, (50, 100), 0.1, 128, 1e-4),
        ("tinyimagenet", 90, (30, 60, 80), 0.1, 128, 1e-4),
    }
    printed = published("onecold", "1")
    assert {spec.objective for spec in one} == set(printed["loss"])
    assert len({spec.model for spec in one}) == printed["model"].nunique() == 3
    assert {spec.objective_args.get("alpha") for spec in PAPER.table("5").runs("paper")} == {None, 0.1, 0.5}
    assert {len(spec.classes) for spec in PAPER.table("3").runs("paper")} == {4, 20, 40}
    assert len(PAPER.table("gamma").runs("paper")) == 10 * len(PAPER.table("gamma").specs["quick"]) // 2


def test_transfer_makes_the_printed_number_of_steps():
    images = {"stl10": 5_000, "cifar100": 50_000, "tinyimagenet": 100_000, "imagenet1k": 1_281_167}
    for spec in PAPER.table("2").runs("paper"):
        total = spec.epochs * images[spec.dataset] // spec.batch_size
        assert total == pytest.approx(20_000 if spec.dataset == "imagenet1k" else 10_000, rel=0.01)
        shares = [step / spec.epochs for step in spec.lr_steps]
        assert shares == pytest.approx([0.3, 0.6, 0.9], abs=0.06)


def test_transfer_of_the_other_tiers_follows_the_printed_schedule():
    """10,000 updates at the standard tier, 500 at the quick tier, steps of the rate at the same shares."""
    images = {"patches": 120, "cifar100": 50_000, "cifar10": 50_000}
    for tier, updates in (("quick", 500), ("standard", 10_000)):
        for spec in PAPER.table("2").runs(tier):
            assert spec.pretrained and spec.frozen == (tier == "quick")
            assert (spec.lr, spec.weight_decay, spec.momentum) == (0.01, 0.0, 0.9)
            assert spec.epochs * (images[spec.dataset] // spec.batch_size) == pytest.approx(updates, rel=0.02)
            assert [step / spec.epochs for step in spec.lr_steps] == pytest.approx([0.3, 0.6, 0.9], abs=0.02)


def test_named_entities_and_swin_are_listed_at_the_paper_tier():
    six = PAPER.table("6").runs("paper")
    assert {spec.model for spec in six} == set(published("onecold", "6")["model"])
    assert {(spec.optimizer, spec.batch_size, spec.epochs) for spec in six} == {("adamw", 32, 3)}
    assert len(six) == 4 * 3 * 2 * 5  # networks, learning rates, losses, seeds
    assert {spec.objective_args["occe_weight"] for spec in PAPER.table("swin").runs("paper")} == set(GAMMAS)
    assert all(spec.pretrained for spec in PAPER.table("swin").runs("paper"))


def test_the_course_of_training_is_measured():
    """As in Fig. 4; the paper's own sets are the unknown ones at the paper tier."""
    assert all(spec.evaluate_every for tier in ("quick", "standard", "paper") for spec in PAPER.table("gamma").runs(tier))
    assert {spec.evaluations for spec in PAPER.table("4").runs("paper")} == {("ood_printed",)}
    assert {spec.dataset for spec in PAPER.table("4").runs("paper")} == set(PRINTED)


def test_pairs_are_those_of_table_1_and_bce():
    printed = published("onecold", "1").query("baseline != 'RCE'")
    wide = printed.pivot_table(index="baseline", columns="occe_weight", values="loss", aggfunc="first", sort=False)
    assert {name: tuple(row) for name, row in zip(wide.index, wide.to_numpy(), strict=True)} == {
        name: pair for name, pair in PAIRS.items() if name != "BCE"
    }
    assert set(OOD_METHODS) == set(published("onecold", "7")["method"]) - {"average"}


def test_draws_of_known_classes():
    draws = known_classes(100, 20)
    assert len(set(draws)) == 5
    assert all(len(set(draw)) == 20 and draw == tuple(sorted(draw)) for draw in draws)
    assert draws == known_classes(100, 20)


def test_open_set_rows_read_three_predictions_off_a_dual_run():
    rows = reference().query("table == '3'")
    found = open_set_rows(rows)
    assert len(found) == len(rows) + 2 * (rows["objective"] == "ce+occe-dual").sum()
    assert (found.groupby(["method", "known"])["draw"].nunique() == 5).all()
    # A draw is one choice of classes, the same for every method: differences are paired.
    assert (found.groupby(["known", "draw"])["classes"].nunique() == 1).all()
    dual = rows[rows["objective"] == "ce+occe-dual"].iloc[0]
    own = found[(found["run_id"] == dual["run_id"]) & (found["prediction"] == "occe")].iloc[0]
    assert own["oscr"] == dual["oscr_occe"]
    assert own["error"] == dual["error_occe"]


def shifted(metric, objective, amount, table):
    """The reference with a metric of one loss moved."""
    frame = reference()
    rows = (frame["table"] == table) & (frame["objective"] == objective)
    frame.loc[rows, metric] += amount
    return frame


@pytest.mark.parametrize(
    ("claim", "metric", "objective", "table"),
    [
        ("onecold-rce", "error", "occe", "1"),
        ("onecold-transfer", "error", "soft-d", "2"),
        ("onecold-oscr", "oscr", "ce+occe", "3"),
        ("onecold-auroc", "auroc_msp", "ce+occe", "3"),
        ("onecold-dual-occe", "oscr_occe", "ce+occe-dual", "3"),
        ("onecold-dual-ce", "oscr_ce", "ce+occe-dual", "3"),
    ],
)
def test_verdicts_follow_the_data(claim, metric, objective, table):
    check = CLAIMS[claim].check
    before = check(reference()).effect
    up, down = (check(shifted(metric, objective, amount, table)) for amount in (0.5, -0.5))
    assert up.word == "reproduced"
    assert down.word == "not reproduced"
    assert up.effect - before == pytest.approx(before - down.effect) == pytest.approx(50)


def test_lower_error_counts_and_averages_the_nine_baselines_of_the_paper():
    frame = reference()
    table = frame["table"] == "1"
    for without, with_ in PAIRS.values():
        for seed in range(5):
            rows = table & (frame["seed"] == seed)
            base = frame.loc[rows & (frame["objective"] == without), "error"].iloc[0]
            change = 0.5 if without == "bce-d" else -0.01 * (1 + seed / 10)
            frame.loc[rows & (frame["objective"] == with_), "error"] = base + change
    average, most = (CLAIMS[f"onecold-{name}"].check(frame) for name in ("lower-error", "almost-all"))
    assert average.word == most.word == "reproduced"
    assert average.effect == pytest.approx(1.2)
    assert most.effect == 9


def test_gamma_claims_compare_zero_with_ten():
    frame = reference()
    rows = frame["table"] == "gamma"
    frame.loc[rows, "nc1"] = 1 / (1 + frame.loc[rows, "arg_occe_weight"]) + 1e-3 * frame.loc[rows, "seed"]
    frame.loc[rows, "dimensions_90"] = 5.0
    assert CLAIMS["onecold-nc1"].check(frame).effect == pytest.approx(100 * (1 - 1 / 11), abs=0.2)
    means = frame[rows].groupby("arg_occe_weight")[["dimensions_80", "dimensions_99"]].mean()
    more = (means.loc[10.0] - means.loc[0.0]).sum() / 3
    assert CLAIMS["onecold-dimensions"].check(frame).effect == pytest.approx(more)


def test_the_fisher_claim_asks_for_a_rise():
    frame = reference()
    rows = frame["table"] == "gamma"
    frame.loc[rows, "fisher"] = 2.0 + 0.1 * frame.loc[rows, "arg_occe_weight"] + 1e-3 * frame.loc[rows, "seed"]
    found = CLAIMS["onecold-fisher"].check(frame)
    assert found.reproduced
    assert found.effect == pytest.approx(50, abs=0.1)


def test_step_size_claim_takes_ten_epochs_and_ten_classes():
    frame = reference()
    rows = (frame["table"] == "rce") & (frame["objective"] == "occe")
    before = CLAIMS["onecold-rce-steps"].check(frame).effect
    others = rows & (frame["classes"].notna() | (frame["epochs"] != 10) | ~np.isclose(frame["lr"], 0.27))
    frame.loc[others, "error"] += 1
    assert CLAIMS["onecold-rce-steps"].check(frame).effect == before
    frame.loc[rows & ~others, "error"] += 1
    assert CLAIMS["onecold-rce-steps"].check(frame).effect == pytest.approx(before + 100)


def test_every_claim_says_another_thing():
    assert len(CLAIMS) == len(PAPER.claims) == len({claim.statement for claim in PAPER.claims})


# The suite 'layers' ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("model", "widths"), [("mlp", [128, 64]), ("cnn", [784, 1568, 256]), ("resnet8", [392, 392, 256, 128])])
def test_prefixes_end_before_the_next_layer_and_at_the_features(model, widths):
    backbone, _ = create_model(model, 1)
    images = torch.rand(2, 1, 14, 14)
    features = backbone(images)
    backbone.eval()
    parts = [part(images).flatten(1) for part in prefixes(backbone)]
    assert [part.shape[1] for part in parts] == widths
    assert torch.equal(parts[-1], backbone(images))
    assert features.shape[1] == widths[-1]


def outputs_of(logits, labels, weight):
    """A linear network of two images' pixels, and an objective that gives these logits."""
    torch.manual_seed(0)
    backbone = nn.Sequential(nn.Flatten(), nn.Linear(4, 3, bias=False)).eval()
    with torch.no_grad():
        backbone[1].weight.copy_(weight)
    objective = create_objective("soft-d", 3, logits.shape[1])
    objective.logits = lambda features: logits
    images = torch.zeros(len(labels), 1, 2, 2, dtype=torch.uint8)
    data = type("Data", (), {"test": Split(images, labels)})
    empty = torch.empty(0)
    return Outputs(RunSpec(), data, backbone, None, objective, None, empty, empty, empty, labels, None, None)


def test_spread_ranks_and_histogram_by_hand():
    logits = torch.tensor([[5.0, 1.0, 3.0], [0.0, 4.0, 0.0]])
    weight = torch.tensor([[1.0, 0, 0, 0], [0, 1.0, 0, 0], [1.0, 1.0, 0, 0]])
    found = evaluate(outputs_of(logits, torch.tensor([0, 1]), weight))
    # Standard deviations 1 and 0; the label is 5 - 2 = 3 and 4 - 0 = 4 above the mean of the others.
    assert found.metrics["complement_spread"] == pytest.approx(0.5 / 3.5)
    assert found.metrics["rank_1"] == 2
    assert found.metrics["rank_logits"] == 2
    frame = pd.DataFrame(found.frames["activations"])
    width = frame["right"] - frame["left"]
    assert float((frame["label"] * width).sum()) == pytest.approx(1, abs=1e-5)
    assert float((frame["others"] * width).sum()) == pytest.approx(1, abs=1e-5)
    assert frame["left"].min() == 0
    assert frame["right"].max() == 5
    assert (frame["right"].iloc[:-1].to_numpy() == frame["left"].iloc[1:].to_numpy()).all()


def test_equal_complementary_logits_have_no_spread():
    logits = torch.tensor([[5.0, 1.0, 1.0], [-2.0, 4.0, -2.0]])
    assert evaluate(outputs_of(logits, torch.tensor([0, 1]), torch.eye(3, 4))).metrics["complement_spread"] == 0


def test_layers_of_a_trained_run():
    spec = RunSpec(model="mlp", image_size=7, train_per_class=10, epochs=1, batch_size=20, lr=0.03, evaluations=("layers",))
    metrics = train(spec).metrics
    assert metrics["rank_1"] <= 49
    assert metrics["rank_1"] >= metrics["rank_2"] >= metrics["rank_logits"] > 0


def test_a_backbone_without_layers_is_refused():
    spec = RunSpec(model="resnet18-cifar", image_size=7, train_per_class=2, epochs=1, batch_size=20, evaluations=("layers",))
    with pytest.raises(ValueError, match="needs a sequential backbone"):
        train(spec)

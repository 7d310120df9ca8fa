"""Runs and claims of `warped`: the tables as the paper has them, fair controls, and checks that read the right rows."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from lossbook.papers.paper import get_paper
from lossbook.papers.warped.experiment import (
    ALPHAS,
    BASELINES,
    EQ_4,
    REPORTED,
    RETRIEVAL,
    TUNED,
    dtp_thirds,
    function_name,
    functions,
    with_methods,
)
from lossbook.objectives import create_objective
from lossbook.papers.results import load_results

PAPER = get_paper("warped")


def specs(table: str, tier: str = "quick"):
    return PAPER.table(table).specs[tier]


def differing(first, second) -> set[str]:
    return {f.name for f in dataclasses.fields(first) if getattr(first, f.name) != getattr(second, f.name)}


def test_losses_are_compared_on_the_same_runs():
    for spec in specs("I"):
        reference = specs("I")[0]
        changed = differing(spec, reference) - {"objective", "objective_args", "evaluations"}
        assert changed <= ({"classes", "epochs", "then"} if spec.then else {"classes"})


def test_two_phases_and_their_control_differ_in_the_warp_only():
    control, method = (
        next(s for s in specs("I") if s.then and s.objective == name) for name in ("euclidean-softmax", "warped-softmax")
    )
    assert differing(control, method) == {"objective", "objective_args", "then"}
    for ours, theirs in zip(method.phases(), control.phases(), strict=True):
        assert differing(ours, theirs) - {"objective", "objective_args"} == set()
        assert ours.objective_args["temperature"] == theirs.objective_args["temperature"]
    assert sum(phase.epochs for phase in method.phases()) == specs("I")[0].epochs


def test_every_spec_makes_an_objective_at_every_tier():
    for table in PAPER.tables:
        for tier in table.specs:
            for spec in {s.objective + str(s.objective_args): s for s in table.specs[tier]}.values():
                for phase in spec.phases():
                    create_objective(phase.objective, 4, 3, **phase.objective_args)


def test_shared_runs_train_once():
    runs = [spec.run_id for table in PAPER.tables for spec in table.runs("quick")]
    assert len(set(runs)) < len(runs)
    warp = next(s for s in specs("I") if s.objective == "warped-softmax")
    for table in ("III", "fig-6", "fig-7", "fig-8"):
        assert warp in specs(table), table


def test_paper_tier_has_the_released_values():
    cub, cars, sop = (specs("I", "paper")[k] for k in (1, 4, 7))
    assert [s.objective for s in specs("I", "paper")] == ["euclidean-softmax", "warped-softmax", "proxy-nca++"] * 3
    assert [len(s.classes) for s in (cub, cars, sop)] == [100, 98, 11318]
    assert [s.epochs + s.then["epochs"] for s in (cub, cars, sop)] == [50, 100, 80]
    assert [(s.batch_size, s.batch_classes) for s in (cub, cars, sop)] == [(64, 8), (64, 4), (192, 64)]
    first, second = (phase.objective_args for phase in cub.phases())
    assert first == {"alpha": 28.4, "k1": 0.93, "k2": 1.15, "temperature": 4.525, "margin": 1.3}
    assert second == {"alpha": 24.68, "k1": 0.95, "k2": 1.2, "temperature": 1.0, "margin": 1.3}
    assert (cub.phases()[1].lr, cub.phases()[1].head_lr) == (0.001, 5e-4)
    assert specs("fig-6", "paper")[-1].objective_args["alpha"] == 95
    assert specs("fig-8", "paper")[-1].objective_args["margin"] == 5.5


# Claims on made-up results ----------------------------------------------------------------------------------------


@pytest.fixture
def made() -> pd.DataFrame:
    """Every run of the quick tier with a recall that its loss alone decides."""
    rows = []
    for table in PAPER.tables:
        for spec in table.runs("quick"):
            arguments = {f"arg_{name}": value for name, value in spec.objective_args.items()}
            rows.append(
                {"table": table.name, "objective": spec.objective, "seed": spec.seed, "classes": " ".join(map(str, spec.classes))}
                | arguments
                | {"then_epochs": spec.then.get("epochs", np.nan)}
            )
    frame = pd.DataFrame(rows)
    for metric in RETRIEVAL:
        frame[f"unknown_{metric}"] = np.where(frame["objective"] == "warped-softmax", 0.9, 0.8) + 0.001 * frame["seed"]
        frame[f"unknown_{metric}_cosine"] = 0.7
    for name in ("none", "gaussian", "jigsaw"):
        frame[f"corrupted_{name}"] = frame["unknown_recall@1"] - 0.1 * (name != "none")
    frame["train_avg_dtp"] = frame["arg_alpha"].fillna(2.0).clip(0.5, 100)
    return frame


def verdict(name: str, frame: pd.DataFrame):
    return next(claim for claim in PAPER.claims if claim.id == name).check(frame)


def test_methods_and_their_own_distance(made):
    frame = with_methods(made)
    assert set(frame["method"]) >= {"warped-softmax, two phases", "euclidean-softmax", *BASELINES}
    assert (frame.loc[frame["method"].isin(BASELINES), "recall@1"] == 0.7).all()
    assert (frame.loc[frame["objective"] == "euclidean-softmax", "recall@1"] >= 0.8).all()
    assert set(frame.loc[frame["table"] == "I", "classes"]) == {REPORTED, TUNED}


@pytest.mark.parametrize("name", ["warped-beats-euclidean", "warped-two-phases", "warped-mlp", "warped-robust-softmax"])
def test_a_clear_gain_is_found(made, name):
    found = verdict(name, made)
    assert found.word == "reproduced"
    assert found.effect == pytest.approx(10)


def test_gains_are_read_from_the_reported_direction(made):
    made.loc[made["classes"] == REPORTED, "unknown_recall@1"] = 0.5
    assert verdict("warped-beats-euclidean", made).effect == 0


def test_a_drop_is_not_a_level(made):
    assert verdict("warped-loses-less", made).effect == pytest.approx(0)
    assert verdict("warped-robust-nca", made).effect == pytest.approx(10)


def test_best_temperature_is_named(made):
    made.loc[(made["table"] == "temperature") & (made["arg_temperature"] == 4), "unknown_recall@1"] += 0.02
    found = verdict("warped-no-temperature", made)
    assert (found.seeds, found.unit) == (5, "points, against T = 4")
    assert found.effect == pytest.approx(8)


def test_best_of_the_baselines_is_named(made):
    made.loc[made["objective"] == "contrastive", "unknown_recall@1_cosine"] = 0.95
    found = verdict("warped-best", made)
    assert found.word == "not reproduced"
    assert found.unit.endswith("against contrastive")


def test_functions_have_one_name_each(made):
    frame = functions(made)
    assert frame["function"].nunique() == len(specs("III"))
    assert (frame.groupby("function").size() == 5).all()
    assert EQ_4 in set(frame["function"])
    assert function_name(frame[frame["arg_alpha"] == 16].iloc[0]) == "warp, α = 16"


def test_thirds_of_the_distance_to_the_proxy(made):
    low, middle, high = dtp_thirds(made)
    assert [len(low), len(middle), len(high)] == [4, 4, 4]
    assert {"half warp inward, k2 = 1.3", "half warp inward, k2 = 3"} < set(low)
    assert {"half warp outward, k1 = 0.5", "half warp outward, k1 = 0.9"} < set(high)
    frame = functions(made)
    made.loc[frame.index[frame["function"].isin(middle)], "unknown_recall@1"] = 0.99
    assert verdict("warped-dtp-between", made).word == "reproduced"


def test_alpha_claim_asks_for_both_ends(made):
    chosen = (made["table"] == "fig-6") & made["arg_alpha"].isin([2.0, 4.0, 8.0])
    made.loc[chosen, "unknown_recall@1"] += 0.05
    assert verdict("warped-alpha-peak", made).word == "reproduced"
    made.loc[(made["table"] == "fig-6") & (made["arg_alpha"] == ALPHAS[-1]), "unknown_recall@1"] += 0.2
    assert verdict("warped-alpha-peak", made).word == "not reproduced"


def test_slopes_claim_compares_with_one_slope_of_one(made):
    inner = (made["table"] == "fig-7") & (made["arg_k1"] < 1) & (made["arg_k2"] > 1)
    made.loc[inner, "unknown_recall@1"] += 0.03
    assert verdict("warped-both-slopes", made).effect == pytest.approx(3)


def test_dtp_off_by_more_than_a_sixth_does_not_follow_alpha(made):
    assert verdict("warped-dtp-follows-alpha", made).effect == 0
    made["train_avg_dtp"] *= 1.2
    assert verdict("warped-dtp-follows-alpha", made).word == "not reproduced"


# The reference ----------------------------------------------------------------------------------------------------


def test_curves_of_the_functions():
    curves = load_results("results", "quick", "warped", "curves")
    assert set(curves["table"]) == {"III"}
    assert set(curves["seed"]) == {0}
    assert set(curves["run_id"]) == {spec.replace(seed=0).run_id for spec in specs("III")}
    assert (curves.groupby("run_id")["epoch"].apply(list).map(len) == 10).all()
    assert (curves["avg_dtp"] > 0).all()


def test_the_corner_of_the_slopes_is_eq_4():
    """k1 = k2 = 1 makes the warp the identity: the same runs up to rounding."""
    results = load_results("results", "quick", "warped")
    corner = results[(results["table"] == "fig-7") & (results["arg_k1"] == 1) & (results["arg_k2"] == 1)]
    plain = results[(results["table"] == "temperature") & (results["arg_temperature"] == 1)]
    assert np.abs(corner["train_loss"].to_numpy() - plain["train_loss"].to_numpy()).max() < 1e-6

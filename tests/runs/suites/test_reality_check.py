"""The reality check's protocol: class-disjoint folds, four models, three ways to evaluate; and its claims."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import reference_retrieval as ref
import torch

from lossbook.data import held_out_classes, subset
from lossbook.objectives import create_objective
from lossbook.papers.paper import get_paper
from lossbook.papers.warped.experiment import SETTINGS, reality_check
from lossbook.runs.spec import RunSpec
from lossbook.runs.suites import Outputs
from lossbook.runs.suites.reality_check import SCORES, class_folds, concatenated, evaluate, fold_specs
from lossbook.runs.train import train

PAPER = get_paper("warped")
SPEC = RunSpec(
    objective="euclidean-softmax",
    dataset="digits",
    classes=(7, 1, 3, 2, 5, 8, 9, 0),
    train_per_class=10,
    model="mlp",
    embedding_size=8,
    epochs=1,
    lr=0.03,
    batch_size=20,
    evaluations=("reality_check",),
)


@pytest.mark.parametrize("count", [8, 9, 10, 11, 50, 98])
def test_folds_are_consecutive_disjoint_and_whole(count):
    assert [fold.tolist() for fold in class_folds(count)] == ref.folds_of(range(count), 4)


def test_a_fold_of_one_class_is_refused():
    with pytest.raises(ValueError, match="at least 8 classes, two in each of 4 folds, got 7"):
        class_folds(7)


def test_every_model_leaves_its_fold_out():
    specs = fold_specs(SPEC.replace(seed=3))
    assert [set(SPEC.classes) - set(spec.classes) for spec in specs] == [{7, 1}, {3, 2}, {5, 8}, {9, 0}]
    assert [spec.seed for spec in specs] == [12, 13, 14, 15]
    assert {spec.embedding_size for spec in specs} == {2}
    for spec in specs:
        changed = {f.name for f in dataclasses.fields(spec) if getattr(spec, f.name) != getattr(SPEC, f.name)}
        assert changed == {"classes", "embedding_size", "seed"}


@pytest.mark.parametrize("size", [0, 6])
def test_an_embedding_that_cannot_be_quartered_is_refused(size):
    with pytest.raises(ValueError, match=f"multiple of 4, got {size}"):
        fold_specs(SPEC.replace(embedding_size=size))


def test_concatenation_adds_squared_distances_or_averages_cosines():
    generator = torch.Generator().manual_seed(0)
    parts = [torch.randn(5, d, generator=generator, dtype=torch.float64) * s for d, s in ((2, 1.0), (3, 9.0))]
    whole = concatenated(parts, "euclidean")
    torch.testing.assert_close(torch.cdist(whole, whole) ** 2, sum(torch.cdist(p, p) ** 2 for p in parts))
    directions = concatenated(parts, "cosine")
    cosines = [torch.nn.functional.cosine_similarity(p[:, None], p[None], dim=2) for p in parts]
    torch.testing.assert_close(
        torch.nn.functional.cosine_similarity(directions[:, None], directions[None], dim=2), sum(cosines) / 2
    )
    for distance in ("euclidean", "cosine"):
        expected = ref.side_by_side([p.tolist() for p in parts], unit_length=distance == "cosine")
        torch.testing.assert_close(concatenated(parts, distance), torch.tensor(expected, dtype=torch.float64))


def stand_in(spec: RunSpec, objective: str, models: list[torch.Tensor]) -> Outputs:
    """Outputs of a model that embeds images by a fixed matrix; ``train_another`` hands out four more."""
    data = subset(spec)
    asked: list[RunSpec] = []

    def outputs(matrix: torch.Tensor) -> Outputs:
        def extract(images):
            return images.flatten(1).double() @ matrix

        unknown = held_out_classes(spec)
        return Outputs(
            spec=spec,
            data=data,
            backbone=None,
            extract=extract,
            objective=create_objective(objective, matrix.shape[1], data.num_classes),
            initial_bias=None,
            train_features=None,
            train_labels=None,
            test_features=extract(data.test.images),
            test_labels=data.test.labels,
            unknown_features=extract(unknown.images),
            unknown_labels=unknown.labels,
            train_another=another,
        )

    def another(fold: RunSpec) -> Outputs:
        asked.append(fold)
        return outputs(models[fold_specs(spec).index(fold) + 1])

    return outputs(models[0])


@pytest.mark.parametrize(("objective", "apart"), [("euclidean-softmax", ref.distance), ("proxy-nca++", ref.cosine_distance)])
def test_scores_against_longhand(objective, apart):
    """Five fixed random maps in place of five trainings, few images, scores by plain loops."""
    generator = torch.Generator().manual_seed(1)
    models = [torch.randn(64, d, generator=generator, dtype=torch.float64) for d in (8, 2, 2, 2, 2)]
    outputs = stand_in(SPEC, objective, models)
    few = outputs.data.test.take(torch.arange(0, len(outputs.data.test), 12))
    outputs = dataclasses.replace(outputs, data=dataclasses.replace(outputs.data, test=few))
    found = evaluate(outputs).metrics

    unknown = held_out_classes(SPEC)
    labels = unknown.labels.tolist()
    images = unknown.images.flatten(1).double()
    embedded = [(images @ matrix).tolist() for matrix in models]
    unit = apart is ref.cosine_distance

    def longhand(features, classes):
        first = ref.recall_at(features, classes, 1, apart)
        return {
            "MAP@R": ref.map_at_r(features, classes, apart),
            "R-precision": ref.r_precision(features, classes, apart),
            "P@1": first,
        }

    separated = [longhand(e, labels) for e in embedded[1:]]
    validation = []
    for matrix, fold in zip(models[1:], ref.folds_of(range(8), 4), strict=True):
        held = [k for k, label in enumerate(few.labels.tolist()) if label in fold]
        features = (few.images[held].flatten(1).double() @ matrix).tolist()
        validation.append(longhand(features, few.labels[held].tolist()))
    expected = {
        "complete": longhand(embedded[0], labels),
        "concatenated": longhand(ref.side_by_side(embedded[1:], unit), labels),
        "separated": {name: sum(s[name] for s in separated) / 4 for name in SCORES},
        "validation": {name: sum(s[name] for s in validation) / 4 for name in SCORES},
    }
    assert found == pytest.approx({f"{part}_{name}": v for part, scores in expected.items() for name, v in scores.items()})


def test_a_run_trains_the_four_folds_and_stays_what_it_was():
    """The suite's trainings leave no trace in the run's own."""
    result = train(SPEC)
    assert set(result.metrics) >= {f"{part}_{name}" for part in SETTINGS for name in SCORES}
    assert all(0 <= result.metrics[f"{part}_{name}"] <= 1 for part in SETTINGS for name in SCORES)
    alone = train(SPEC.replace(evaluations=("retrieval",)))
    after = train(SPEC.replace(evaluations=("reality_check", "retrieval")))
    assert result.curves == alone.curves
    assert result.metrics["complete_MAP@R"] == alone.metrics["unknown_MAP@R"]
    assert after.metrics.items() >= alone.metrics.items()
    assert train(SPEC).metrics == result.metrics


def test_separated_scores_are_those_of_the_folds_runs():
    result = train(SPEC)
    validation = []
    for spec in fold_specs(SPEC):
        outside = train(spec.replace(evaluations=("retrieval",))).metrics
        assert outside["diverged"] == 0
        validation.append(outside["unknown_MAP@R"])  # of the fold and the unknown classes together: more to confuse
    assert result.metrics["validation_MAP@R"] > np.mean(validation)


def test_a_fold_that_diverges_leaves_the_scores_out():
    outputs = dataclasses.replace(
        stand_in(SPEC, "euclidean-softmax", [torch.ones(64, 2).double()] * 5), train_another=lambda spec: None
    )
    assert evaluate(outputs).metrics == {}


def test_a_run_on_all_classes_is_refused():
    with pytest.raises(ValueError, match=r"needs RunSpec\.classes"):
        train(SPEC.replace(classes=()))


# Table VI and its claims ------------------------------------------------------------------------------------------


def test_quick_splits_leave_every_digit_out_once():
    specs = PAPER.table("VI").specs["quick"]
    unknown = [tuple(sorted(set(range(10)) - set(spec.classes))) for spec in specs]
    assert sorted({digit for pair in unknown for digit in pair}) == list(range(10))
    assert len(set(unknown)) == 5
    assert all(unknown.count(pair) == 3 for pair in unknown)


@pytest.mark.parametrize("tier", ["quick", "standard", "paper"])
def test_every_tier_can_be_folded(tier):
    for spec in PAPER.table("VI").specs[tier]:
        for fold in fold_specs(spec):
            assert fold.batch_classes <= len(fold.classes)
            if tier != "quick":
                assert fold.embedding_size == 128


@pytest.fixture
def made() -> pd.DataFrame:
    """Table VI with scores that method, setting and split alone decide."""
    rows = []
    for spec in PAPER.table("VI").runs("quick"):
        level = {"warped-softmax": 0.7, "euclidean-softmax": 0.6, "proxy-nca++": 0.5}[spec.objective] + 0.01 * min(spec.classes)
        values = {
            f"{part}_{name}": level + {"complete": 0.05, "concatenated": 0.1}.get(part, 0.0)
            for part in SETTINGS
            for name in SCORES
        }
        rows.append(
            {
                "table": "VI",
                "objective": spec.objective,
                "seed": 0,
                "dataset": "mnist5k",
                "classes": " ".join(map(str, spec.classes)),
            }
            | {"then_epochs": np.nan}
            | values
        )
    frame = pd.DataFrame(rows)
    for metric in (*("recall@1", "recall@2", "recall@4", "recall@8"), *SCORES, "NMI", "AMI"):
        frame[f"unknown_{metric}"] = frame[f"unknown_{metric}_cosine"] = np.nan
    return frame


def verdict(name, frame):
    return next(claim for claim in PAPER.claims if claim.id == name).check(frame)


def test_one_row_a_run_and_setting(made):
    rows = reality_check(made)
    assert len(rows) == 15 * 4
    assert set(rows["setting"]) == {"complete", "ensemble", "aggregate", "validation"}
    ensemble = rows[(rows["setting"] == "ensemble") & (rows["method"] == "warped-softmax")]
    assert ensemble["MAP@R"].tolist() == pytest.approx([0.82, 0.8, 0.8, 0.8, 0.8])


@pytest.mark.parametrize(
    ("claim", "effect"),
    [
        ("warped-reality-euclidean", 10),
        ("warped-reality-nca", 20),
        ("warped-ensemble-best", 5),
        ("warped-complete-aggregate", 5),
    ],
)
def test_claims_compare_split_by_split(made, claim, effect):
    found = verdict(claim, made)
    assert (found.word, found.seeds) == ("reproduced", 5)
    assert found.effect == pytest.approx(effect)


def test_the_validation_score_decides_no_claim(made):
    made["validation_MAP@R"] = np.where(made["objective"] == "proxy-nca++", 9.0, 0.0)
    assert verdict("warped-reality-nca", made).effect == pytest.approx(20)

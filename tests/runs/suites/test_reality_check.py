"""The reality check's protocol: class-disjoint folds, four models, three ways to evaluate."""

import dataclasses

import numpy as np
import pytest
import reference_retrieval as ref
import torch

from lossbook.objectives.create import create_objective
from lossbook.runs.spec import RunSpec
from lossbook.runs.subsets import held_out_classes, subset
from lossbook.runs.suites.reality_check import SCORES, class_folds, concatenated, fold_specs, measure
from lossbook.runs.suites.suite import Outputs
from lossbook.runs.train import train

SETTINGS = ("complete", "concatenated", "separated", "validation")
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
    suites=("reality_check",),
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


def stand_in(spec: RunSpec, objective: str, matrix: torch.Tensor) -> Outputs:
    """Outputs of a model that embeds images by a fixed matrix."""
    data, unknown = subset(spec), held_out_classes(spec)

    def extract(images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1).double() @ matrix

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
    )


@pytest.mark.parametrize(("objective", "apart"), [("euclidean-softmax", ref.distance), ("proxy-nca++", ref.cosine_distance)])
def test_scores_against_longhand(objective, apart):
    """Five fixed random maps in place of five trainings, few images, scores by plain loops."""
    generator = torch.Generator().manual_seed(1)
    models = [torch.randn(64, d, generator=generator, dtype=torch.float64) for d in (8, 2, 2, 2, 2)]
    outputs, *folds = (stand_in(SPEC, objective, matrix) for matrix in models)
    few = outputs.data.test.take(torch.arange(0, len(outputs.data.test), 12))
    outputs = dataclasses.replace(outputs, data=dataclasses.replace(outputs.data, test=few))
    found = measure(outputs, *folds).metrics

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
    alone = train(SPEC.replace(suites=("retrieval",)))
    after = train(SPEC.replace(suites=("reality_check", "retrieval")))
    assert result.curves == alone.curves
    assert result.metrics["complete_MAP@R"] == alone.metrics["unknown_MAP@R"]
    assert after.metrics.items() >= alone.metrics.items()
    assert train(SPEC).metrics == result.metrics


def test_separated_scores_are_those_of_the_folds_runs():
    result = train(SPEC)
    validation = []
    for spec in fold_specs(SPEC):
        outside = train(spec.replace(suites=("retrieval",))).metrics
        assert outside["diverged"] == 0
        validation.append(outside["unknown_MAP@R"])  # of the fold and the unknown classes together: more to confuse
    assert result.metrics["validation_MAP@R"] > np.mean(validation)


def test_a_fold_that_diverges_leaves_the_scores_out():
    outputs = stand_in(SPEC, "euclidean-softmax", torch.ones(64, 2).double())
    assert measure(outputs, outputs, None, outputs, outputs).metrics == {}


def test_a_run_on_all_classes_is_refused():
    with pytest.raises(ValueError, match=r"needs RunSpec\.classes"):
        train(SPEC.replace(classes=()))

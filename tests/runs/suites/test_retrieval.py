"""The suite of retrieval: known and unknown classes, both distances, very many classes."""

import warnings
from types import SimpleNamespace

import torch

from lossbook.heads.euclidean import EuclideanHead
from lossbook.heads.linear import CosineHead
from lossbook.metrics import avg_dtp, map_at_r, nmi, recall_at_k
from lossbook.runs.suites.retrieval import measure


def outputs(head, unknown: bool):
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(6, (60,), generator=generator)
    features = torch.randn(6, 8, generator=generator)[labels] + 0.3 * torch.randn(60, 8, generator=generator)
    return SimpleNamespace(
        objective=SimpleNamespace(head=head),
        train_features=features[:40],
        train_labels=labels[:40],
        test_features=features,
        test_labels=labels,
        unknown_features=features[labels < 3] if unknown else None,
        unknown_labels=labels[labels < 3] if unknown else None,
    )


def test_values_are_those_of_the_metrics():
    torch.manual_seed(0)
    given_outputs = outputs(EuclideanHead(8, 6), unknown=True)
    values = measure(given_outputs).metrics
    names = ["recall@1", "recall@2", "recall@4", "recall@8", "P@1", "R-precision", "MAP@R", "NMI", "AMI"]
    expected = {f"{part}_{name}{end}" for part in ("known", "unknown") for name in names for end in ("", "_cosine")}
    assert set(values) == expected | {"train_avg_dtp", "known_avg_dtp"}
    features, labels = given_outputs.unknown_features, given_outputs.unknown_labels
    assert values["unknown_MAP@R"] == map_at_r(features, labels)
    assert values["unknown_NMI_cosine"] == nmi(features, labels, "cosine").nmi
    assert values["known_recall@4"] == recall_at_k(given_outputs.test_features, given_outputs.test_labels)[4]
    proxies = given_outputs.objective.head.weight
    assert values["train_avg_dtp"] == avg_dtp(given_outputs.train_features, given_outputs.train_labels, proxies)
    assert all(type(value) is float for value in values.values())


def test_a_run_without_unknown_classes_or_euclidean_proxies():
    values = measure(outputs(CosineHead(8, 6), unknown=False)).metrics
    assert all(name.startswith("known_") for name in values)
    assert "known_avg_dtp" not in values


def test_a_collapsed_embedding():
    """All features equal: clusters are fewer than classes; scikit-learn warns, and the numbers say that nothing is found."""
    collapsed = outputs(EuclideanHead(8, 6), unknown=False)
    collapsed.test_features = torch.zeros(60, 8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values = measure(collapsed).metrics
    assert values["known_NMI"] == 0
    assert values["known_MAP@R"] < 0.3


def test_very_many_classes():
    """As Stanford Online Products is reported: recall at powers of ten, no clusters."""
    generator = torch.Generator().manual_seed(0)
    given_outputs = outputs(CosineHead(8, 6), unknown=False)
    given_outputs.test_labels = torch.arange(1001).repeat(2)
    given_outputs.test_features = torch.randn(2002, 8, generator=generator)
    values = measure(given_outputs).metrics
    assert {name for name in values if not name.endswith("_cosine")} == {
        *("known_recall@1", "known_recall@10", "known_recall@100", "known_recall@1000"),
        *("known_P@1", "known_R-precision", "known_MAP@R"),
    }
    assert values["known_recall@1"] < values["known_recall@100"] < values["known_recall@1000"] < 1

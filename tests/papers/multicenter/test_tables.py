"""The runs of `multicenter`: printed settings, known sub-classes, and comparisons between equals."""

import dataclasses

import pytest

from lossbook.papers.multicenter.read import EVIDENCE
from lossbook.papers.multicenter.tables import APART, CNNS, SUPERCLASSES, TABLES, TOGETHER, TRANSFORMERS
from lossbook.papers.results import published
from lossbook.runs.tables import TIERS


@pytest.mark.parametrize("pairing", [APART, TOGETHER, SUPERCLASSES])
def test_groups_are_a_partition(pairing):
    fine = sorted(label for group in pairing for label in group)
    assert fine == list(range(len(fine)))
    assert len({len(group) for group in pairing}) == 1


def test_superclasses_of_cifar100():
    """Aquatic mammals: beaver, dolphin, otter, seal, whale; trees: maple, oak, palm, pine, willow."""
    assert SUPERCLASSES[0] == (4, 30, 55, 72, 95)
    assert SUPERCLASSES[17] == (47, 52, 56, 59, 96)


def test_paper_tier_is_as_printed():
    runs = EVIDENCE.table("1").runs("paper")
    assert {spec.model for spec in runs} == {*CNNS, *TRANSFORMERS}
    printed = published(EVIDENCE, "1").query("method == 'linear' and metric == 'top1'")
    assert len(runs) == 3 * (len(printed) - 2)  # without both SGFormers
    for table in TABLES:
        for spec in table.runs("paper"):
            assert (spec.epochs, spec.batch_size, spec.lr, spec.weight_decay, spec.warmup_epochs) == (300, 1024, 1e-3, 0.05, 20)
            assert (spec.optimizer, spec.image_size, spec.dataset) == (
                "adamw",
                224,
                {"2": "cifar100", "3": "mini-imagenet"}.get(table.name, "imagenet1k"),
            )


def test_timm_has_every_model_of_the_paper():
    import lossbook._torchvision  # noqa: F401  before timm

    # isort: split
    import timm

    assert all(timm.is_model(name) for name in (*CNNS, *TRANSFORMERS))


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("table", [table.name for table in TABLES])
def test_the_linear_classifier_trains_like_the_others(table, tier):
    """Every multi-centre run has a linear run that differs in K, sigma_scale and what has no meaning without sub-centres."""

    def training(spec):
        kept = {k: v for k, v in spec.objective_args.items() if k not in ("num_subcenters", "sigma_scale")}
        return dataclasses.replace(spec, objective_args=kept)

    runs = EVIDENCE.table(table).runs(tier)
    linear = {training(spec) for spec in runs if spec.objective_args.get("num_subcenters") == 0}
    if linear:
        sampled = [s for s in runs if s.objective.startswith("multicenter") and s.objective_args["num_subcenters"] > 0]
        assert sampled
        assert {training(spec) for spec in sampled} == linear

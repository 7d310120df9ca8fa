"""The runs of `multicenter`: printed settings, known sub-classes, and comparisons between equals."""

import pytest
import torch

from lossbook.losses.multicenter import multicenter_cross_entropy
from lossbook.papers.multicenter.read import EVIDENCE
from lossbook.papers.multicenter.tables import (
    APART,
    CNNS,
    NARROW,
    SIZES,
    SUPERCLASSES,
    TABLES,
    TOGETHER,
    TRANSFORMERS,
    WIDTHS,
    search,
)
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
    """Every multi-centre run has a linear run that differs in K, sigma_scale and the tuned rate."""

    def training(spec):
        kept = {k: v for k, v in spec.objective_args.items() if k not in ("num_subcenters", "sigma_scale")}
        return spec.replace(objective_args=kept, lr=1.0)

    runs = EVIDENCE.table(table).runs(tier)
    linear = {training(spec) for spec in runs if spec.objective_args.get("num_subcenters") == 0}
    if linear:
        sampled = [s for s in runs if s.objective.startswith("multicenter") and s.objective_args["num_subcenters"] > 0]
        assert sampled
        assert {training(spec) for spec in sampled} == linear


@pytest.mark.parametrize("tier", ["quick", "frozen"])
def test_every_run_is_searched_for_by_one_rule(tier):
    searches = {one.family: one for one in EVIDENCE.searches[tier]}
    for spec in EVIDENCE.runs(tier):
        found = searches[search(spec).family]
        assert (found.metric, set(found.ladders)) == ("accuracy", {"lr"})
        found.start  # noqa: B018  (an error if it is on no ladder)
        assert found.spec.weight_decay == 0.05


def test_few_images_have_the_rate_and_the_updates_of_all():
    for table, tier in (("2", "quick"), ("3", "quick"), ("3", "frozen")):
        specs = EVIDENCE.table(table).specs[tier]
        assert len(specs) == 9
        for spec in specs:
            images, largest = spec.train_per_class, SIZES[spec.dataset][-1]
            (full,) = [one for one in specs if one.train_per_class == largest and one.objective_args == spec.objective_args]
            assert spec.lr == full.lr
            assert search(spec).family == search(full).family
            assert spec.epochs * images == pytest.approx(full.epochs * largest, rel=0.01)


def test_tables_that_claims_read_have_twenty_seeds():
    for tier, without in (("quick", {"sigma-scale"}), ("frozen", {"3"})):
        seeds = {table.name: table.seeds.get(tier, 3) for table in TABLES if table.runs(tier)}
        assert {name for name, count in seeds.items() if count != 20} == without


def test_widths_are_those_of_one_network():
    runs = EVIDENCE.table("features").runs("quick")
    assert {spec.embedding_size for spec in runs} == {*WIDTHS}
    assert {(spec.model, spec.epochs, spec.groups) for spec in runs} == {("mlp", runs[0].epochs, APART)}


@pytest.mark.parametrize("tier", ["quick", "frozen"])
def test_the_label_of_the_authors_code(tier):
    """0.5 on the class centre, 0.2 on each sub-centre, 0.1 over all."""
    found = {str(spec.objective_args): spec.objective_args for spec in EVIDENCE.table("center-weight").specs[tier]}
    (arguments,) = [args for args in found.values() if "label_smoothing" in args]
    assert (arguments["num_subcenters"], arguments["sigma_scale"]) == (2, NARROW)
    logits = torch.randn(1, 4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    label = torch.full((4, 3), 0.1 / 12, dtype=torch.float64)
    label[1] += torch.tensor([0.5, 0.2, 0.2], dtype=torch.float64)
    weights = {name: arguments[name] for name in ("center_weight", "label_smoothing")}
    ours = multicenter_cross_entropy(logits, torch.tensor([1]), **weights)
    assert float(ours) == pytest.approx(float(-(label * logits.flatten().log_softmax(0).view(4, 3)).sum()), abs=1e-12)

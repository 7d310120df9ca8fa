"""What claims read at the quick and the frozen tier was trained with settings that were searched for."""

from __future__ import annotations

import pytest

from lossbook.papers.registry import PAPERS
from lossbook.papers.tuning import chosen, read_tuned

CASES = [(name, tier) for name, paper in PAPERS.items() for tier in paper.evidence.searches]
# Table 2 of `onecold` prints the optimiser with its rate; these take the next lower one, as their module says.
OTHERWISE = {("onecold", name) for name in ("2", "gamma", "gamma-tuned", "layers")}


@pytest.mark.parametrize(("paper", "tier"), CASES)
def test_every_run_that_a_claim_reads_has_a_chosen_rate(paper, tier):
    """That of its loss, network and data set; where an argument is varied, of one of its values."""
    evidence = PAPERS[paper].evidence
    rates = {}
    for search in evidence.searches[tier]:
        spec = search.spec
        rates.setdefault((spec.dataset, spec.model, spec.objective), set()).add((chosen(paper, search) or {}).get("lr"))
    for table in evidence.tables:
        if table.is_evidence and (paper, table.name) not in OTHERWISE:
            for spec in table.specs.get(tier, ()):
                assert spec.lr in rates[spec.dataset, spec.model, spec.objective], (table.name, spec.canonical_json())


@pytest.mark.parametrize(("paper", "tier"), CASES)
def test_every_search_has_chosen_a_setting(paper, tier):
    searches = PAPERS[paper].evidence.searches[tier]
    assert [search.family for search in searches if chosen(paper, search) is None] == []


@pytest.mark.parametrize(("paper", "tier"), CASES)
def test_every_choice_is_that_of_a_search(paper, tier):
    families = {search.family for search in PAPERS[paper].evidence.searches[tier]}
    assert {row["spec"] for row in read_tuned(paper) if row["tier"] == tier} <= families

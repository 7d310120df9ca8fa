"""Every search of a paper has chosen a setting: no run of a searched table stands at the setting where the search began."""

import pytest

from lossbook.papers.registry import PAPERS
from lossbook.papers.tuning import chosen, read_tuned

SEARCHED = [(name, tier) for name, paper in PAPERS.items() for tier in paper.evidence.searches]


@pytest.mark.parametrize(("paper", "tier"), SEARCHED)
def test_every_search_has_chosen_a_setting(paper, tier):
    searches = PAPERS[paper].evidence.searches[tier]
    assert [search.family for search in searches if chosen(paper, search) is None] == []


@pytest.mark.parametrize(("paper", "tier"), SEARCHED)
def test_every_choice_is_that_of_a_search(paper, tier):
    families = {search.family for search in PAPERS[paper].evidence.searches[tier]}
    assert {row["spec"] for row in read_tuned(paper) if row["tier"] == tier} <= families

"""The frozen tier: its committed results are those of its specs, its claims exist and are decided, nothing needs the data."""

import pandas as pd
import pytest

from lossbook.book import show
from lossbook.book import two_tiers as figures
from lossbook.data.extract import CACHES
from lossbook.data.feature_names import are_features
from lossbook.data.registry import DATASETS
from lossbook.papers.registry import PAPERS, get_paper, papers_at
from lossbook.papers.results import load_results
from lossbook.paths import in_project


@pytest.mark.parametrize("paper", papers_at("frozen"))
def test_results_hold_every_run_of_the_tier(paper):
    frame = load_results("results", "frozen", get_paper(paper).evidence)
    for table in get_paper(paper).evidence.tables:
        have = set(frame.loc[frame["table"] == table.name, "run_id"])
        assert have == {spec.run_id for spec in table.runs("frozen")}, table.name


@pytest.mark.parametrize("paper", papers_at("frozen"))
def test_every_claim_of_the_tier_is_decided_from_three_seeds(paper):
    found = get_paper(paper).claims_at("frozen")
    assert found, "a paper with runs here has claims that they decide"
    frame = load_results("results", "frozen", get_paper(paper).evidence)
    for claim in found:
        verdict = claim.check(frame)
        assert verdict.low <= verdict.effect <= verdict.high, claim.id
        assert verdict.seeds >= 3, claim.id


def test_other_tiers_have_all_claims():
    for paper in PAPERS.values():
        assert paper.claims_at("quick") == paper.claims


def test_runs_train_on_features_only_and_from_a_known_set():
    specs = [spec for paper in PAPERS.values() for spec in paper.evidence.runs("frozen")]
    assert {spec.dataset for spec in specs} == {name for name in DATASETS if are_features(name)}
    assert {spec.model for spec in specs} == {"identity"}
    # The reality check trains four models of a quarter of the size.
    assert {spec.embedding_size for spec in specs if spec.suites != ("reality_check",)} == {128}
    assert not any(spec.augment or spec.views != ("plain",) for spec in specs)


def test_features_of_the_runs_are_described():
    described = pd.read_csv(in_project("results") / "frozen" / "features.csv")
    assert described["data set"].tolist() == [cache.name for cache in CACHES.values()]
    assert described.set_index("images")[["train vectors", "test vectors"]].T.to_dict() == {
        name: {"train vectors": cache.counts.get("train", 0), "test vectors": cache.counts["test"]}
        for name, cache in CACHES.items()
    }


def test_a_page_without_claims_here_is_named():
    assert "07-open-set" in {claim.page for claim in get_paper("onecold").claims_at("frozen")}
    with pytest.raises(ValueError, match=r"no claim of onecold at the frozen tier names the page\(s\) 09-representations"):
        show.claims(get_paper("onecold"), "07-open-set", "09-representations", tier="frozen")


def test_verdicts_of_two_tiers_stand_side_by_side():
    paper = get_paper("uniform")
    text = show.claims(paper, "05-imagenet", tier="frozen").text
    assert "<th>quick</th>" in text
    assert "<th>frozen</th>" in text
    rows = figures.verdicts([paper])
    assert set(rows["tier"]) == {"quick", "frozen"}
    assert (rows["low"] <= rows["effect"]).all()
    assert set(rows["claim"]) == {claim.id for claim in paper.claims_at("frozen")}
    both = rows.groupby("claim").size()
    assert (both == 2).all()

"""The claims of `bce3s`."""

from __future__ import annotations

from functools import partial

from lossbook.papers.bce3s import checks, printed
from lossbook.papers.bce3s.tables import BCE, BCE3S, CE, CE3S, Terms
from lossbook.papers.claims import NOT_FROZEN, Claim
from lossbook.runs.tables import TIERS

FAILURE = 10.0  # points of accuracy
SIMILAR = 1.0  # points of accuracy, or of compactness: the paper's "similar" and "approximately"
_SPREAD = "of separability, standard deviation over the classes"
_PAIR_SPREAD = "of separability, standard deviation over the pairs"
_FEATURE_SPREAD = "of compactness, standard deviation over the classes"
_CE_UNIFORM = Terms("ce", None, "bce")


def _row(slug: str, statement: str, metric: str, one: Terms, other: Terms) -> Claim:
    """One row of Table 2 has more of a metric than another."""
    check, on_print = checks.difference_of_terms(metric, one, other), partial(printed.of_terms, "2", metric, one, other)
    return Claim(f"bce3s-{slug}", "Table 2", statement, "05-ablation", check, TIERS, on_print)


def _rows(slug: str, statement: str, comparisons: checks.Comparisons) -> Claim:
    """So it is in each of several comparisons, of rows that are not run on frozen features."""
    check, on_print = checks.all_differences_of_terms(comparisons), partial(printed.of_all_terms, comparisons)
    return Claim(f"bce3s-{slug}", "Table 2", statement, "05-ablation", check, NOT_FROZEN, on_print)


CLAIMS = (
    _row(
        "joint-few", "With the joint term alone, BCE has a higher accuracy on the few classes than CE.", "accuracy_few", BCE, CE
    ),
    _row("joint-medium", "With the joint term alone, BCE gains on CE on the medium classes too.", "accuracy_medium", BCE, CE),
    _row("joint-all", "With the joint term alone, BCE has a higher accuracy on all classes than CE.", "accuracy_all", BCE, CE),
    Claim(
        "bce3s-joint-r1-all",
        "Tables 2, 6",
        "With the joint term alone and all negatives kept (r = 1), BCE still has a higher accuracy on all classes than CE.",
        "05-ablation",
        checks.joint_with_all_negatives,
        printed=printed.joint_with_all_negatives,
    ),
    _row(
        "joint-many",
        "What BCE's joint term gains on the tail it pays for on the many classes, where CE is more accurate.",
        "accuracy_many",
        CE,
        BCE,
    ),
    _row(
        "contrastive-all",
        "The BCE contrastive term raises the accuracy of the BCE joint term on all classes.",
        "accuracy_all",
        Terms("bce", "bce"),
        BCE,
    ),
    _rows(
        "contrastive-form",
        "The contrastive term is more accurate in its BCE form than in its CE form, on the same joint term, be it CE or BCE.",
        {f"on {form.upper()}": ("accuracy_all", Terms(form, "bce"), Terms(form, "ce")) for form in ("ce", "bce")},
    ),
    _rows(
        "contrastive-groups",
        "On the CE joint term, the contrastive term in its BCE form is more accurate than in its CE form on the many, the medium "
        "and the few classes.",
        {group.capitalize(): (f"accuracy_{group}", Terms("ce", "bce"), Terms("ce", "ce")) for group in ("many", "medium", "few")},
    ),
    _row(
        "uniform-all",
        "The BCE uniform term raises the accuracy of the BCE joint term on all classes.",
        "accuracy_all",
        Terms("bce", None, "bce"),
        BCE,
    ),
    _rows(
        "uniform-form",
        "The uniform term is more accurate in its BCE form than in its CE form, on the same joint term, be it CE or BCE.",
        {f"on {form.upper()}": ("accuracy_all", Terms(form, None, "bce"), Terms(form, None, "ce")) for form in ("ce", "bce")},
    ),
    _rows(
        "uniform-tail",
        "On the CE joint term, the BCE uniform term gains on the medium and the few classes, and loses on the many.",
        {
            "gain on Medium": ("accuracy_medium", _CE_UNIFORM, CE),
            "gain on Few": ("accuracy_few", _CE_UNIFORM, CE),
            "loss on Many": ("accuracy_many", CE, _CE_UNIFORM),
        },
    ),
    Claim(
        "bce3s-best",
        "Table 2",
        "The three BCE terms together have the highest accuracy of all rows.",
        "05-ablation",
        checks.three_terms_are_best,
        printed=printed.three_terms_are_best,
    ),
    _row("few", "BCE3S is more accurate on the few classes than CE.", "accuracy_few", BCE3S, CE),
    Claim(
        "bce3s-joint-compactness",
        "Fig. 2",
        "BCE's joint term makes the training features of a class more compact than CE's.",
        "05-ablation",
        checks.difference_of_terms("compactness_train", BCE, CE),
        tiers=TIERS,
        printed=printed.joint_compactness,
    ),
    Claim(
        "bce3s-contrastive-compactness",
        "Fig. 2",
        "The BCE contrastive term makes the training features more compact still.",
        "05-ablation",
        checks.difference_of_terms("compactness_train", Terms("bce", "bce"), BCE),
        tiers=TIERS,
    ),
    Claim(
        "bce3s-uniform-compactness",
        "Fig. 2",
        "On top of BCE's joint and contrastive terms, the uniform term makes the training features more compact again.",
        "05-ablation",
        checks.difference_of_terms("compactness_train", BCE3S, Terms("bce", "bce")),
        tiers=TIERS,
    ),
    Claim(
        "bce3s-test-compactness",
        "Fig. 7",
        "On the test images too, BCE3S has more compact features than CE3S.",
        "05-ablation",
        checks.difference_of_terms("compactness_test", BCE3S, CE3S),
        tiers=TIERS,
    ),
    Claim(
        "bce3s-ce-compactness",
        "Fig. 2",
        "The terms in their CE form leave the compactness as it is: all four combinations are within 1 point.",
        "05-ablation",
        checks.ce_terms_change_nothing(SIMILAR),
    ),
    Claim(
        "bce3s-compactness-spread",
        "Figs. 2, 10",
        "BCE3S has training features that are more evenly compact over the classes than those of CE3S.",
        "05-ablation",
        checks.difference_of_terms("compactness_train_std", CE3S, BCE3S, note=_FEATURE_SPREAD),
        tiers=TIERS,
        printed=printed.compactness_spread,
    ),
    Claim(
        "bce3s-benchmark-best",
        "Table 3",
        "BCE3S with its second stage is more accurate than every other method, at every length of the tail.",
        "09-benchmarks",
        checks.benchmark_best,
        tiers=TIERS,
        printed=printed.benchmark_best,
    ),
    Claim(
        "bce3s-stage2",
        "App. E",
        "A second, class-balanced stage raises the accuracy of BCE3S.",
        "08-second-stage",
        checks.second_stage_gain,
        tiers=TIERS,
        printed=printed.second_stage_gain,
    ),
    Claim(
        "bce3s-stage2-all",
        "App. E",
        "After the same second stage, BCE3S is more accurate than CE3S on all classes.",
        "08-second-stage",
        checks.second_stages("accuracy_all"),
        tiers=TIERS,
    ),
    Claim(
        "bce3s-stage2-few",
        "App. E",
        "After the same second stage, BCE3S is more accurate than CE3S on the few classes.",
        "08-second-stage",
        checks.second_stages("accuracy_few"),
        tiers=TIERS,
    ),
    Claim(
        "bce3s-longer",
        "Table 5",
        "Training BCE3S 2.2 times as long raises its accuracy.",
        "09-benchmarks",
        checks.longer_is_better,
        printed=printed.longer,
    ),
    Claim(
        "bce3s-r-all",
        "Fig. 5",
        "Keeping 40 % of the negatives is better on all classes than keeping all of them.",
        "07-parameters",
        checks.difference("fig-5-r", "accuracy_all", checks.kept(0.4), checks.kept(1.0)),
        printed=partial(printed.kept, "accuracy_all"),
    ),
    Claim(
        "bce3s-r-few",
        "Fig. 5",
        "Keeping 40 % of the negatives is better on the few classes than keeping all of them.",
        "07-parameters",
        checks.difference("fig-5-r", "accuracy_few", checks.kept(0.4), checks.kept(1.0)),
        printed=partial(printed.kept, "accuracy_few"),
    ),
    Claim(
        "bce3s-r-medium",
        "Fig. 5",
        "Keeping 40 % of the negatives is better on the medium classes than keeping all of them.",
        "07-parameters",
        checks.difference("fig-5-r", "accuracy_medium", checks.kept(0.4), checks.kept(1.0)),
        printed=partial(printed.kept, "accuracy_medium"),
    ),
    Claim(
        "bce3s-r-many",
        "Fig. 5",
        "Keeping 40 % of the negatives costs accuracy on the many classes.",
        "07-parameters",
        checks.difference("fig-5-r", "accuracy_many", checks.kept(1.0), checks.kept(0.4)),
        printed=printed.cost_on_many,
    ),
    Claim(
        "bce3s-r-small",
        "Fig. 5",
        "Keeping too few negatives hurts: 10 % is worse on all classes than 40 %.",
        "07-parameters",
        checks.difference("fig-5-r", "accuracy_all", checks.kept(0.4), checks.kept(0.1)),
    ),
    Claim(
        "bce3s-lambda-cc",
        "Fig. 5",
        "The weight of the uniform term has an optimum inside: 1.25 is better than a much smaller and a much larger one.",
        "07-parameters",
        checks.weight_has_an_optimum,
    ),
    Claim(
        "bce3s-lambda-cc-ce",
        "Fig. 5",
        "Joint and uniform terms (weight 1.25) are more accurate in their BCE form than in their CE form.",
        "07-parameters",
        checks.difference(
            "fig-5-lambda-cc",
            "accuracy_all",
            {"arg_joint": "bce", "arg_lambda_cc": 1.25},
            {"arg_joint": "ce", "arg_lambda_cc": 1.25},
        ),
    ),
    Claim(
        "bce3s-contrastive-fails",
        "Fig. 5",
        "A strong contrastive term (large weight, low temperature) loses more than 10 points of accuracy.",
        "07-parameters",
        checks.difference(
            "fig-5-contrastive", "accuracy_all", checks.contrast(0.1, 1.0), checks.contrast(10.0, 0.05), bound=FAILURE
        ),
    ),
    Claim(
        "bce3s-normalise-best",
        "Table 6",
        "Normalising the classifier vectors only is the best of the four normalisations.",
        "07-parameters",
        checks.classifier_only_is_best,
        printed=printed.classifier_only_is_best,
    ),
    Claim(
        "bce3s-normalise-features",
        "Table 6",
        "Normalising the features only makes training fail: it loses more than 10 points against normalising nothing.",
        "07-parameters",
        checks.difference("6", "accuracy_all", {"arg_normalise": "neither"}, {"arg_normalise": "features"}, bound=FAILURE),
        printed=partial(printed.features_fail, FAILURE),
    ),
    Claim(
        "bce3s-normalise-both",
        "Table 6",
        "Normalising both features and classifier vectors is like normalising neither: within 1 point.",
        "07-parameters",
        checks.both_is_like_neither(SIMILAR),
        printed=partial(printed.both_is_like_neither, SIMILAR),
    ),
    Claim(
        "bce3s-uniform-spread",
        "Fig. 2",
        "The BCE uniform term evens out the separability of the classifier vectors: its spread over the classes falls.",
        "06-geometry",
        checks.difference_of_terms("classifier_separability_std", BCE, Terms("bce", None, "bce"), note=_SPREAD),
        tiers=TIERS,
    ),
    Claim(
        "bce3s-uniform-pairs",
        "Fig. 8",
        "The BCE uniform term evens out the separability of the pairs of classifier vectors: its spread over the pairs falls.",
        "06-geometry",
        checks.difference_of_terms("pair_separability_std", BCE, Terms("bce", None, "bce"), note=_PAIR_SPREAD),
    ),
    Claim(
        "bce3s-uniform-spread-ce",
        "Fig. 2",
        "The uniform term in its BCE form leaves a smaller spread than in its CE form, each with its own joint term.",
        "06-geometry",
        checks.difference_of_terms(
            "classifier_separability_std", Terms("ce", None, "ce"), Terms("bce", None, "bce"), note=_SPREAD
        ),
    ),
    Claim(
        "bce3s-contrastive-spread",
        "Fig. 2",
        "The BCE contrastive term makes the classifier vectors less even: their spread rises.",
        "06-geometry",
        checks.difference_of_terms("classifier_separability_std", Terms("bce", "bce"), BCE, note=_SPREAD),
    ),
    Claim(
        "bce3s-ce-joint-limits",
        "Fig. 6",
        "On top of CE's joint term, the two other BCE terms do not reach the compactness of BCE3S.",
        "06-geometry",
        checks.difference_of_terms("compactness_train", BCE3S, Terms("ce", "bce", "bce")),
    ),
    Claim(
        "bce3s-ce-joint-pairs",
        "Fig. 8",
        "On top of CE's joint term, neither form of the uniform term makes the pairs of classifier vectors as even as BCE's "
        "joint and uniform terms do.",
        "06-geometry",
        checks.all_differences_of_terms(
            {
                f"CE + cc ({form.upper()})": ("pair_separability_std", Terms("ce", None, form), Terms("bce", None, "bce"))
                for form in ("ce", "bce")
            }
        ),
    ),
    Claim(
        "bce3s-feature-separability",
        "Fig. 2",
        "BCE3S has a higher feature separability (Eq. 15, as printed) on the training images than CE3S.",
        "06-geometry",
        checks.difference_of_terms("feature_separability_train", BCE3S, CE3S),
        printed=printed.separability,
    ),
    Claim(
        "bce3s-etf",
        "Fig. 2, App. B",
        "The mean separability of the classifier vectors is that of the simplex, whatever the loss: within a tenth of its "
        "distance from 50, the value of right angles.",
        "06-geometry",
        checks.etf,
    ),
)

"""The claims of `onecold`: its sentences, and the checks that decide them."""

from __future__ import annotations

from functools import partial

from lossbook.papers.claims import Claim
from lossbook.papers.onecold import checks, printed
from lossbook.runs.tables import TIERS

_NC = {
    "nc1": "Within-class variability NC1 is lower with γ = 10 than without OCCE.",
    "nc2": "The classifier is closer to a simplex ETF (NC2 lower) with γ = 10 than without OCCE.",
    "nc3": "Classifier and class means are closer to self-duality (NC3 lower) with γ = 10 than without OCCE.",
    "nc4": "The bias compensates the global mean better (NC4 lower) with γ = 10 than without OCCE.",
}

# slug, metric, images, gamma.
_FISHER = (
    ("fisher", "fisher", "training", 10.0),
    ("fisher-default", "fisher", "training", 1.0),
    ("fisher-test", "fisher_test", "test", 10.0),
    ("fisher-test-default", "fisher_test", "test", 1.0),
)
_TWO, _DUAL = "Table 3, Sec. 3.3", "ce+occe-dual"
# slug, source, metric, loss, prediction, statement.
_OPEN_SET = (
    ("oscr", "Table 3", "oscr", "ce+occe", "", "CE + OCCE has a higher OSCR than CE."),
    ("auroc", "Table 3", "auroc", "ce+occe", "", "CE + OCCE has a higher AUROC than CE."),
    ("open-error", "Table 3", "error", "ce+occe", "", "CE + OCCE has a lower error on the known classes than CE."),
    ("dual-occe-error", _TWO, "error", _DUAL, "occe", "The OCCE head of the dual architecture has a lower error than CE."),
    ("dual-occe", _TWO, "oscr", _DUAL, "occe", "The OCCE head of the dual architecture has a higher OSCR than CE."),
    ("dual-occe-auroc", _TWO, "auroc", _DUAL, "occe", "The OCCE head of the dual architecture has a higher AUROC than CE."),
    (
        "dual-ce",
        _TWO,
        "oscr",
        _DUAL,
        "ce",
        "The CE head profits from its neighbour: in the dual architecture it has a higher OSCR than CE alone.",
    ),
    ("dual-ce-auroc", _TWO, "auroc", _DUAL, "ce", "The CE head of the dual architecture has a higher AUROC than CE alone."),
    ("combined", _TWO, "oscr", _DUAL, "combined", "Both heads combined have a higher OSCR than CE."),
    ("combined-auroc", _TWO, "auroc", _DUAL, "combined", "Both heads combined have a higher AUROC than CE."),
)

CLAIMS = (
    Claim(
        "onecold-rce",
        "Table 1",
        "Alone, the one-cold cross entropy (RCE) is not competitive: more than one point behind cross entropy.",
        "02-reverse-cross-entropy",
        checks.rce_behind,
        TIERS,
        printed=partial(printed.rce_behind, checks.COMPETITIVE),
    ),
    Claim(
        "onecold-rce-steps",
        "Ours (Secs. 2.3, 3.2)",
        "Not only the step size: with a tuned learning rate RCE stays behind cross entropy, with ten classes.",
        "02-reverse-cross-entropy",
        checks.rce_own_rate,
    ),
    Claim(
        "onecold-rce-slow",
        "Ours (Sec. 3.2)",
        "RCE is slow: four times the epochs bring it closer to cross entropy, with ten classes.",
        "02-reverse-cross-entropy",
        checks.rce_slow,
    ),
    Claim(
        "onecold-rce-few-classes",
        "Table 5",
        "With ten classes RCE is level: after long training its error differs from that of cross entropy by less than one point.",
        "02-reverse-cross-entropy",
        checks.rce_ten_classes,
        printed=partial(printed.rce_few_classes, checks.COMPETITIVE),
    ),
    Claim(
        "onecold-rce-three-classes",
        "Ours (Table 5)",
        "With three classes RCE is competitive without long training: less than one point behind.",
        "02-reverse-cross-entropy",
        checks.rce_three_classes,
    ),
    *(Claim(f"onecold-{name}", "Fig. 4", text, "03-neural-collapse", checks.collapse(name), TIERS) for name, text in _NC.items()),
    Claim(
        "onecold-nc-consistent",
        "Sec. 3.1",
        "Larger γ consistently collapse further: all four metrics are lower at γ = 10 than at γ = 1.",
        "03-neural-collapse",
        checks.collapse_goes_on,
        TIERS,
    ),
    *(
        Claim(
            f"onecold-{slug}",
            "Sec. A.1.2",
            f"As it must be meant: uniform OCCE with γ = {gamma:g} raises Fisher's ratio tr(S_B)/tr(S_W) on the {images} images.",
            "03-neural-collapse",
            checks.fisher(metric, gamma),
            TIERS,
        )
        for slug, metric, images, gamma in _FISHER
    ),
    Claim(
        "onecold-dimensions",
        "Fig. 5a",
        "With γ = 10 more principal directions are needed to restore 80, 90 and 99 % of the accuracy.",
        "04-independence-deficit",
        checks.more_dimensions,
        TIERS,
        printed=printed.dimensions,
    ),
    Claim(
        "onecold-dimensions-consistent",
        "Fig. 5a",
        "Every step to a larger γ makes more principal directions needed.",
        "04-independence-deficit",
        checks.always_more_dimensions,
        TIERS,
    ),
    Claim(
        "onecold-gap",
        "Fig. 5c",
        "A large γ makes the generalisation gap smaller.",
        "04-independence-deficit",
        checks.smaller_gap,
        TIERS,
    ),
    Claim(
        "onecold-gap-consistent",
        "Fig. 5c",
        "Every step to a larger γ makes the generalisation gap smaller.",
        "04-independence-deficit",
        checks.always_smaller_gap,
        TIERS,
    ),
    Claim(
        "onecold-train-limit",
        "Sec. 3.1",
        "A large γ limits the training accuracy.",
        "04-independence-deficit",
        checks.train_accuracy_limited,
        TIERS,
    ),
    Claim(
        "onecold-best-gamma",
        "Fig. 5b",
        "γ = 1 has the lowest test error (the paper says so of ResNet-18 on CIFAR-100 only).",
        "04-independence-deficit",
        checks.gamma_one_is_best,
        TIERS,
    ),
    Claim(
        "onecold-lower-error",
        "Table 1",
        "Adding OCCE with γ = 1 lowers the test error, on average over the baselines.",
        "05-baselines",
        checks.lower_error,
        TIERS,
        printed=printed.lower_error,
    ),
    Claim(
        "onecold-almost-all",
        "Table 1",
        "It does so for almost all of them (at least eight of nine).",
        "05-baselines",
        checks.almost_all,
        TIERS,
        printed=partial(printed.almost_all, checks.ALMOST_ALL, checks.ALMOST_ALL_NOTE),
    ),
    Claim(
        "onecold-train-accuracy",
        "Sec. 3.2",
        "OCCE with γ = 1 lowers the training accuracy, on average over the baselines.",
        "05-baselines",
        checks.lower_train_accuracy,
        TIERS,
    ),
    Claim(
        "onecold-rivals",
        "Sec. 4, Table 1",
        "CE + OCCE has a lower error than RCE and than label smoothing.",
        "05-baselines",
        checks.lower_than_rivals,
        TIERS,
        printed=partial(printed.lower_than_rivals, checks.RIVALS_NOTE),
    ),
    Claim(
        "onecold-uniform",
        "Table 5",
        "CE + OCCE with the uniform target has a lower error than CE.",
        "06-soft-targets",
        checks.less_error("5", "ce+occe", "soft-d"),
        TIERS,
        printed=partial(printed.soft_targets, "ce+occe", "soft-d"),
    ),
    Claim(
        "onecold-uniform-all",
        "Table 5, Sec. A.1.1",
        "It does so on every data set.",
        "06-soft-targets",
        checks.less_error_everywhere,
        TIERS,
        printed=partial(printed.less_error_everywhere, checks.EVERYWHERE_NOTE),
    ),
    Claim(
        "onecold-instance",
        "Table 5",
        "Instance-based soft targets have a lower error than the uniform target (here those of the same step, which can only act "
        "as γ = 0.9: a loss is not told which image it sees again).",
        "06-soft-targets",
        checks.less_error("5", "ce+occe-instance", "ce+occe"),
        TIERS,
        printed=partial(printed.soft_targets, "ce+occe-instance"),
    ),
    Claim(
        "onecold-class",
        "Table 5",
        "Class-based soft targets have a lower error than the uniform target.",
        "06-soft-targets",
        checks.less_error("5", "ce+occe-class", "ce+occe"),
        TIERS,
        printed=partial(printed.soft_targets, "ce+occe-class"),
    ),
    *(
        Claim(
            f"onecold-{slug}",
            source,
            text,
            "07-open-set",
            checks.open_set_gain("auroc_msp" if metric == "auroc" else metric, loss, prediction),
            TIERS,
            printed=partial(printed.open_set, metric, loss, prediction),
        )
        for slug, source, metric, loss, prediction, text in _OPEN_SET
    ),
    Claim(
        "onecold-ood",
        "Table 4",
        "OCCE with γ = 0.1 raises the AUROC against other data sets.",
        "08-out-of-distribution",
        checks.ood_better,
        TIERS,
        printed=printed.ood_better,
    ),
    Claim(
        "onecold-ood-all",
        "Table 4, Sec. 3.4",
        "It does so against every one of them.",
        "08-out-of-distribution",
        checks.ood_all_sets,
        TIERS,
        printed=partial(printed.ood_all_sets, checks.ALL_SETS_NOTE),
    ),
    Claim(
        "onecold-ood-methods",
        "Fig. 10, Tables 7, 8",
        "Most of the ten scores gain from OCCE with γ = 0.1 (at least six).",
        "08-out-of-distribution",
        checks.ood_most_scores,
        TIERS,
        printed=partial(printed.ood_most_scores, checks.MOST, checks.MOST_NOTE),
    ),
    Claim(
        "onecold-ood-accuracy",
        "Sec. 3.4",
        "OCCE with γ = 0.1 also lowers the error on the known data set.",
        "08-out-of-distribution",
        checks.less_error("4", "ce+occe", "soft-d", arg_occe_weight=0.1),
        TIERS,
        printed=printed.ood_accuracy,
    ),
    Claim(
        "onecold-transfer",
        "Table 2",
        "Transfer from a pretrained network: CE + OCCE has a lower test error than CE.",
        "10-transfer",
        checks.less_error("2", "ce+occe", "soft-d"),
        printed=printed.transfer,
    ),
    Claim(
        "onecold-activations",
        "Fig. 11",
        "OCCE makes an image's complementary activations more alike (relative to their distance from its own).",
        "09-representations",
        checks.equal_activations,
    ),
    Claim(
        "onecold-rank-early",
        "Fig. 13",
        "With a large γ the first layer has Jacobians of higher rank.",
        "09-representations",
        checks.rank_early,
    ),
    Claim(
        "onecold-rank-late",
        "Fig. 13",
        "With a large γ the last layer of the backbone has Jacobians of lower rank.",
        "09-representations",
        checks.rank_late,
    ),
)

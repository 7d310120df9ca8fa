"""What was found, in five sentences for a reader who reads nothing else.

Every number is a claim's effect with its 95 % interval, and every sentence is written for the verdicts that it names: if one
turns, the page does not build until the sentence is written anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lossbook.book.scoreboard import changed, effect, effect_before
from lossbook.book.show import Html
from lossbook.papers.board import Entry


def five(board: Sequence[Entry], before_file: str | Path, notebooks: str = "") -> Html:
    """The five findings, each with links to the pages that show it.

    Args:
        board: all entries of the scoreboard.
        before_file: the verdicts of the first edition, ``data/verdicts/before.csv``.
        notebooks: where the notebooks lie, seen from the page: ``""`` or ``"../"``.

    Raises:
        ValueError: if a verdict is not the one that a sentence says.
    """

    def yes(claim: str, tier: str) -> str:
        return effect(board, claim, tier, "reproduced")

    def no(claim: str, tier: str) -> str:
        return effect(board, claim, tier, "not reproduced")

    def open_(claim: str, tier: str) -> str:
        return effect(board, claim, tier, "undecided")

    def page(path: str, text: str) -> str:
        return f'<a href="{notebooks}{path}.html">{text}</a>'

    neighbour = effect_before(before_file, "warped-beats-euclidean", "quick")
    rows = (
        (
            "One threshold for all images is what BCE gives, and softmax does not.",
            f"With a linear head it serves {yes('uniform-auni-linear', 'quick')} points more of the images on digits, and "
            f"{yes('uniform-auni-linear', 'frozen')} on CIFAR-100. The ordinary accuracy hardly follows: with this head it is "
            f"{yes('uniform-asw-linear', 'quick')} and {yes('uniform-asw-linear', 'frozen')} points higher; over all heads "
            f"{yes('uniform-asw', 'quick')} higher on digits, and {no('uniform-asw', 'frozen')} lower on CIFAR-100.",
            page("uniform/05-imagenet", "The twelve losses"),
        ),
        (
            "That does not carry over to images of unknown classes.",
            f"On digits the largest metric of BCE tells them better from known ones (AUROC {yes('uniform-auroc', 'quick')} "
            f"points higher); on CIFAR-100, worse (by {no('uniform-auroc', 'frozen')}).",
            page("uniform/09-open-set", "The open set"),
        ),
        (
            "A target for the wrong classes collapses the features, as its theory says.",
            f"With the one-cold term at γ = 10 the variability within a class is {yes('onecold-nc1', 'quick')} % lower on "
            f"digits and {yes('onecold-nc1', 'frozen')} % on CIFAR-100. Unknown classes of the same data set are told apart "
            f"better (OSCR {yes('onecold-oscr', 'quick')} and {yes('onecold-oscr', 'frozen')} points higher), images of other "
            f"data sets worse (AUROC {no('onecold-ood', 'quick')} and {no('onecold-ood', 'frozen')} points lower).",
            page("onecold/03-neural-collapse", "Neural collapse")
            + ", "
            + page("onecold/07-open-set", "open set")
            + ", "
            + page("onecold/08-out-of-distribution", "out of distribution"),
        ),
        (
            "Under a long tail three BCE terms even out the classifier, and fall behind in accuracy.",
            f"BCE's joint term alone is {no('bce3s-joint-all', 'quick')} points behind the cross entropy on digits and "
            f"{no('bce3s-joint-all', 'frozen')} on CIFAR100-LT. The uniform term gains {yes('bce3s-uniform-all', 'quick')} and "
            f"{yes('bce3s-uniform-all', 'frozen')} points. With all three and the second stage, another method is still ahead, "
            f"at one length of the tail by {no('bce3s-benchmark-best', 'quick')} and {no('bce3s-benchmark-best', 'frozen')}.",
            page("bce3s/00-in-short", "bce3s in short") + ", " + page("bce3s/09-benchmarks", "other methods"),
        ),
        (
            f"Fair rules and fair training turned {len(changed(board, before_file))} verdicts of this book.",
            f"They are those of rules that keep their error rate, of a learning rate per method, of the start that a paper "
            f"names, and of twenty seeds. With one threshold for all images, BCE with a cosine head seemed to serve fewer of "
            f"CIFAR-100; it serves {yes('uniform-auni-cosine', 'frozen')} points more now that its rate is tuned and its "
            f"threshold starts where the paper starts it. The warp of distances seemed to find the right neighbour on digits "
            f"more often than its control, by {neighbour:.1f} points; now that the control is tuned, too, that is "
            f"{open_('warped-beats-euclidean', 'quick')} points.",
            page("scoreboard/06-what-changed", "What changed"),
        ),
    )
    return Html("<ol>" + "".join(f"<li><b>{head}</b> {text} {link}</li>" for head, text, link in rows) + "</ol>")

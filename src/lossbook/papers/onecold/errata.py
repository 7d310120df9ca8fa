"""Checks of the errata of `onecold`."""

from __future__ import annotations

import math

import torch
from torch.nn.functional import cross_entropy

from lossbook.losses.onecold import anti_class_probabilities, class_weights, one_cold_cross_entropy
from lossbook.metrics.collapse import fisher_ratio, nc1
from lossbook.papers.erratum import Erratum, Rows, holds
from lossbook.papers.onecold.codes import poles_right, simplex_right
from lossbook.papers.onecold.read import EVIDENCE
from lossbook.papers.results import load_results, published

# A well-trained sample of class 0 among four.
SURE = torch.tensor([[20.0, -1.0, -1.0, -1.0]], dtype=torch.float64)


def fisher() -> Rows:
    rng = torch.Generator().manual_seed(0)
    labels = torch.arange(60) % 4
    x, W = torch.randn(60, 8, generator=rng), torch.randn(4, 8, generator=rng) / 3
    parameters = [x.requires_grad_(), W.requires_grad_()]
    optimizer = torch.optim.SGD(parameters, lr=1.0, momentum=0.9)
    start = fisher_ratio(x.detach(), labels)
    for _ in range(100):
        loss = one_cold_cross_entropy(x @ W.T, labels)
        optimizer.zero_grad()
        (loss + 1e-4 * x.square().sum() + 1e-3 * W.square().sum()).backward()
        optimizer.step()
    end = fisher_ratio(x.detach(), labels)
    return [holds("free features under uniform OCCE: tr(S_B) / tr(S_W) grows at least tenfold", end > 10 * start)]


def best_code() -> Rows:
    rows = []
    for classes, energy, simplex, poles in ((10, 0.01, 0.1172, 0.1178), (100, 0.1, 0.0213, 0.0247), (10, 1.0, 0.3583, 0.2473)):
        case = f"{classes} classes, E = {energy:g}: decided right with the probability"
        rows += [
            (f"{case} {simplex} with a simplex", abs(simplex_right(classes, energy) - simplex), 5e-5),
            (f"{case} {poles} with two poles", abs(poles_right(classes, energy) - poles), 5e-5),
        ]
    little = {n: poles_right(n, 1e-4) - simplex_right(n, 1e-4) for n in (6, 7)}
    return [*rows, holds("E = 0.0001: the simplex is better with six classes, the poles with seven", little[6] < 0 < little[7])]


def similarity() -> Rows:
    """A cat whose second largest logit is that of the dog."""
    logits = torch.tensor([[3.0, 1.0, -1.0]], dtype=torch.float64)
    averages = torch.cat([anti_class_probabilities(logits), torch.ones(2, 3, dtype=torch.float64)])
    cat = class_weights(averages)[0]
    longhand = [0.0, math.exp(-1) / (math.exp(-1) + math.exp(1)), math.exp(1) / (math.exp(-1) + math.exp(1))]
    return [
        (
            "logits 3, 1, −1 of cat, dog, car: the row of C longhand",
            float((cat - torch.tensor(longhand, dtype=torch.float64)).abs().max()),
            1e-12,
        ),
        holds("the dog, which the cat is likelier to be, has the smaller entry", bool(cat[1] < cat[2])),
    ]


def equal_activations() -> Rows:
    """Features along their class vector, of different lengths, with any part that the classifier does not see."""
    n, rng = 4, torch.Generator().manual_seed(0)
    W = torch.cat([torch.eye(n, dtype=torch.float64) - 1 / n, torch.zeros(n, 3, dtype=torch.float64)], 1)
    labels = torch.arange(80) % n
    lengths = 20 + 40 * torch.rand(80, 1, generator=rng, dtype=torch.float64)
    unseen = torch.cat([torch.zeros(80, n), 30 * torch.randn(80, 3, generator=rng)], 1).double()
    x = lengths * W[labels] + unseen
    logits = x @ W.T
    others = logits.masked_fill(torch.nn.functional.one_hot(labels).bool(), math.nan)
    spread = max(float(row[~row.isnan()].std()) for row in others)
    return [
        ("every sample's complementary activations are equal", spread, 1e-12),
        ("one-cold cross entropy at its bound log 3", float(one_cold_cross_entropy(logits, labels)) - math.log(3), 1e-7),
        holds("and the features have not collapsed: NC1 above 0.1", nc1(x, labels) > 0.1),
    ]


def rivals() -> Rows:
    errors = published(EVIDENCE, "1").pivot(index=["dataset", "model"], columns="loss", values="value")
    worse = errors.index[errors["ce+occe"] > errors["label-smoothing"]].tolist()
    return [
        holds(
            "Table 1: CE + OCCE has a lower error than RCE in all six columns", bool((errors["ce+occe"] < errors["occe"]).all())
        ),
        holds(
            "but a higher one than LSCE in two: ResNet-18 and DenseNet-121 on CIFAR-100",
            worse == [("cifar100", "densenet121"), ("cifar100", "resnet18v2")],
        ),
        holds(
            "LSCE + OCCE is lower than both in all six",
            bool((errors["label-smoothing+occe"] < errors[["occe", "label-smoothing"]].min(axis=1)).all()),
        ),
    ]


def competitive() -> Rows:
    rows = published(EVIDENCE, "1").query("dataset == 'cifar100' and model == 'resnet18v2'").set_index("loss")["value"]
    digits = published(EVIDENCE, "5").query("dataset == 'mnist'").set_index("loss")["value"]
    return [
        ("Table 1, first column: RCE is 0.21 points behind CE", abs(rows["occe"] - rows["soft-d"] - 0.21), 1e-9),
        holds("and ahead of CCE and FL", bool(rows["occe"] < rows[["cce", "focal"]].min())),
        ("Table 5, MNIST: RCE and CE have the same error", abs(digits["occe"] - digits["soft-d"]), 0.0),
    ]


def bars() -> Rows:
    p, p_bar = SURE.softmax(1)[0], anti_class_probabilities(SURE)[0]
    logits = torch.randn(3, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    labels = torch.tensor([0, 3, 4])
    g = -3 * torch.autograd.grad(one_cold_cross_entropy(logits, labels), logits)[0]  # by the negated logits
    target = torch.full((3, 5), 0.25, dtype=torch.float64).scatter(1, labels[:, None], 0.0)
    logits = logits.detach()
    with_bar = (anti_class_probabilities(logits) - target - g).abs().max()
    return [
        ("(6): at a well-trained sample ŷ_c is 1", abs(float(p[0]) - 1), 1e-6),
        (
            "(6), (7): with a bar it is 0, and 1/(N − 1) elsewhere",
            float((p_bar - torch.tensor([0, 1, 1, 1]) / 3).abs().max()),
            1e-6,
        ),
        ("(17): with bars, the gradient by autograd", float(with_bar), 1e-12),
        holds("(17): without, it is not", float((logits.softmax(1) - target - g).abs().max()) > 0.1),
    ]


def combined() -> Rows:
    logits = torch.randn(200, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    p, p_bar = logits.softmax(1), anti_class_probabilities(logits)
    without = p - p / p.amax(1, keepdim=True)
    with_bar = p - p_bar / p_bar.amax(1, keepdim=True)
    return [
        holds("without bars, all of 200 samples go to their least likely class", bool((without.argmax(1) == p.argmin(1)).all())),
        holds("with bars, all go to the class of the largest logit", bool((with_bar.argmax(1) == p.argmax(1)).all())),
    ]


def eq2() -> Rows:
    return [
        (
            "the probabilities add up to one if the sum runs over the N classes",
            abs(float((SURE.exp() / SURE.exp().sum(1)).sum()) - 1),
            1e-12,
        )
    ]


def learning_rate() -> Rows:
    divided, multiplied = 0.1 / 0.1 / 0.1, 0.1 * 0.1 * 0.1
    return [
        ("divided by 0.1 at epochs 50 and 100, the rate would end at 10", abs(divided - 10), 1e-9),
        ("multiplied by 0.1 it ends at 0.001", abs(multiplied - 0.001), 1e-9),
    ]


def shares() -> Rows:
    columns = {name for name in load_results("results", "quick", EVIDENCE) if name.startswith("dimensions_")}
    return [
        holds(
            "the book follows the text: dimensions for 80, 90 and 99 % are measured",
            {f"dimensions_{k}" for k in (80, 90, 99)} <= columns,
        )
    ]


def limits() -> Rows:
    labels = torch.tensor([0])
    near_zero, far_down = SURE + 1, SURE - 1000  # complementary activations 0 and −1001
    loss = [float(cross_entropy(z, labels)) for z in (near_zero, far_down)]
    z = SURE.clone().requires_grad_()
    g = torch.autograd.grad(cross_entropy(z, labels), z)[0]
    return [
        ("the same cross entropy with complementary activations at 0 and at −1001", abs(loss[0] - loss[1]), 1e-9),
        ("its gradient has no part along a common shift: no limit of their level follows", abs(float(g.sum())), 1e-12),
    ]


def ce_spread() -> Rows:
    one = published(EVIDENCE, "1").query(
        "dataset == 'cifar100' and model == 'resnet18v2' and baseline == 'CE' and occe_weight == 0"
    )
    five = published(EVIDENCE, "5").query("dataset == 'cifar100' and loss == 'soft-d'")
    return [
        ("the mean of CE on CIFAR-100 is 24.98 in both", abs(one["value"].item() - five["value"].item()), 0.0),
        ("its standard deviation is 0.20 in Table 1 …", abs(one["std"].item() - 0.20), 0.0),
        ("… and 0.40 in Table 5", abs(five["std"].item() - 0.40), 0.0),
    ]


def rank() -> Rows:
    epsilon = 1.19e-7
    rng = torch.Generator().manual_seed(0)
    left, right = torch.randn(6, 3, generator=rng, dtype=torch.float64), torch.randn(3, 6, generator=rng, dtype=torch.float64)
    jacobian = left @ right + 1e-5 * torch.randn(6, 6, generator=rng, dtype=torch.float64)

    def counted(matrix, relative: bool) -> int:
        values = torch.linalg.svdvals(matrix)
        return int((values > epsilon * (values[0] if relative else 1)).sum())

    scaled = jacobian / 1000
    return [
        holds("a fixed threshold: dividing a layer by 1000 lowers its rank", counted(scaled, False) < counted(jacobian, False)),
        holds("a threshold relative to the largest singular value: it stays", counted(scaled, True) == counted(jacobian, True)),
    ]


ERRATA = (
    Erratum("onecold", "fisher", "Appendix A.1.2", "misprint", fisher),
    Erratum("onecold", "bars", "Eqs. 6, 7, 9 and 17, and the text above Eq. 10", "copy", bars),
    Erratum("onecold", "combined", "Sec. 3.3", "copy", combined),
    Erratum("onecold", "eq2", "Eq. 2", "misprint", eq2),
    Erratum("onecold", "learning-rate", "Sec. 3.2", "misprint", learning_rate),
    Erratum("onecold", "shares", "Sec. 3.1, caption of Fig. 5", "misprint", shares),
    Erratum("onecold", "limits", "Secs. 2.3 and A.2", "statement", limits),
    Erratum("onecold", "best-code", "Appendix A.1.2", "statement", best_code),
    Erratum("onecold", "similarity", "Appendix A.1.1", "statement", similarity),
    Erratum("onecold", "equal-activations", "Appendix A.3", "statement", equal_activations),
    Erratum("onecold", "competitive", "Sec. 3.2, Table 1", "statement", competitive),
    Erratum("onecold", "rivals", "Sec. 4, Table 1", "statement", rivals),
    Erratum("onecold", "ce-spread", "Tables 1 and 5", "misprint", ce_spread),
    Erratum("onecold", "rank", "Appendix A.5", "reading", rank),
)

"""Checks of the errata of `onecold`."""

from __future__ import annotations

import torch
from torch.nn.functional import cross_entropy

from lossbook.losses.onecold import anti_class_probabilities, one_cold_cross_entropy
from lossbook.metrics.collapse import fisher_ratio
from lossbook.papers.erratum import Erratum, Rows, holds
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
    Erratum("onecold", "ce-spread", "Tables 1 and 5", "misprint", ce_spread),
    Erratum("onecold", "rank", "Appendix A.5", "reading", rank),
)

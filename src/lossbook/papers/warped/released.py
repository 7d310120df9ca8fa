"""The runs of `warped` at the paper tier: the authors' released hyper-parameters.

As in their code, the rates are constant within a phase, without a warm-up.  What a run spec cannot say differs from it: they
add a max and an average pooling (here the backbone's own pooling), crop at random (here images are only flipped), start the
proxies with ``kaiming_normal_(mode="fan_out")`` and, but for SOP, the embedding too (here ``fan_in`` and torch's default), clip
the backbone's gradients only, and decay norms and biases too.  So lengths differ at the start, and alpha is a length: theirs
are proxies of mean length 3.2 for CUB and 0.3 for SOP, here 1.4 for both.

Table VI takes these values too.  In the paper each of its losses had a Bayesian search of its own, with RMSProp, and
BN-Inception for SOP; what was found is not released.
"""

from __future__ import annotations

from typing import Any

from lossbook.papers.warped.searches import ROBUST
from lossbook.runs.spec import RunSpec

_RESNET = RunSpec(
    objective="euclidean-softmax",
    dataset="cub-retrieval",
    classes=tuple(range(100)),
    model="resnet50",
    pretrained=True,
    embedding_size=512,
    image_size=224,
    augment=("flip",),
    optimizer="adam",
    optimizer_args={"eps": 1.0},
    weight_decay=1e-7,
    gradient_clip=10.0,
    warmup_epochs=0.0,
    suites=ROBUST,
)


def _released(
    dataset: str,
    classes: int,
    batch: tuple[int, int],
    epochs: tuple[int, int],
    lr: tuple[float, float],
    proxy_lr: tuple[float, float],
    temperature: float,
    margin: float,
    **warps: tuple[float, float],
) -> tuple[RunSpec, RunSpec, RunSpec]:
    """Eq. 4, the warp and ProxyNCA++ on one data set.

    A pair has the values of the first and the second phase; the temperature ends at 1.
    """
    first, second = ({name: values[phase] for name, values in warps.items()} for phase in (0, 1))
    # A step that never comes keeps the rate constant.
    then: dict[str, Any] = {"epochs": epochs[1], "lr_steps": epochs[1:], "lr": lr[1], "head_lr": proxy_lr[1]}
    base = _RESNET.replace(
        dataset=dataset,
        classes=tuple(range(classes)),
        batch_size=batch[0],
        batch_classes=batch[1],
        epochs=epochs[0],
        lr_steps=epochs[:1],
        lr=lr[0],
        head_lr=proxy_lr[0],
    )
    cooled = {"temperature": 1.0}
    return (
        base.replace(objective_args={"temperature": temperature}, second_phase=then | {"objective_args": cooled}),
        base.replace(
            objective="warped-softmax",
            objective_args=first | {"temperature": temperature, "margin": margin},
            second_phase=then | {"objective_args": second | cooled},
        ),
        base.replace(objective="proxy-nca++", second_phase=then),
    )


CUB = _released(
    "cub-retrieval",
    classes=100,
    batch=(64, 8),
    epochs=(20, 30),
    lr=(0.01, 0.001),
    proxy_lr=(1.0, 5e-4),
    temperature=4.525,
    margin=1.30,
    alpha=(28.40, 24.68),
    k1=(0.93, 0.95),
    k2=(1.15, 1.20),
)
CARS = _released(
    "cars-retrieval",
    classes=98,
    batch=(64, 4),
    epochs=(50, 50),
    lr=(0.01, 0.001),
    proxy_lr=(1.0, 5e-4),
    temperature=5.0,
    margin=1.50,
    alpha=(30.15, 23.25),
    k1=(0.80, 0.50),
    k2=(1.15, 1.55),
)
SOP = _released(
    "sop",
    classes=11318,
    batch=(192, 64),
    epochs=(60, 20),
    lr=(0.024, 0.0075),
    proxy_lr=(225.0, 0.001),
    temperature=3.7442,
    margin=1.348,
    alpha=(13.025, 5.842),
    k1=(0.8563, 0.8024),
    k2=(1.1181, 1.6175),
)
_ONE_PHASE: dict[str, Any] = {"epochs": 50, "lr_steps": (50,), "second_phase": {}}
CUB_ONE = CUB[0].replace(objective_args={"temperature": 1.0}, augment=(), **_ONE_PHASE)


def cub(**changes: float) -> RunSpec:
    """The first phase's warp on CUB, all epochs in one phase."""
    return CUB[1].replace(objective_args=CUB[1].objective_args | changes, **_ONE_PHASE)

"""The standard tier: whole networks from scratch on real images, about ten minutes per run on one core.

One small network with one schedule, so that a table's runs differ by their loss alone.  The recipe was found with the cross
entropy (one seed, one core with bfloat16 matrix units): CIFAR-100, 20 epochs, 64.8 % in 14.5 minutes; its long tail
(imbalance 100), 60 epochs, 38.2 % in 10.1 minutes.  No loss has a rate that was searched for: a table's runs share that of the
tier, or that of their paper where its module says so.
"""

from __future__ import annotations

from lossbook.data.registry import DATASETS
from lossbook.runs.spec import RunSpec

CIFAR100 = RunSpec(
    dataset="cifar100",
    model="resnet10",
    augment=("shift", "flip"),
    epochs=20,
    batch_size=128,
    lr=0.2,
    warmup_epochs=2.0,
    mixed_precision=True,
)
LONG_TAIL = CIFAR100.replace(imbalance=100.0, epochs=60, lr=0.1, weight_decay=5e-3, warmup_epochs=6.0)
FASHION = CIFAR100.replace(dataset="fashion-mnist", epochs=15, warmup_epochs=1.5)
# Omniglot's 964 background characters, in batches of four drawings of each of 32.
OMNIGLOT = CIFAR100.replace(
    dataset="omniglot", classes=tuple(range(964)), augment=("shift",), batch_classes=32, epochs=30, warmup_epochs=3.0
)

# Training images per class, where every class has as many.
_PER_CLASS = {"cifar10": 5000, "cifar100": 500, "fashion-mnist": 6000, "omniglot": 15}
# On one core with matrix units for bfloat16, what is measured included; 1.6 times as long without them.
_IMAGES_PER_SECOND = 1100


def is_on_plan(spec: RunSpec) -> bool:
    """Is it a run of this tier's network?  The others are transfer learning, for a GPU, and a figure that takes seconds."""
    return spec.model == CIFAR100.model


def core_minutes(spec: RunSpec) -> float:
    """About how long a run of this tier's network takes on one core with matrix units for bfloat16."""
    # A frozen second phase trains on features that are computed once.
    passes = sum(phase.epochs * len(phase.views) for phase in spec.phases() if not phase.frozen)
    minutes = _images(spec) * passes / _IMAGES_PER_SECOND / 60
    # Four further runs, each on three quarters of the classes.
    return minutes * (1 + 4 * 0.75) if "reality_check" in spec.suites else minutes


def _images(spec: RunSpec) -> int:
    classes = len(spec.classes) or DATASETS[spec.dataset].num_classes
    most = spec.train_per_class or _PER_CLASS[spec.dataset]
    return sum(int(most * spec.imbalance ** (-k / (classes - 1))) for k in range(classes))

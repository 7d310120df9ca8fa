"""The only training loop: ``train(spec) -> RunResult``, a pure function of the spec.

One device through Lightning Fabric: float32 on the CPU, bfloat16 autocast on CUDA.  The data set is one uint8 tensor
on the device; images become floats, are resized and augmented a batch at a time.  No step waits for the device: the
losses are summed there and read once an epoch.
"""

from __future__ import annotations

import contextlib
import copy
import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from lossbook.data import Split, augment_batch, batches, load, resize, to_float
from lossbook.evaluations import Evaluation, Outputs, evaluate
from lossbook.models import create_model
from lossbook.objectives import Objective, create_objective
from lossbook.progress import track
from lossbook.specs import RunSpec


@dataclass(frozen=True)
class RunResult:
    """What came out of a run.

    ``metrics`` holds ``diverged`` (0 or 1), ``train_loss`` of the last epoch and what the evaluations measured;
    ``curves`` one value an epoch; ``frames`` the evaluations' small tables.  A run whose loss stops being finite ends
    there: that is a result, not an error, and its other metrics are missing.
    """

    spec: RunSpec
    metrics: dict[str, float]
    curves: dict[str, list[float]]
    frames: dict[str, list[dict[str, float]]]
    seconds: float
    device: str


class Classifier(nn.Module):
    """Backbone and objective: (images, labels) to (loss, number of right predictions)."""

    def __init__(self, backbone: nn.Module, objective: Objective) -> None:
        super().__init__()
        self.backbone = backbone
        self.objective = objective

    def forward(self, images: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor] | Tensor:
        """With labels: the loss and the count; without: the features."""
        features = self.backbone(images)
        if labels is None:
            return features
        loss = self.objective(features, labels)
        with torch.no_grad():
            correct = (self.objective.logits(features).argmax(1) == labels).sum()
        return loss, correct


@contextlib.contextmanager
def _deterministic(seed: int) -> Iterator[None]:
    """Seeded and deterministic inside, the caller's state untouched outside."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        torch.use_deterministic_algorithms(True)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before)


def _optimizer(
    model: nn.Module, spec: RunSpec, steps_per_epoch: int
) -> tuple[torch.optim.SGD, torch.optim.lr_scheduler.LambdaLR]:
    """SGD with weight decay on matrices and kernels only; linear warm-up, then cosine decay to zero, a step at a time."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": spec.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.SGD(groups, lr=spec.lr, momentum=spec.momentum, nesterov=spec.momentum > 0)
    warmup = spec.warmup_epochs * steps_per_epoch
    total = spec.epochs * steps_per_epoch

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / (warmup + 1)
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1.0, total - warmup)))

    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, factor)


@torch.no_grad()
def _features(model: nn.Module, split: Split) -> Tensor:
    """Features of a split in float32 on the CPU."""
    model.eval()
    chunks = [model(to_float(chunk)).float() for chunk in split.images.split(1000)]
    return torch.cat(chunks).cpu()


def _ready(split: Split, spec: RunSpec, device: torch.device) -> Split:
    """On the device, at the size that the spec asks for."""
    return resize(Split(split.images.to(device), split.labels.to(device)), spec.image_size)


def train(spec: RunSpec) -> RunResult:
    """Train and evaluate one run.

    Raises:
        ValueError: for an unknown name in the spec.
        DataError: for a missing or damaged data set.
    """
    start = time.perf_counter()
    everything = load(spec.dataset)
    data = everything.select(spec.classes) if spec.classes else everything
    on_cuda = torch.cuda.is_available()
    fabric = Fabric(accelerator="cuda" if on_cuda else "cpu", devices=1, precision="bf16-mixed" if on_cuda else "32-true")
    with _deterministic(spec.seed):
        split = _ready(data.train, spec, fabric.device)
        backbone, num_features = create_model(spec.model, data.train.images.shape[1], spec.pretrained)
        backbone.eval()(to_float(split.images[:1].cpu()))  # gives lazy layers their shape
        objective = create_objective(spec.objective, num_features, data.num_classes, **spec.objective_args)
        bias = getattr(objective.head, "bias", None)
        initial_bias = None if bias is None else bias.detach().clone()
        model = Classifier(backbone, objective).to(memory_format=torch.channels_last)
        optimizer, scheduler = _optimizer(model, spec, max(1, len(split) // spec.batch_size))
        model, optimizer = fabric.setup(model, optimizer)
        curves = _fit(fabric, model, optimizer, scheduler, split, spec)
        diverged = not math.isfinite(curves["train_loss"][-1])
        metrics = {"diverged": float(diverged), "train_loss": curves["train_loss"][-1]}
        frames: dict[str, list[dict[str, float]]] = {}
        if not diverged:
            for evaluation in _evaluate(fabric, model, objective, initial_bias, spec):
                metrics |= evaluation.metrics
                frames |= evaluation.frames
    return RunResult(spec, metrics, curves, frames, time.perf_counter() - start, _device_name(fabric.device))


def _fit(fabric: Fabric, model: nn.Module, optimizer, scheduler, split: Split, spec: RunSpec) -> dict[str, list[float]]:
    """The epochs; stops at the end of the first one whose mean loss is not finite."""
    order = torch.Generator().manual_seed(spec.seed)
    curves: dict[str, list[float]] = {"train_loss": [], "train_accuracy": []}
    for _ in track(range(spec.epochs), f"{spec.objective} seed {spec.seed}, epochs"):
        model.train()
        sums = torch.zeros(2, device=fabric.device)
        seen = steps = 0
        for images, labels in batches(split, spec.batch_size, order):
            images = augment_batch(to_float(images), spec.augment, order)
            loss, correct = model(images, labels)
            optimizer.zero_grad()
            fabric.backward(loss)
            optimizer.step()
            scheduler.step()
            sums += torch.stack([loss.detach().float(), correct.float()])
            seen, steps = seen + len(labels), steps + 1
        loss_sum, correct_sum = sums.tolist()
        curves["train_loss"].append(loss_sum / steps)
        curves["train_accuracy"].append(correct_sum / seen)
        if not math.isfinite(loss_sum):
            break
    return curves


def _evaluate(
    fabric: Fabric, model: nn.Module, objective: Objective, initial_bias: Tensor | None, spec: RunSpec
) -> list[Evaluation]:
    everything = load(spec.dataset)
    data = everything.select(spec.classes) if spec.classes else everything
    left_out = tuple(sorted(set(range(everything.num_classes)) - set(spec.classes))) if spec.classes else ()
    unknown = everything.test.select(left_out) if left_out else None
    outputs = Outputs(
        objective=copy.deepcopy(objective).float().cpu().eval(),
        initial_bias=initial_bias,
        train_features=_features(model, _ready(data.train, spec, fabric.device)),
        train_labels=data.train.labels,
        test_features=_features(model, _ready(data.test, spec, fabric.device)),
        test_labels=data.test.labels,
        unknown_features=_features(model, _ready(unknown, spec, fabric.device)) if unknown else None,
        unknown_labels=unknown.labels if unknown else None,
    )
    return [evaluate(name, outputs) for name in spec.evaluations]


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"

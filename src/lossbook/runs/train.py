"""The only training loop: ``train(spec) -> RunResult``, a pure function of the spec.

One device through Lightning Fabric, or several through its DDP (:mod:`lossbook.runs.distributed`): bfloat16 autocast on CUDA,
and on a CPU with matrix units for it where the spec asks for mixed precision; float32 elsewhere.  The data set is one uint8
tensor on the device; images become floats, are resized and augmented batch by batch.  No step waits for the device: the losses
are summed there and read once per epoch.
"""

from __future__ import annotations

import contextlib
import copy
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lossbook.data.batches import augment_batch, batches, mix_batch, resize, to_float
from lossbook.data.dataset import ImageData, Split
from lossbook.models import create_model
from lossbook.objectives.create import create_objective
from lossbook.objectives.objective import Objective
from lossbook.optional import extra
from lossbook.progress import track
from lossbook.runs.checkpoint import Checkpoint, Checkpoints, State, restore, save_weights, state_of
from lossbook.runs.distributed import (
    all_gather,
    check_divisible,
    create_fabric,
    in_bfloat16,
    local_shard,
    norms_over_whole_batch,
)
from lossbook.runs.optimizer import create_optimizer
from lossbook.runs.spec import RunSpec
from lossbook.runs.subsets import held_out_classes, subset
from lossbook.runs.suites.lookup import get_suite
from lossbook.runs.suites.suite import Measured, Outputs, Suite

with extra("run"):
    from lightning_fabric import Fabric


@dataclass(frozen=True)
class RunResult:
    """What came out of a run.

    ``metrics`` holds ``diverged`` and ``exploded`` (0 or 1), ``train_loss`` and ``train_accuracy`` of the last epoch and what
    the suites measured; ``curves`` one value per epoch (NaN where nothing was measured); ``small_tables`` the suites' small
    tables.  A run whose loss or logits stop being finite has diverged.  It ends there: that is a result, not an error, and its
    other metrics are missing.  A run has exploded if its loss is finite, but ended far above where it began
    (:func:`exploded`).  ``device`` names the device, and the precision of the training unless it is float32.
    """

    spec: RunSpec
    metrics: dict[str, float]
    curves: dict[str, list[float]]
    small_tables: dict[str, list[dict[str, float]]]
    seconds: float
    device: str


def exploded(first: float, last: float) -> bool:
    """Is the mean loss of the last epoch more than ten times the loss of the first batch, before any step (or than 1, where
    that is less)?"""
    return math.isfinite(last) and last > 10 * max(first, 1.0)


def _compared(losses: Mapping[str, Any]) -> str:
    """The name of the loss that tells whether a run has exploded: the joint term of an objective that measures one, because
    its other terms are bounded and need not be there from the first batch."""
    return "joint_loss" if "joint_loss" in losses else "train_loss"


class Classifier(nn.Module):
    """Backbone and objective: (images, labels) to (loss, number of right predictions).

    The backbone works on this process's shard of the images, the objective on the features of all.
    """

    def __init__(self, fabric: Fabric, backbone: nn.Module, objective: Objective) -> None:
        super().__init__()
        self.fabric = fabric
        self.backbone = backbone
        self.objective = objective

    def forward(self, images: Tensor, labels: Tensor, partners: Tensor | None = None, own: float = 1.0) -> tuple[Tensor, Tensor]:
        """``partners`` and ``own`` are the other labels and the own label's share of mixed images."""
        features = all_gather(self.fabric, self.backbone(local_shard(self.fabric, images)))
        if partners is None:
            return self.objective.loss_and_right(features, labels)
        loss = self.objective.mixed(features, labels, partners, own)
        with torch.no_grad():
            return loss, (self.objective.predict(features) == labels).sum()


@contextlib.contextmanager
def _deterministic(seed: int) -> Iterator[None]:
    """Seeded and deterministic inside, the caller's state untouched outside."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled(), torch.utils.deterministic.fill_uninitialized_memory
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        torch.use_deterministic_algorithms(True)
        # Filling uninitialised memory costs up to 20 % of a short run and finds nothing here.
        torch.utils.deterministic.fill_uninitialized_memory = False
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before[0])
            torch.utils.deterministic.fill_uninitialized_memory = before[1]


@torch.no_grad()
def _features(backbone: nn.Module, images: Tensor, spec: RunSpec, device: torch.device) -> Tensor:
    """Features of uint8 images, (n, C, H, W) -> (n, d), in float32 on the device."""
    backbone.eval()
    images = resize(Split(images.to(device), images.new_empty(0)), spec.image_size).images
    # On a CPU the large activations of a pretrained backbone leave the cache: small chunks are three times as fast.
    size = 32 if spec.pretrained and device.type == "cpu" else 1000
    return torch.cat([backbone(to_float(chunk)).float() for chunk in images.split(size)])


@torch.no_grad()
def _finite(backbone: nn.Module, objective: Objective, images: Tensor, spec: RunSpec, device: torch.device) -> bool:
    """Are the logits of the first images finite?  The last step can ruin the weights without a loss that shows it."""
    logits = objective.eval().logits(_features(backbone, images[:100], spec, device))
    return bool(logits.isfinite().all())


def _backbone(spec: RunSpec, images: Tensor) -> tuple[nn.Module, int]:
    """The backbone, with an embedding layer where the spec asks for one, and its number of features."""
    backbone, num_features = create_model(spec.model, images.shape[1], spec.pretrained)
    if spec.embedding_size:
        norm = nn.LayerNorm(num_features, elementwise_affine=False)
        backbone, num_features = nn.Sequential(backbone, norm, nn.Linear(num_features, spec.embedding_size)), spec.embedding_size
    backbone.eval()(to_float(images[:1].cpu()))  # gives lazy layers their shape
    return backbone, num_features


def _objective(spec: RunSpec, num_features: int, class_counts: Tensor, earlier: Objective | None) -> Objective:
    """The phase's objective; it takes over the state of the earlier phase's, which has to hold all parameters."""
    objective = create_objective(spec.objective, num_features, len(class_counts), class_counts, **spec.objective_args)
    objective.synchronize(gather=False)  # every process is given the features of all
    if earlier is not None:
        absent = objective.load_state_dict(earlier.state_dict(), strict=False).missing_keys
        missing = [name for name, _ in objective.named_parameters() if name in absent]
        if missing:
            raise ValueError(f"the second phase's objective needs {', '.join(missing)}, which the first phase has not trained")
    return objective


def train(spec: RunSpec, devices: int = 1, checkpoints: Checkpoints | None = None, weights: Path | None = None) -> RunResult:
    """Train and evaluate one run.

    Args:
        spec: the run.
        devices: GPUs (or, without one, processes) that share the work of every batch.  The result is that of one
            device up to rounding; see :mod:`lossbook.runs.distributed`.
        checkpoints: where a run of minutes stores its state, and goes on from if it was killed.  The result is the same to
            the last bit.  The caller deletes them when the result is safe.
        weights: file for the trained weights (:func:`lossbook.runs.checkpoint.save_weights`).

    Raises:
        ValueError: for an unknown name in the spec, or batches that the devices cannot share.
        DataError: for a missing or damaged data set.
    """
    fabric = create_fabric(devices, spec.mixed_precision)
    if devices == 1:
        return _train_and_evaluate(fabric, spec, checkpoints, weights)
    check_divisible(spec, devices, len(subset(spec).train))
    return RunResult(spec, **fabric.launch(partial(_train_fields, spec=spec, checkpoints=checkpoints, weights=weights)))


def _train_fields(fabric: Fabric, spec: RunSpec, checkpoints: Checkpoints | None, weights: Path | None) -> dict[str, Any]:
    """The result without its spec, as a dict: Fabric hands no frozen dataclass from process to process."""
    fields = vars(_train_and_evaluate(fabric, spec, checkpoints, weights))
    return {name: value for name, value in fields.items() if name != "spec"}


def _train_and_evaluate(fabric: Fabric, spec: RunSpec, checkpoints: Checkpoints | None, weights: Path | None) -> RunResult:
    def finish(*trained: Any) -> list[Measured]:
        if weights is not None:
            _, backbone, objective, *_ = trained
            save_weights(weights, backbone, objective, spec)
        return _evaluate(*trained, checkpoints=checkpoints)

    return _train(fabric, spec, finish, checkpoints)


def _train(fabric: Fabric, spec: RunSpec, finish: Callable[..., list[Measured]], checkpoints: Checkpoints | None) -> RunResult:
    """Train one run; ``finish`` measures what came out, unless it diverged."""
    checkpoint = Checkpoint(checkpoints, spec, in_bfloat16(spec.mixed_precision))
    stored = checkpoint.load()
    start = time.perf_counter() - (0.0 if stored is None else stored["seconds"])
    data = subset(spec)
    class_counts = torch.bincount(data.train.labels, minlength=data.num_classes)
    with _deterministic(spec.seed):
        split = resize(Split(data.train.images.to(fabric.device), data.train.labels.to(fabric.device)), spec.image_size)
        backbone, num_features = _backbone(spec, split.images)
        backbone = norms_over_whole_batch(fabric, backbone)
        objective = initial_bias = None
        curves: dict[str, list[float]] = {}
        for number, phase in enumerate(spec.phases()):
            objective = _objective(phase, num_features, class_counts, objective)
            if initial_bias is None and getattr(objective.head, "bias", None) is not None:
                initial_bias = objective.head.bias.detach().clone()
            if stored is not None and number < stored["phase"]:
                continue
            if stored is not None:
                curves, initial_bias = stored["curves"], stored["initial_bias"]
            before = {"phase": number, "curves": curves, "initial_bias": initial_bias}
            measure = partial(_measure, fabric, backbone, objective, initial_bias, data, spec)
            keep = partial(_keep, fabric, checkpoint, start, before)
            first_loss, found = _fit(fabric, backbone, objective, split, phase, measure, stored, keep)
            stored = None
            _append(curves, found)
            last_loss = curves["train_loss"][-1]
            diverged = not (math.isfinite(last_loss) and _finite(backbone, objective, data.train.images, spec, fabric.device))
            grown = exploded(first_loss, found[_compared(found)][-1])
            if diverged:
                break
        metrics = {"diverged": float(diverged), "exploded": float(grown)}
        metrics |= {"train_loss": last_loss, "train_accuracy": curves["train_accuracy"][-1]}
        small_tables: dict[str, list[dict[str, float]]] = {}
        if not diverged and fabric.is_global_zero:
            for measured in finish(fabric, backbone, objective, initial_bias, data, spec):
                metrics |= measured.metrics
                small_tables |= measured.small_tables
    return RunResult(spec, metrics, curves, small_tables, time.perf_counter() - start, _device_name(fabric, spec))


def _keep(fabric: Fabric, checkpoint: Checkpoint, start: float, before: State, now: Callable[[], State]) -> None:
    """Store what came before the phase and where it is now; of several processes the first does it."""
    if fabric.is_global_zero:
        checkpoint.save(lambda: {"seconds": time.perf_counter() - start} | before | now())


def _append(curves: dict[str, list[float]], more: dict[str, list[float]]) -> None:
    """Append a phase's curves; a curve that only one of the two phases has is NaN in the other."""
    before, added = len(curves.get("train_loss", [])), len(more["train_loss"])
    for name in curves | more:
        curves[name] = curves.get(name, [math.nan] * before) + more.get(name, [math.nan] * added)


def _fit(
    fabric: Fabric,
    backbone: nn.Module,
    objective: Objective,
    split: Split,
    spec: RunSpec,
    measure: Callable[[], dict[str, float]],
    stored: State | None = None,
    keep: Callable[[Callable[[], State]], None] = lambda now: None,
) -> tuple[float, dict[str, list[float]]]:
    """The epochs of a phase: loss of the first batch (:func:`_compared`), and curves.  Stops at the end of the first epoch
    whose mean loss is not finite.

    ``measure()`` is called every ``spec.evaluate_every`` epochs.  Of several processes only the first calls it, and the
    others wait for it at the next batch.  ``keep`` is called after every epoch with a function that returns the state, and
    the phase goes on from such a state if it gets one as ``stored``.
    """
    if stored is not None:  # all else is restored when there is an optimizer, but the features may be cached before
        backbone.load_state_dict(stored["backbone"])
    cached = spec.frozen and not spec.augment and spec.views == ("plain",)
    if cached:
        split = Split(_features(backbone.to(fabric.device), split.images, spec, fabric.device), split.labels)
    model = Classifier(fabric, nn.Identity() if cached else backbone, objective).to(memory_format=torch.channels_last)
    backbone.requires_grad_(not spec.frozen)
    optimizer, scheduler = create_optimizer(model.backbone, model.objective, spec, max(1, len(split) // spec.batch_size))
    model, optimizer = fabric.setup(model, optimizer)
    order = torch.Generator().manual_seed(spec.seed)
    first_loss = math.nan
    curves: dict[str, list[float]] = {"train_loss": [], "train_accuracy": []}
    parts = {"backbone": backbone, "objective": objective, "optimizer": optimizer, "scheduler": scheduler}
    if stored is not None:
        restore(stored, parts, order, fabric.device)
        first_loss, curves = stored["first_loss"], stored["phase_curves"]

    def now() -> State:
        return state_of(parts, order, fabric.device) | {"first_loss": first_loss, "phase_curves": curves}

    epochs = range(len(curves["train_loss"]), spec.epochs)
    for epoch in track(epochs, f"{spec.objective} seed {spec.seed}, epochs") if fabric.is_global_zero else epochs:
        model.train()
        if spec.frozen:
            backbone.eval()
        objective.start_epoch(epoch, spec.epochs)
        sums, first, seen, steps = None, None, 0, 0
        for images, labels in batches(split, spec.batch_size, order, spec.batch_classes):
            images = augment_batch(to_float(images), spec.augment, order)
            for _ in range(objective.steps_per_batch):
                loss, correct = _loss(model, images, labels, spec, order)
                optimizer.zero_grad()
                fabric.backward(loss)
                if spec.gradient_clip:
                    fabric.clip_gradients(model, optimizer, clip_val=spec.gradient_clip)
                optimizer.step()
                objective.after_step()
            scheduler.step()
            values = torch.stack([loss, correct, *objective.measured.values()]).detach().float()
            first = values if first is None else first
            sums = values if sums is None else sums + values
            seen, steps = seen + len(labels), steps + 1
        loss_sum, correct_sum, *measured = sums.tolist()
        if epoch == 0:
            began = dict(zip(("train_loss", "right", *objective.measured), first.tolist(), strict=True))
            first_loss = began[_compared(began)]
        curves["train_loss"].append(loss_sum / steps)
        curves["train_accuracy"].append(correct_sum / seen)
        for name, total in zip(objective.measured, measured, strict=True):
            curves.setdefault(name, []).append(total / steps)
        if not math.isfinite(loss_sum):
            break
        if spec.evaluate_every and (epoch + 1) % spec.evaluate_every == 0 and fabric.is_global_zero:
            for name, value in measure().items():
                curves.setdefault(name, []).extend([math.nan] * (epoch - len(curves.get(name, []))) + [value])
        keep(now)
    done = len(curves["train_loss"])
    return first_loss, {name: values + [math.nan] * (done - len(values)) for name, values in curves.items()}


def _loss(model: nn.Module, images: Tensor, labels: Tensor, spec: RunSpec, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """The mean loss over the views, and the number of right predictions in the first."""
    losses, correct = [], None
    for view in spec.views:
        mixed, partners, own = mix_batch(images, labels, view, spec.mix_alpha, generator)
        loss, right = model(mixed, labels) if view == "plain" else model(mixed, labels, partners, own)
        losses.append(loss)
        correct = right if correct is None else correct
    return torch.stack(losses).mean(), correct


def _measure(*trained: Any) -> dict[str, float]:
    """The metrics of :func:`_evaluate` now; the random state is restored, so training goes on as if nothing had been measured."""
    with torch.random.fork_rng():
        return {name: value for found in _evaluate(*trained) for name, value in found.metrics.items()}


def _evaluate(*trained: Any, checkpoints: Checkpoints | None = None) -> list[Measured]:
    *_, spec = trained
    suites = [get_suite(name) for name in spec.suites]
    if not suites:
        return []
    outputs = _outputs(*trained)
    return [suite.measure(outputs, *_further_outputs(suite, spec, checkpoints)) for suite in suites]


def _further_outputs(suite: Suite, spec: RunSpec, checkpoints: Checkpoints | None) -> list[Outputs | None]:
    """The outputs of the further runs that a suite compares the run with."""
    return [] if suite.further_runs is None else [_outputs_of(further, checkpoints) for further in suite.further_runs(spec)]


def _outputs_of(spec: RunSpec, checkpoints: Checkpoints | None) -> Outputs | None:
    """Train one more run and keep what its model makes of the images; None if it diverged."""
    kept: list[Outputs] = []

    def keep(*trained: Any) -> list[Measured]:
        kept.append(_outputs(*trained))
        return []

    _train(create_fabric(1, spec.mixed_precision), spec, keep, checkpoints)
    return kept[0] if kept else None


def _outputs(
    fabric: Fabric,
    backbone: nn.Module,
    objective: Objective,
    initial_bias: Tensor | None,
    data: ImageData,
    spec: RunSpec,
) -> Outputs:
    backbone.eval()

    def extract(images: Tensor) -> Tensor:
        return _features(backbone, images, spec, fabric.device).cpu()

    unknown = held_out_classes(spec)
    return Outputs(
        spec=spec,
        data=data,
        backbone=backbone,
        extract=extract,
        objective=copy.deepcopy(objective).float().cpu().eval(),
        initial_bias=initial_bias,
        train_features=extract(data.train.images),
        train_labels=data.train.labels,
        test_features=extract(data.test.images),
        test_labels=data.test.labels,
        unknown_features=None if unknown is None else extract(unknown.images),
        unknown_labels=None if unknown is None else unknown.labels,
    )


def _device_name(fabric: Fabric, spec: RunSpec) -> str:
    name = torch.cuda.get_device_name(fabric.device) if fabric.device.type == "cuda" else "cpu"
    name += ", bfloat16" if in_bfloat16(spec.mixed_precision) else ""
    return name if fabric.world_size == 1 else f"{fabric.world_size} x {name}"

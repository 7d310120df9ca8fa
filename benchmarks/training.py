"""The training loop beside a loop over a torch DataLoader and a bare one: same model, start, optimiser, number of steps.

On CUDA all three compute in bfloat16 where autocast does; on a CPU the usual loop over a DataLoader is in float32, and the bare
one in what the run computes in.  The loop of this package is deterministic, the others are not.
"""

from __future__ import annotations

import functools
from collections import OrderedDict
from contextlib import AbstractContextManager
from typing import Any
from unittest import mock

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, RandomSampler, TensorDataset

from benchmarks.measure import DEVICE, Values, compare
from lossbook.data.batches import resize, to_float
from lossbook.data.dataset import DataError, without_downloads
from lossbook.data.load import load
from lossbook.models import create_model
from lossbook.runs import train as training
from lossbook.runs.distributed import in_bfloat16
from lossbook.runs.optimizer import create_optimizer
from lossbook.runs.spec import RunSpec
from lossbook.runs.subsets import subset

SMALL = RunSpec(dataset="mnist5k", model="cnn", image_size=14, epochs=5, batch_size=100, lr=0.03, suites=())
RESNET18 = RunSpec(dataset="cifar100", model="resnet18-cifar", epochs=1, batch_size=128, lr=0.05, suites=())
ON_GPU = DEVICE.type == "cuda"
# The standard tier's network on fifteen batches: without augmentation beside a bare loop, with it beside the usual one.
STANDARD = RunSpec(
    dataset="cifar100",
    model="resnet10",
    train_per_class=20,
    epochs=1,
    batch_size=128,
    lr=0.05,
    suites=(),
    mixed_precision=True,
)
AUGMENTED = STANDARD.replace(augment=("shift", "flip"))


def why_not(spec: RunSpec) -> str:
    """Why a run cannot be measured here; empty if it can.  The standard tier's network needs no GPU."""
    if spec.model != STANDARD.model and not ON_GPU:
        return "it needs a GPU"
    try:
        with without_downloads():
            load(spec.dataset)
    except DataError as error:
        return str(error)
    return ""


def metered(meter: AbstractContextManager, spec: RunSpec) -> training.RunResult:
    """``train(spec)``; only its loop counts, from images on the device to reading the last epoch's loss."""
    fit = training._fit

    def metered_fit(*arguments: Any) -> dict[str, list[float]]:
        with meter:
            return fit(*arguments)

    with mock.patch.object(training, "_fit", metered_fit):
        return training.train(spec)


def _ours(meter: AbstractContextManager, spec: RunSpec) -> Values:
    return (torch.tensor(metered(meter, spec).curves["train_loss"][0]),)


def _model_and_images(spec: RunSpec) -> tuple[nn.Module, Tensor, Tensor]:
    """The run's start, with its images as floats, at the size that it trains at."""
    data = subset(spec)
    split = resize(data.train, spec.image_size)
    with torch.random.fork_rng():
        torch.manual_seed(spec.seed)
        backbone, num_features = create_model(spec.model, split.images.shape[1])
        parts = {"backbone": backbone, "objective": nn.Linear(num_features, data.num_classes)}
        model = nn.Sequential(OrderedDict(parts)).to(DEVICE)
    return model, to_float(split.images).contiguous(), split.labels


def _autocast(in_bfloat16: bool) -> AbstractContextManager:
    return torch.autocast(DEVICE.type, torch.bfloat16, enabled=in_bfloat16)


class _Photographs(Dataset[tuple[Tensor, int]]):
    """Images that torchvision's usual transforms crop, flip and turn into floats one by one when they are asked for."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        import lossbook._torchvision  # noqa: F401  cures torchvision

        # isort: split
        from PIL import Image
        from torchvision import transforms as t

        self.photographs = [Image.fromarray(image) for image in images.permute(0, 2, 3, 1).squeeze(-1).numpy()]
        self.labels = labels.tolist()
        middle = (0.5,) * images.shape[1]
        crop = t.RandomCrop(images.shape[-1], padding=images.shape[-1] // 8, padding_mode="reflect")
        self.transform = t.Compose([crop, t.RandomHorizontalFlip(), t.ToTensor(), t.Normalize(middle, middle)])

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(self.photographs[index]), self.labels[index]


def _loader(meter: AbstractContextManager, spec: RunSpec) -> Values:
    """The loop of a tutorial: float images, a shuffling loader, loss and accuracy read every step; where the run augments its
    images, torchvision's transforms of single ones.

    On a GPU with four workers and pinned memory, as torch's notes on performance say.
    """
    model, images, labels = _model_and_images(spec)
    dataset = _Photographs(subset(spec).train.images, labels) if spec.augment else TensorDataset(images, labels)
    shuffled = RandomSampler(dataset, generator=torch.Generator().manual_seed(spec.seed))
    helpers = {"num_workers": 4, "pin_memory": True, "persistent_workers": True} if ON_GPU else {}
    loader = DataLoader(dataset, spec.batch_size, sampler=shuffled, drop_last=True, **helpers)
    optimizer, scheduler = create_optimizer(model.backbone, model.objective, spec, len(loader))
    losses, correct = [], 0
    with meter:
        for _ in range(spec.epochs):
            model.train()
            for images, labels in loader:
                images, labels = images.to(DEVICE), labels.to(DEVICE)
                with _autocast(ON_GPU):
                    logits = model(images)
                    loss = F.cross_entropy(logits, labels)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                scheduler.step()
                losses.append(loss.item())
                correct += (logits.argmax(1) == labels).sum().item()
    return (torch.tensor(losses[: len(loader)]).mean(),)


def _from_memory(meter: AbstractContextManager, spec: RunSpec) -> Values:
    """The least a loop can do: batches cut from tensors on the device, nothing read, nothing counted."""
    model, images, labels = _model_and_images(spec)
    model = model.to(memory_format=torch.channels_last)
    images, labels = images.to(DEVICE), labels.to(DEVICE)
    steps = len(labels) // spec.batch_size
    optimizer, scheduler = create_optimizer(model.backbone, model.objective, spec, steps)
    generator = torch.Generator().manual_seed(spec.seed)
    losses = []
    with meter:
        for _ in range(spec.epochs):
            model.train()
            order = torch.randperm(len(labels), generator=generator).to(DEVICE)
            for batch in order.split(spec.batch_size)[:steps]:
                with _autocast(in_bfloat16(spec.mixed_precision)):
                    loss = F.cross_entropy(model(images[batch]), labels[batch])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                scheduler.step()
                losses.append(loss.detach())
    return (torch.stack(losses[:steps]).mean(),)


PEERS = {"DataLoader loop": _loader, "bare loop over tensors in memory": _from_memory}


def beside_peers(
    spec: RunSpec, peers: tuple[str, ...] = tuple(PEERS), goals: dict[str, float] | None = None
) -> list[dict[str, Any]]:
    """``items / ours_ms`` is the throughput in images per millisecond.

    The value compared is the first epoch's mean loss: weights and order start alike, later epochs are shuffled differently.
    """
    images = subset(spec).train
    steps, size = spec.epochs * (len(images) // spec.batch_size), spec.image_size or images.images.shape[-1]
    case = f"{spec.model} on {spec.dataset} at {size} px, {steps} steps of {spec.batch_size}"
    case += ", crop and flip" if spec.augment else ""
    ours, *others = (functools.partial(side, spec=spec) for side in (_ours, *(PEERS[name] for name in peers)))
    return [
        compare(case, name, ours, peer, items=steps * spec.batch_size, goals=goals)
        for name, peer in zip(peers, others, strict=True)
    ]


def run(quick: bool = False) -> list[dict[str, Any]]:
    """Five epochs of the quick tier's CNN; unless ``quick``, the standard tier's network on CIFAR-100 where that is here, and
    on a GPU an epoch of ResNet-18."""
    rows = beside_peers(SMALL)
    if quick:
        return rows
    loader, bare = PEERS
    for spec, peers, goals in (
        (STANDARD, (bare,), {"time": 1.15}),
        (AUGMENTED, (loader,), {"time": 1 / 1.5}),
        (RESNET18, (loader, bare), None),
    ):
        if reason := why_not(spec):
            print(f"training: {spec.model} on {spec.dataset} is left out: {reason}", flush=True)
        else:
            rows += beside_peers(spec, peers, goals)
    return rows

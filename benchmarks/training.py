"""The training loop beside a loop over a torch DataLoader and a bare one: same model, start, optimiser, number of steps."""

from __future__ import annotations

from collections import OrderedDict
from contextlib import AbstractContextManager
from typing import Any
from unittest import mock

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, RandomSampler, TensorDataset

from benchmarks.measure import DEVICE, Values, compare
from lossbook import training
from lossbook.data import load, resize, to_float
from lossbook.models import create_model
from lossbook.specs import RunSpec

SPEC = RunSpec(dataset="mnist5k", model="cnn", image_size=14, epochs=5, batch_size=100, lr=0.03, evaluations=())


def _ours(meter: AbstractContextManager) -> Values:
    """``train(spec)``; only its loop counts."""
    fit = training._fit

    def metered_fit(*arguments: Any) -> dict[str, list[float]]:
        with meter:
            return fit(*arguments)

    with mock.patch.object(training, "_fit", metered_fit):
        return (torch.tensor(training.train(SPEC).curves["train_loss"][0]),)


def _model_and_images() -> tuple[nn.Module, Tensor, Tensor]:
    """The run's start, with its images as floats of the size it trains at."""
    data = load(SPEC.dataset)
    split = resize(data.train, SPEC.image_size)
    with torch.random.fork_rng():
        torch.manual_seed(SPEC.seed)
        backbone, num_features = create_model(SPEC.model, split.images.shape[1])
        parts = {"backbone": backbone, "objective": nn.Linear(num_features, data.num_classes)}
        model = nn.Sequential(OrderedDict(parts)).to(DEVICE)
    return model, to_float(split.images).contiguous(), split.labels


def _loader(meter: AbstractContextManager) -> Values:
    """The loop of a tutorial: float images, a shuffling loader, loss and accuracy read every step."""
    model, images, labels = _model_and_images()
    dataset = TensorDataset(images, labels)
    shuffled = RandomSampler(dataset, generator=torch.Generator().manual_seed(SPEC.seed))
    loader = DataLoader(dataset, SPEC.batch_size, sampler=shuffled, drop_last=True, num_workers=0)
    optimizer, scheduler = training._optimizer(model, SPEC, len(loader))
    losses, correct = [], 0
    with meter:
        for _ in range(SPEC.epochs):
            model.train()
            for images, labels in loader:
                images, labels = images.to(DEVICE), labels.to(DEVICE)
                logits = model(images)
                loss = F.cross_entropy(logits, labels)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                scheduler.step()
                losses.append(loss.item())
                correct += (logits.argmax(1) == labels).sum().item()
    return (torch.tensor(losses[: len(loader)]).mean(),)


def _from_memory(meter: AbstractContextManager) -> Values:
    """The least a loop can do: batches cut from tensors on the device, nothing read, nothing counted."""
    model, images, labels = _model_and_images()
    model = model.to(memory_format=torch.channels_last)
    images, labels = images.to(DEVICE), labels.to(DEVICE)
    steps = len(labels) // SPEC.batch_size
    optimizer, scheduler = training._optimizer(model, SPEC, steps)
    generator = torch.Generator().manual_seed(SPEC.seed)
    losses = []
    with meter:
        for _ in range(SPEC.epochs):
            model.train()
            for batch in torch.randperm(len(labels), generator=generator).split(SPEC.batch_size)[:steps]:
                loss = F.cross_entropy(model(images[batch]), labels[batch])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                scheduler.step()
                losses.append(loss.detach())
    return (torch.stack(losses[:steps]).mean(),)


def run(quick: bool = False) -> list[dict[str, Any]]:
    """Five epochs of the quick tier's CNN (the same when ``quick``).

    ``items / ours_ms`` is the throughput in images per millisecond.  The value compared is the first epoch's mean loss:
    weights and order start alike, later epochs are shuffled differently (and on CUDA ours computes in bfloat16).
    """
    steps = SPEC.epochs * (len(load(SPEC.dataset).train) // SPEC.batch_size)
    case = f"{SPEC.model} on {SPEC.dataset} at {SPEC.image_size} px, {steps} steps of {SPEC.batch_size}"
    peers = {"DataLoader loop": _loader, "bare loop over tensors in memory": _from_memory}
    return [compare(case, name, _ours, peer, items=steps * SPEC.batch_size) for name, peer in peers.items()]

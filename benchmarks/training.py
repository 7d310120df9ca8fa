"""The training loop beside a plain loop over a torch DataLoader: same model, start, optimiser and number of steps."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any
from unittest import mock

import torch
import torch.nn.functional as F
from torch import nn
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


def _plain(meter: AbstractContextManager) -> Values:
    """The loop of a tutorial: float images, a shuffling loader, loss and accuracy read every step."""
    data = load(SPEC.dataset)
    split = resize(data.train, SPEC.image_size)
    dataset = TensorDataset(to_float(split.images).contiguous(), split.labels)
    shuffled = RandomSampler(dataset, generator=torch.Generator().manual_seed(SPEC.seed))
    loader = DataLoader(dataset, SPEC.batch_size, sampler=shuffled, drop_last=True, num_workers=0)
    with torch.random.fork_rng():
        torch.manual_seed(SPEC.seed)
        backbone, num_features = create_model(SPEC.model, split.images.shape[1])
        model = nn.Sequential(backbone, nn.Linear(num_features, data.num_classes)).to(DEVICE)
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


def run(quick: bool = False) -> list[dict[str, Any]]:
    """Five epochs of the quick tier's CNN (the same when ``quick``).

    ``items / ours_ms`` is the throughput in images per millisecond.  The value compared is the first epoch's mean loss:
    weights and order start alike, later epochs are shuffled differently (and on CUDA ours computes in bfloat16).
    """
    steps = SPEC.epochs * (len(load(SPEC.dataset).train) // SPEC.batch_size)
    case = f"{SPEC.model} on {SPEC.dataset} at {SPEC.image_size} px, {steps} steps of {SPEC.batch_size}"
    return [compare(case, "DataLoader loop", _ours, _plain, items=steps * SPEC.batch_size)]

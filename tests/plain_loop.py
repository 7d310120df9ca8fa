"""A small training problem, and the training loop that calls the hooks by hand: what callbacks are compared with."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lossbook.objectives.create import create_objective

FEATURES, CLASSES, SAMPLES, BATCH, EPOCHS, RATE = 6, 4, 24, 6, 4, 0.2

# One objective per kind of hook: the place in the training, a state learned from epoch to epoch, turns, a constraint, both.
HOOKED = {
    "cyclical-focal": {},
    "adafocal": {"bins": 3.0},
    "cot": {},
    "weight-balancing": {"max_norm": 0.3},
    "bce3s": {"r": 1.0, "max_norm": 0.3},
}


class Net(nn.Module):
    """Backbone and objective: (x, labels) to a dict with the loss, as the Hugging Face Trainer wants it."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.backbone = nn.Linear(FEATURES, 5)
        self.objective = create_objective(name, 5, CLASSES, torch.tensor([9, 7, 5, 3]), **HOOKED[name])

    def forward(self, x: Tensor, labels: Tensor) -> dict[str, Tensor]:
        return {"loss": self.objective(self.backbone(x), labels)}


def problem(name: str) -> tuple[Net, list[tuple[Tensor, Tensor]]]:
    """The net at its start, and the samples."""
    torch.manual_seed(0)
    return Net(name), list(zip(torch.randn(SAMPLES, FEATURES), torch.arange(SAMPLES) % CLASSES, strict=True))


def plain_loop(name: str, accumulate: int = 1) -> Net:
    """The net after a training with hooks; a step follows every ``accumulate`` batches."""
    net, samples = problem(name)
    optimizer = torch.optim.SGD(net.parameters(), lr=RATE)
    batches = torch.utils.data.DataLoader(samples, batch_size=BATCH)
    for epoch in range(EPOCHS):
        net.objective.start_epoch(epoch, EPOCHS)
        for number, (x, labels) in enumerate(batches):
            (net(x, labels)["loss"] / accumulate).backward()
            if (number + 1) % accumulate == 0:
                optimizer.step()
                optimizer.zero_grad()
                net.objective.after_step()
    return net


def assert_same_weights(one: nn.Module, other: nn.Module) -> None:
    """To the last bit, with all that belongs to the state."""
    state, expected = one.state_dict(), other.state_dict()
    assert state.keys() == expected.keys()
    different = [name for name, value in state.items() if not torch.equal(value, expected[name])]
    assert not different

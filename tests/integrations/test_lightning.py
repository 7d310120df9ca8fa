"""Lightning's Trainer with the callback trains the weights of a plain loop with hooks."""

import pytest
import torch
from plain_loop import BATCH, EPOCHS, HOOKED, RATE, assert_same_weights, plain_loop, problem

import lossbook._torchvision  # noqa: F401  cures torchvision, which Lightning imports

pl = pytest.importorskip("lightning.pytorch")
pytestmark = pytest.mark.filterwarnings("ignore")

from lossbook.integrations.lightning import LossbookCallback  # noqa: E402


class Module(pl.LightningModule):
    def __init__(self, name, manual=False):
        super().__init__()
        self.net, self.samples = problem(name)
        self.automatic_optimization = not manual

    def training_step(self, batch):
        loss = self.net(*batch)["loss"]
        if self.automatic_optimization:
            return loss
        self.optimizers().zero_grad()
        self.manual_backward(loss)
        self.optimizers().step()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=RATE)

    def train_dataloader(self):
        return torch.utils.data.DataLoader(self.samples, batch_size=BATCH)


def fit(module, callbacks, **options):
    options = {"max_epochs": EPOCHS} | options
    silent = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
    pl.Trainer(accelerator="cpu", callbacks=callbacks, **silent, **options).fit(module)
    return module.net


@pytest.mark.parametrize("name", HOOKED)
def test_weights_are_those_of_a_plain_loop(name):
    assert_same_weights(fit(Module(name), [LossbookCallback()]), plain_loop(name))


@pytest.mark.parametrize("name", ["cot", "weight-balancing"])
def test_one_call_per_step_where_gradients_are_accumulated(name):
    trained = fit(Module(name), [LossbookCallback()], accumulate_grad_batches=2)
    assert_same_weights(trained, plain_loop(name, accumulate=2))


def test_manual_optimization():
    assert_same_weights(fit(Module("cot", manual=True), [LossbookCallback()]), plain_loop("cot"))


@pytest.mark.parametrize("name", ["adafocal", "cot"])
def test_without_the_callback_training_is_refused(name):
    with pytest.raises(RuntimeError, match=r"lossbook\.integrations"):
        fit(Module(name), [])


def test_a_training_without_a_last_epoch_is_refused():
    with pytest.raises(ValueError, match="0 <= epoch < epochs, got 0 and -1"):
        fit(Module("adafocal"), [LossbookCallback()], max_epochs=-1, max_steps=8)


def test_a_second_training_attaches_anew():
    module, callback = Module("cot"), LossbookCallback()
    calls = []
    after_step = module.net.objective.after_step
    module.net.objective.after_step = lambda: calls.append(after_step())
    for _ in range(2):
        fit(module, [callback], max_epochs=1)
    assert len(calls) == 2 * len(module.train_dataloader())

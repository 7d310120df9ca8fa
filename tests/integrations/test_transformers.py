"""The Hugging Face Trainer with the callback trains the weights of a plain loop with hooks."""

import sys

import pytest
import torch
from plain_loop import BATCH, EPOCHS, HOOKED, RATE, assert_same_weights, plain_loop, problem

import lossbook._torchvision  # noqa: F401  cures torchvision, which transformers may import

transformers = pytest.importorskip("transformers")
accelerate = pytest.importorskip("accelerate")
pytestmark = pytest.mark.filterwarnings("ignore")

from lossbook.integrations.transformers import LossbookCallback  # noqa: E402


def trainer(name, folder, callbacks, **options):
    net, samples = problem(name)
    options = {"num_train_epochs": EPOCHS, "save_strategy": "no"} | options
    arguments = transformers.TrainingArguments(
        str(folder),
        per_device_train_batch_size=BATCH,
        learning_rate=RATE,
        optim="sgd",
        lr_scheduler_type="constant",
        max_grad_norm=0.0,
        train_sampling_strategy="sequential",
        use_cpu=True,
        disable_tqdm=True,
        report_to="none",
        **options,
    )
    rows = [{"x": x, "labels": label} for x, label in samples]
    return transformers.Trainer(net, arguments, train_dataset=rows, callbacks=callbacks)


def fit(name, folder, callbacks, resume=None, **options):
    trained = trainer(name, folder, callbacks, **options)
    trained.train(resume_from_checkpoint=resume)
    return trained.model


@pytest.mark.parametrize("name", HOOKED)
def test_weights_are_those_of_a_plain_loop_also_when_resumed_in_the_middle_of_an_epoch(name, tmp_path):
    expected = plain_loop(name)
    assert_same_weights(fit(name, tmp_path, [LossbookCallback()], save_strategy="steps", save_steps=10), expected)
    assert_same_weights(fit(name, tmp_path, [LossbookCallback()], resume=str(tmp_path / "checkpoint-10")), expected)


def test_resumed_between_two_epochs(tmp_path):
    fit("adafocal", tmp_path, [LossbookCallback()], save_strategy="steps", save_steps=8)
    resumed = fit("adafocal", tmp_path, [LossbookCallback()], resume=str(tmp_path / "checkpoint-8"))
    assert_same_weights(resumed, plain_loop("adafocal"))


@pytest.mark.parametrize("name", ["cot", "weight-balancing"])
def test_one_call_per_step_where_gradients_are_accumulated(name, tmp_path):
    trained = fit(name, tmp_path, [LossbookCallback()], gradient_accumulation_steps=2)
    assert_same_weights(trained, plain_loop(name, accumulate=2))


@pytest.mark.parametrize("name", ["adafocal", "cot"])
def test_without_the_callback_training_is_refused(name, tmp_path):
    with pytest.raises(RuntimeError, match=r"lossbook\.integrations"):
        fit(name, tmp_path, [])


def test_a_training_without_a_last_epoch_is_refused():
    state = transformers.TrainerState(num_train_epochs=sys.maxsize)
    with pytest.raises(ValueError, match="0 <= epoch < epochs, got 0 and 0"):
        LossbookCallback().on_epoch_begin(None, state, None, model=problem("adafocal")[0])


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_loop_of_accelerate_with_an_attached_optimizer(wrapped):
    net, samples = problem("cot")
    own = torch.optim.SGD(net.parameters(), lr=RATE)
    model, optimizer = accelerate.Accelerator(cpu=True).prepare(net, own)
    net.objective.attach(optimizer if wrapped else own)
    for epoch in range(EPOCHS):
        net.objective.start_epoch(epoch, EPOCHS)
        for x, labels in torch.utils.data.DataLoader(samples, batch_size=BATCH):
            optimizer.zero_grad()
            model(x, labels)["loss"].backward()
            optimizer.step()
    assert_same_weights(net, plain_loop("cot"))

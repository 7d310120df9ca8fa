"""Objectives that change in the course of the training: what they need from a loop, refuse, store and resume."""

from __future__ import annotations

import copy
import io
import pickle

import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from lossbook.objectives.create import create_objective
from lossbook.objectives.objective import Objective
from lossbook.objectives.registry import OBJECTIVES
from lossbook.runs.spec import RunSpec
from lossbook.runs.train import train

FEATURES, CLASSES, BATCH, EPOCHS, BATCHES = 6, 5, 10, 2, 4
COUNTS = torch.tensor([20, 10, 5, 3, 2])
LABELS = torch.arange(BATCH) % CLASSES

START_EPOCH = {"adafocal", "adafocal+occe", "cyclical-focal", "cyclical-focal+occe", "ce+occe-class"}
START_EPOCH |= {"bce3s", "ce3s", "multicenter-lsoftmax"}
AFTER_STEP = {"cot", "cot+occe"}
BOUNDED = {"max_norm": 0.3}
# Every objective as it is, and those whose arguments ask for another hook.
CASES = [(name, {}) for name in OBJECTIVES] + [(name, BOUNDED) for name in ("bce3s", "ce3s", "weight-balancing")]
every_case = pytest.mark.parametrize(("name", "arguments"), CASES, ids=["-".join([name, *a]) for name, a in CASES])


class Training:
    """A backbone and an objective, trained with all hooks; every batch is drawn from torch's generator, as the noise is."""

    def __init__(self, name: str, arguments: dict[str, float]) -> None:
        torch.manual_seed(0)
        objective = create_objective(name, FEATURES, CLASSES, COUNTS, **arguments)
        self.model = nn.ModuleDict({"backbone": nn.Linear(FEATURES, FEATURES), "objective": objective})
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9)

    @property
    def objective(self) -> Objective:
        return self.model["objective"]

    def step(self) -> None:
        images = torch.randn(BATCH, FEATURES)
        for _ in range(self.objective.steps_per_batch):
            self.optimizer.zero_grad()
            self.objective(self.model["backbone"](images), LABELS).backward()
            self.optimizer.step()
            self.objective.after_step()

    def run(self, first: int, last: int) -> None:
        """The batches ``first`` to ``last`` of the training."""
        for number in range(first, last):
            if number % BATCHES == 0:
                self.objective.start_epoch(number // BATCHES, EPOCHS)
            self.step()

    def state(self) -> dict[str, object]:
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "random": torch.get_rng_state(),
        }

    def load(self, state: dict[str, object]) -> None:
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["random"])


def assert_equal(state: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert state.keys() == expected.keys()
    assert [name for name, value in state.items() if not torch.equal(value, expected[name])] == []


def stepped(objective: Objective, optimizer: torch.optim.Optimizer, forwards: int = 1) -> None:
    """One optimizer step, after one or more forward and backward passes."""
    for _ in range(forwards):
        objective(torch.randn(BATCH, FEATURES), LABELS).backward()
    optimizer.step()


def build(name: str, **arguments: float) -> tuple[Objective, torch.optim.Optimizer]:
    torch.manual_seed(0)
    objective = create_objective(name, FEATURES, CLASSES, COUNTS, **arguments)
    return objective, torch.optim.SGD(objective.parameters(), lr=0.1)


# Which hooks ------------------------------------------------------------------------------------------------------


@every_case
def test_hooks_are_those_that_the_objective_needs(name, arguments):
    needed = ["start_epoch"] * (name in START_EPOCH) + ["after_step"] * (name in AFTER_STEP or bool(arguments))
    assert create_objective(name, FEATURES, CLASSES, COUNTS, **arguments).hooks == tuple(needed)


def test_a_term_that_is_left_out_needs_no_hook():
    assert create_objective("bce3s", FEATURES, CLASSES, contrastive=None).hooks == ()
    assert create_objective("bce3s", FEATURES, CLASSES, contrastive=None, max_norm=1.0).hooks == ("after_step",)


@every_case
def test_a_state_has_a_place_in_the_training_only_where_a_hook_is_needed(name, arguments):
    objective = create_objective(name, FEATURES, CLASSES, COUNTS, **arguments)
    assert ("schedule._extra_state" in objective.state_dict()) == bool(objective.hooks)


# Refused ----------------------------------------------------------------------------------------------------------


@every_case
def test_a_loop_without_hooks_trains_what_it_says_or_is_refused(name, arguments):
    objective, optimizer = build(name, **arguments)
    if not objective.hooks:
        for _ in range(3 * bool(optimizer.param_groups[0]["params"][0].requires_grad)):
            stepped(objective, optimizer)
        return
    message = rf"objective '{name.replace('+', '.')}' .* the hook {objective.hooks[0]} has not been called"
    with pytest.raises(RuntimeError, match=message):
        for _ in range(3):
            stepped(objective, optimizer)


def test_the_message_says_what_to_call():
    objective, optimizer = build("cot")
    stepped(objective, optimizer)
    with pytest.raises(RuntimeError, match=r"objective\.attach\(optimizer\).*lossbook\.integrations.*needs: after_step"):
        stepped(objective, optimizer)
    objective, optimizer = build("bce3s", max_norm=1.0)
    stepped(objective, optimizer)
    with pytest.raises(RuntimeError, match=r"start_epoch\(epoch, epochs\) before.*needs: start_epoch, after_step"):
        stepped(objective, optimizer)


def test_only_the_missing_hook_is_named():
    objective, optimizer = build("bce3s", max_norm=1.0)
    objective.start_epoch(0, 2)
    with pytest.raises(RuntimeError, match="the hook after_step has not"):
        for _ in range(3):
            stepped(objective, optimizer)


@pytest.mark.parametrize(
    "kind",
    [torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW, torch.optim.Adadelta, torch.optim.RMSprop, torch.optim.Muon],
)
@pytest.mark.parametrize("options", [{}, {"foreach": False}, {"fused": True}], ids=["foreach", "loop", "fused"])
def test_steps_of_every_optimizer_are_seen(kind, options):
    if (kind is torch.optim.Muon and options) or (kind in (torch.optim.Adadelta, torch.optim.RMSprop) and "fused" in options):
        pytest.skip("torch has no such form")
    objective = build("cot")[0]
    optimizer = kind([objective.head.weight], lr=0.1, **options)
    with pytest.raises(RuntimeError, match="after_step"):
        for _ in range(3):
            stepped(objective, optimizer)


@pytest.mark.parametrize("name", ["adafocal", "cot"])
def test_without_a_step_nothing_is_refused(name):
    objective, optimizer = build(name)
    stepped(objective, optimizer, forwards=5)  # gradients of five batches in one step
    state = objective.state_dict()
    objective.eval()
    for _ in range(3):
        objective(torch.randn(BATCH, FEATURES), LABELS)
    objective.train()
    for _ in range(3):
        objective.load_state_dict(state)
        stepped(objective, optimizer)


def test_other_parameters_may_be_stepped():
    objective, optimizer = build("cot")
    stepped(objective, optimizer)
    other = nn.Parameter(torch.ones(1))
    for _ in range(2):
        other.sum().backward()
        torch.optim.SGD([other]).step()


def test_gradients_of_several_batches_are_one_step():
    objective, optimizer = build("cot")
    turns = []
    for _ in range(4):
        stepped(objective, optimizer, forwards=3)
        turns.append(objective.schedule.turn)
        objective.after_step()
    assert turns == [0, 1, 0, 1]


def test_one_step_of_two_optimizers():
    objective = build("bce3s", max_norm=0.3)[0]
    objective.start_epoch(0, 1)
    optimizers = [torch.optim.SGD(part.parameters()) for part in (objective.head, objective.projector)]
    for _ in range(3):
        objective(torch.randn(BATCH, FEATURES), LABELS).backward()
        for optimizer in optimizers:
            optimizer.step()
        objective.after_step()


class SharpnessAware(torch.optim.Optimizer):
    """Gradients at moved parameters, and an optimizer inside an optimizer."""

    def __init__(self, parameters):
        super().__init__(parameters, {})
        self.base = torch.optim.SGD(self.param_groups, lr=0.1)

    @torch.no_grad()
    def step(self, closure):
        for weight in (0.1, -0.1):
            with torch.enable_grad():
                closure().backward()
            for parameter in self.param_groups[0]["params"]:
                parameter.add_(weight)
        self.base.step()


@pytest.mark.parametrize("kind", [SharpnessAware, torch.optim.LBFGS])
@pytest.mark.parametrize("attached", [True, False])
def test_optimizers_that_compute_several_losses_per_step(kind, attached):
    objective = build("cot")[0]
    optimizer = kind([objective.head.weight])
    if attached:
        objective.attach(optimizer)
    features = torch.randn(BATCH, FEATURES)

    def closure():
        optimizer.zero_grad()
        loss = objective(features, LABELS)
        if kind is torch.optim.LBFGS:
            loss.backward()
        return loss

    for number in range(4):
        assert objective.schedule.turn == number % 2
        optimizer.step(closure)
        if not attached:
            objective.after_step()


@pytest.mark.parametrize(("epoch", "epochs"), [(0, 0), (0, -1), (2, 2), (-1, 3)])
def test_an_impossible_epoch_is_refused(epoch, epochs):
    with pytest.raises(ValueError, match=f"0 <= epoch < epochs, got {epoch} and {epochs}"):
        build("adafocal")[0].start_epoch(epoch, epochs)


# The optimizer calls ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "arguments"), [("cot", {}), ("weight-balancing", BOUNDED), ("bce3s", BOUNDED)])
def test_an_attached_optimizer_is_a_loop_with_after_step(name, arguments):
    states = []
    for attach in (True, False):
        objective, optimizer = build(name, **arguments)
        objective.start_epoch(0, 1)
        if attach:
            objective.attach(optimizer)
        for _ in range(5):
            stepped(objective, optimizer)
            if not attach:
                objective.after_step()
        states.append(objective.state_dict())
    assert_equal(*states)


def test_a_removed_handle_ends_it():
    objective, optimizer = build("cot")
    handle = objective.attach(optimizer)
    stepped(objective, optimizer)
    handle.remove()
    stepped(objective, optimizer)
    assert objective.schedule.turn == 1


# Resumed ----------------------------------------------------------------------------------------------------------

MIDDLE, END = BATCHES + 2, EPOCHS * BATCHES


@every_case
def test_a_resumed_training_is_an_undisturbed_one_to_the_last_bit(name, arguments):
    undisturbed = Training(name, arguments)
    undisturbed.run(0, MIDDLE)
    file = io.BytesIO()
    torch.save(undisturbed.state(), file)
    undisturbed.run(MIDDLE, END)
    resumed = Training(name, arguments)
    file.seek(0)
    resumed.load(torch.load(file, weights_only=True))
    resumed.run(MIDDLE, END)
    assert_equal(resumed.model.state_dict(), undisturbed.model.state_dict())


@every_case
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda training: pickle.loads(pickle.dumps(training))], ids=["copy", "pickle"])
def test_a_copy_made_in_the_middle_trains_on_alike(name, arguments, copied):
    training = Training(name, arguments)
    training.run(0, MIDDLE)
    other = copied(training)
    state = torch.get_rng_state()
    training.run(MIDDLE, END)
    torch.set_rng_state(state)
    other.run(MIDDLE, END)
    assert_equal(other.model.state_dict(), training.model.state_dict())


def test_a_copy_is_refused_too():
    objective = copy.deepcopy(build("cot")[0])
    optimizer = torch.optim.SGD(objective.parameters(), lr=0.1)
    stepped(objective, optimizer)
    with pytest.raises(RuntimeError, match=r"'cot'.*after_step"):
        stepped(objective, optimizer)


@pytest.mark.parametrize("name", sorted(START_EPOCH | AFTER_STEP))
def test_the_state_is_of_tensors_that_share_nothing(name, tmp_path):
    """As safetensors and every other store of tensors want it."""
    safetensors = pytest.importorskip("safetensors.torch")
    training = Training(name, {})
    training.run(0, MIDDLE)
    safetensors.save_file(training.model.state_dict(), tmp_path / "model.safetensors")
    assert_equal(safetensors.load_file(tmp_path / "model.safetensors"), training.model.state_dict())


def test_a_state_without_the_place_in_the_training_is_refused():
    objective = build("cot")[0]
    with pytest.raises(RuntimeError, match=r'Missing key\(s\) in state_dict: "schedule\._extra_state"'):
        objective.load_state_dict({"head.weight": objective.head.weight, "head.bias": objective.head.bias})


def test_a_second_phase_may_add_a_hook():
    """The first phase has no place in the training to hand over; only parameters have to be there."""
    spec = RunSpec(objective="weight-balancing", train_per_class=5, model="mlp", image_size=7, epochs=1, batch_size=20)
    spec = spec.replace(second_phase={"epochs": 1, "objective_args": BOUNDED})
    assert train(spec).metrics["diverged"] == 0


# Compiled, averaged, in inference mode ----------------------------------------------------------------------------


@pytest.fixture
def compiler():
    """Of each test alone: all objectives share one forward, and its compiled forms are limited in number."""
    torch.compiler.reset()
    yield
    torch.compiler.reset()


@pytest.mark.slow
@pytest.mark.usefixtures("compiler")
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")
@pytest.mark.parametrize("name", ["cot", "bce3s", "multicenter-lsoftmax", "cyclical-focal", "ce+occe-class"])
def test_compiled_objectives_follow_the_training(name):
    states = []
    for compiled in (False, True):
        training = Training(name, {})
        if compiled:
            training.objective.compile(backend="eager", fullgraph=True)
        training.run(0, END)
        states.append(training.model.state_dict())
    assert_equal(*states)


@pytest.mark.slow
@pytest.mark.usefixtures("compiler")
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")
def test_a_compiled_loop_without_hooks_is_refused_too():
    objective, optimizer = build("cot")
    compiled = torch.compile(objective, backend="eager", fullgraph=True)
    stepped(compiled, optimizer)
    with pytest.raises(RuntimeError, match=r"'cot'.*after_step"):
        stepped(compiled, optimizer)


@pytest.mark.parametrize("name", ["bce3s", "ce3s"])
def test_the_bank_is_one_tensor_for_ever(name):
    """Whoever holds the buffer sees its changes: DDP broadcasts it, an average of models reads it."""
    objective, optimizer = build(name)
    objective.start_epoch(0, 2)
    bank, average = objective.bank, AveragedModel(objective, use_buffers=True)
    for _ in range(2):
        stepped(objective, optimizer)
        average.update_parameters(objective)
    assert objective.bank is bank
    assert bank.any(1).all()
    assert average.module.seen.all()
    with torch.inference_mode():
        objective(torch.randn(BATCH, FEATURES), LABELS)
    assert not objective.bank.is_inference()
    objective(torch.randn(BATCH, FEATURES), LABELS).backward()


# Told twice ------------------------------------------------------------------------------------------------------


def test_a_step_that_is_told_twice_counts_once():
    torch.manual_seed(0)
    objective = create_objective("cot", 4, 3)
    optimizer = torch.optim.SGD(objective.parameters(), lr=0.1)
    objective.attach(optimizer)
    objective.attach(optimizer)
    turns = []
    for _ in range(4):
        objective(torch.randn(6, 4), torch.arange(6) % 3).backward()
        optimizer.step()
        objective.after_step()
        turns.append(objective.schedule.turn)
    assert turns[1:] in ([0, 1, 0], [1, 0, 1])


def test_the_loss_in_evaluation_does_not_depend_on_the_turn():
    objective, features, labels = create_objective("cot", 4, 3), torch.randn(6, 4), torch.arange(6) % 3
    objective.eval()
    before = objective(features, labels)
    objective.after_step()
    assert torch.equal(objective(features, labels), before)


@pytest.mark.parametrize("name", ["adafocal", "ce+occe-class", "cyclical-focal", "multicenter-lsoftmax"])
def test_a_training_resumed_in_mid_epoch_may_start_the_epoch_again(name):
    torch.manual_seed(0)
    features, labels = torch.randn(40, 4), torch.arange(40) % 3
    objective = create_objective(name, 4, 3)
    for epoch in range(2):
        objective.start_epoch(epoch, 3)
        objective(features, labels)
    resumed = create_objective(name, 4, 3)
    resumed.load_state_dict(objective.state_dict())
    resumed.start_epoch(1, 3)
    for one in (objective, resumed):
        one.start_epoch(2, 3)
    losses = [(torch.manual_seed(1), one(features, labels))[1] for one in (objective, resumed)]
    assert torch.equal(*losses)

"""The training loop: the only one for networks under study."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from syzygy.errors import SpecificationError
from syzygy.networks import Setting
from syzygy.recording import Schedule
from syzygy.seeds import generator
from syzygy.tasks import Task
from syzygy.training.checkpoint import Checkpoint
from syzygy.training.learners import Learner, Optimiser, Single, Stack
from syzygy.training.losses import LOSSES, Loss
from syzygy.training.measure import Measure
from syzygy.training.plan import Factory, Member, Plan, Precision, make_plan
from syzygy.training.record import Probe, Record
from syzygy.training.start import Start, lost
from syzygy.training.threads import WORTH_SHARING, one_thread
from syzygy.trajectory import Trajectory


def train(
    task: Task,
    network: str | Setting | Factory,
    *,
    seeds: Iterable[int] = (0,),
    gains: Iterable[float] | None = None,
    layers: Sequence[str] | None = None,
    steps: int | None = None,
    learning_rate: float | None = None,
    optimiser: Optimiser | None = None,
    batch_size: int | None = None,
    record: Schedule | None = None,
    stop_loss: float | None = None,
    precision: Precision = "float32",
    device: str = "cpu",
    stack: bool | None = None,
    start: Start | None = None,
    measure: Schedule | None = None,
    loss: Loss = "squared",
    checkpoint: Checkpoint | None = None,
    on_step: Callable[[int], None] | None = None,
    on_end: Callable[[int, Mapping[str, Tensor]], None] | None = None,
) -> Trajectory:
    """Train networks on a task, and record what they see at its probe items.

    Parameters
    ----------
    task
        What is learned.
    network
        A name of the catalogue, a setting, or a function that makes a module of one's own from a seed.
    seeds
        One network per seed.  A seed fixes a network's weights, order of items and noise, whatever else
        is trained beside it.
    gains
        Train every seed at each of these gains of the initial weights; by default the setting's own.
    layers
        Module paths to watch; by default the setting's own.
    steps, learning_rate, optimiser
        Number of updates, step size, ``sgd`` or ``adam``; by default the setting's own (``sgd``).
    batch_size
        Items per update, drawn without replacement in an order of each network's own; by default all.
    record
        Steps to record; by default every one.
    stop_loss
        Stop a network at the first recorded step at which its training loss is this small.
    precision
        ``float32`` or ``float64``; the initial weights are the same but for rounding.
    device
        Where to train, as PyTorch names it.
    stack
        Train all networks as a stack or one by one; by default small networks of the catalogue as a
        stack, all else one by one.
    start
        Weights to start from, by seed and name, in the place of random ones; what it does not name stays as drawn.
    measure
        Steps at which to measure the networks themselves (:mod:`syzygy.linearisation`): the effective rates of every
        pair of probe items, second-order shares and tangent kernels.  They are recorded too; a network that
        ``stop_loss`` stops is measured there.  SGD alone has rates.  (How far the weights have travelled is measured
        at the end of every training.)
    loss
        ``squared``: half the squared error; or ``logistic``, for targets that are labels, −1 and 1.
    checkpoint
        Where to save the training, and to resume it from.  One by one, each network has its own part of it.
    on_step
        Called with the number of network updates done since the last call.
    on_end
        Called with each network's seed and trained weights, NaN if it diverged; not with ``stop_loss`` or several
        ``gains``.

    Returns
    -------
    Trajectory
        One ``network`` per gain and seed, gains outermost.  Networks that diverge end in NaN.

    Raises
    ------
    SpecificationError
        Something asked that cannot be; :class:`~syzygy.errors.UnknownName` for names.
    ShapeError
        A network whose outputs do not fit the targets.

    Examples
    --------
    >>> from syzygy.recording import every
    >>> from syzygy.tasks import two_points
    >>> trajectory = train(two_points(), "two_layer", seeds=range(3), steps=20, record=every(10))
    >>> trajectory.representation("hidden.0").shape
    (3, 3, 2, 500)
    """
    plan = make_plan(
        task,
        network,
        seeds=seeds,
        gains=gains,
        layers=layers,
        steps=steps,
        learning_rate=learning_rate,
        optimiser=optimiser,
        batch_size=batch_size,
        record=record,
        stop_loss=stop_loss,
        precision=precision,
        device=device,
        stack=stack,
        start=start,
        measure=measure,
        loss=loss,
    )
    if on_end and (stop_loss is not None or len(plan.members) > len({member.seed for member in plan.members})):
        raise SpecificationError(
            "on_end gets the weights of one network a seed, trained to the end: no stop_loss, no gains"
        )
    groups = [plan.members] if plan.stack else [(member,) for member in plan.members]
    small = plan.device == "cpu" and plan.work < WORTH_SHARING
    with torch.random.fork_rng(devices=[]), one_thread() if small else nullcontext():
        parts = [
            _train(task, plan, members, checkpoint and checkpoint.part(index), on_step or (lambda _: None), on_end)
            for index, members in enumerate(groups)
        ]
    if checkpoint:
        checkpoint.done()
    return Trajectory.join(parts)


def _train(
    task: Task,
    plan: Plan,
    members: Sequence[Member],
    checkpoint: Checkpoint | None,
    on_step: Callable[[int], None],
    on_end: Callable[[int, Mapping[str, Tensor]], None] | None,
) -> Trajectory:
    """Train some networks side by side.  This is the loop."""
    networks = [plan.build(member) for member in members]
    batches = _Batches(task, plan)
    probe = Probe(task, plan, networks[0], batches.all)
    measure = Measure(plan, networks, probe.inputs, probe.targets)
    learner = _learner(networks, members, plan, probe.inputs)
    record = Record(plan, members, probe)
    first = record.resume(learner, checkpoint) if checkpoint else 0
    with learner:
        for step in range(first, plan.steps + 1):
            if checkpoint and checkpoint.due:
                record.save(step, learner, checkpoint)
            if not learner.seeds:
                break
            ready = False
            if step in record.due:
                # Before the forward pass of training, which may change buffers; or that pass, where it sees the same.
                ready = probe.is_batch
                seen = learner.forward(*batches.at(step, learner.seeds), step) if ready else probe.see(learner)
                record.put(step, seen)
                record.measure(step, learner, measure)
                ready &= not record.retire(step, learner)
            if step < plan.steps and learner.seeds:
                if not ready:
                    learner.forward(*batches.at(step, learner.seeds), step)
                learner.update()
                on_step(len(learner.seeds))
        if checkpoint:
            record.save(plan.steps + 1, learner, checkpoint)
        if on_end:
            trained = dict(zip(learner.seeds, learner.weights(), strict=True))
            for member in members:
                on_end(member.seed, trained.get(member.seed) or lost(networks[0]))
    return record.trajectory(task)


def _learner(networks: Sequence[nn.Module], members: Sequence[Member], plan: Plan, example: Tensor) -> Learner:
    seeds = [member.seed for member in members]
    if plan.stack:
        return Stack(networks, seeds, plan.layers, plan.optimiser, plan.learning_rate, LOSSES[plan.loss])
    network, seed = networks[0], seeds[0]
    return Single(network, seed, plan.layers, plan.optimiser, plan.learning_rate, example, LOSSES[plan.loss])


class _Batches:
    """The items of each step: all of them, or each network's own share of its own shuffled epoch."""

    def __init__(self, task: Task, plan: Plan):
        self.all = plan.tensor(task.learned_inputs), plan.tensor(task.learned_targets)
        self._size, self._orders = plan.batch_size, dict[tuple[int, int], Tensor]()

    def at(self, step: int, seeds: Sequence[int]) -> tuple[Tensor, Tensor]:
        if self._size is None:
            return self.all
        items = len(self.all[0])
        epoch, position = divmod(step, items // self._size)
        if any((seed, epoch) not in self._orders for seed in seeds):
            self._orders = {(s, epoch): torch.randperm(items, generator=generator(s, "order", epoch)) for s in seeds}
        start = position * self._size
        rows = torch.stack([self._orders[seed, epoch][start : start + self._size] for seed in seeds])
        return self.all[0][rows], self.all[1][rows]

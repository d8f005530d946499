"""A recorder that any training loop calls: what a network makes of the probe, at some of the steps."""

import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Self, get_args

import numpy as np
import torch
from torch import Tensor, nn

from syzygy.errors import RunError, SpecificationError, UnknownName
from syzygy.journal import Journal, Precision
from syzygy.recorder.first_look import first_look
from syzygy.recorder.identity import manifest_of
from syzygy.recorder.moments import Moments
from syzygy.recorder.opened import opened, tell
from syzygy.recorder.optimiser import trained_by
from syzygy.recorder.placed import placed
from syzygy.recorder.ranks import is_first, refuse_sharded
from syzygy.recorder.targets import Loss, Targets, number
from syzygy.recording import Probe, Schedule, layers_of, look, unwrapped
from syzygy.trajectory import Trajectory


class Recorder:
    """Record what layers of a network make of the same items while it learns, in a loop of one's own.

    At each recorded step the network sees the probe once, in evaluation mode and without gradients.  Modes, gradients
    and random numbers are afterwards what they were: the training's numbers do not depend on being recorded.

    Parameters
    ----------
    model
        Any module, where it trains.  Inside of ``DataParallel``, ``DistributedDataParallel`` and ``compile`` it is
        found.  Under ``torch.distributed`` the process of rank 0 alone looks and writes.
    layers
        Module paths, as in ``dict(model.named_modules())``, with ``*`` for one name and ``**`` for any number.
        ``mean(path)``, ``max(path)``, ``last(path)``, ``class(path)`` and ``positions(path)`` pool tokens or feature
        maps; ``path#2`` is the second call of a module that is called twice.  See :func:`syzygy.recording.layers_of`.
    probe
        What the model is called with to see the items: a tensor ``(item, …)``, a tuple of them (arguments in order)
        or a dictionary (arguments by name).
    at
        Which steps: ``syzygy.log_spaced(200)``, ``syzygy.every(10)``, or a list.
    store
        A folder that keeps each step as soon as it is recorded; by default memory does.
    steps
        Updates of the whole training, if known: a schedule then ends there.  Otherwise steps in logarithmic spacing
        are those of a training of a million.
    items
        A name per item; ``item 0``, ``item 1``, … by default.
    targets
        ``(item, output)``, floats ``(item,)`` for one output, or classes: whole numbers ``(item,)`` become one-hot if
        the model has several outputs.
    mask
        Which tokens count, ``(item, position)``; ``attention_mask`` of the probe by default.
    loss
        A function of outputs ``(item, output)`` and ``targets`` as they were given, both on the CPU.  By default half
        the mean squared error, as in :func:`syzygy.train`; NaN without targets.
    seed
        Of the model, to be told apart from others.
    precision
        ``float32`` or ``float16``, in which representations are kept.
    batch
        Items per forward pass; by default all.
    resume
        Go on with a recording that ``store`` holds, if it holds one.  Steps at or after the first that is then given
        are dropped, for the loop went back to its checkpoint.
    about
        Whatever else shall be kept of it, fit for JSON; ``syzygy fit`` looks for ``optimiser``, ``learning_rate`` and
        ``loss``, what the model is trained by and on.

    Raises
    ------
    UnknownName
        A layer that the model lacks, or another precision.
    SpecificationError
        A schedule, step or model that cannot be recorded.
    DataError
        A probe that the model cannot be called with, or on another device; a layer that does not fire.
    ShapeError
        Names, targets or mask of other items; a layer whose first axis is not the items.
    RunError
        A store that holds a recording, or one of something else to resume, or that somebody writes to.

    Examples
    --------
    >>> import torch
    >>> from syzygy.recording import every
    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 5), torch.nn.Tanh(), torch.nn.Linear(5, 1))
    >>> recorder = Recorder(model, layers=["1"], probe=torch.randn(8, 2), at=every(10))
    >>> [step for step in range(25) if recorder(step)]
    [0, 10, 20]
    >>> recorder.trajectory.representation("1").shape
    (1, 3, 8, 5)
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        layers: Sequence[str],
        probe: Any,
        at: Schedule | Iterable[int],
        store: str | Path | None = None,
        steps: int | None = None,
        items: Sequence[str] | None = None,
        targets: Any = None,
        mask: Tensor | None = None,
        loss: Loss | None = None,
        seed: int | None = None,
        precision: Precision = "float32",
        batch: int | None = None,
        resume: bool = False,
        about: Mapping[str, Any] | None = None,
    ):
        if not isinstance(model, nn.Module):
            raise SpecificationError(f"a recorder watches a torch.nn.Module; got {type(model).__name__}")
        if precision not in get_args(Precision):
            raise UnknownName("precision", precision, get_args(Precision))
        if batch is not None and batch < 1:
            raise SpecificationError(f"batch= is the number of items of a forward pass, 1 or more; got {batch}")
        self.model = unwrapped(model)
        self.moments = Moments.of(at, steps)
        self.layers = layers_of(self.model, [layers] if isinstance(layers, str) else layers)
        known = probe if isinstance(probe, Probe) else Probe.of(probe, items=items, mask=mask)
        # A copy of one's own: loops write into their batches.
        self.probe = replace(known, inputs=placed(known.inputs), mask=placed(known.mask))
        self._function, self._batch, self._resumed = loss, batch, resume
        self._called: int | None = None
        self.closed = False
        self._journal: Journal | None = None
        refuse_sharded(self.model)
        if is_first():
            seen = first_look(self.model, self.probe, self.layers)
            wanted = self.probe.targets if targets is None else targets
            self._targets = Targets.of(wanted, len(self.probe), seen.outputs.shape[1], loss_knows=loss is not None)
            told = {"record": self.moments.said, "seed": seed, **(about or {})}
            self.probe = replace(self.probe, targets=self._targets.values)
            manifest = manifest_of(self.model, self.probe, seen.layers, seed, precision, told)
            self._journal = opened(store, manifest, resume)

    def __call__(self, step: int, loss: Any = None, always: bool = False) -> bool:
        """Look at the model, if this step is to be recorded.

        Parameters
        ----------
        step
            Updates that the model has had.  Rises from call to call.
        loss
            Of the training at this step, if the loop knows it better; half the mean square, if rates shall be fitted.
        always
            Record this step, whatever the schedule: the last one, say.

        Returns
        -------
        bool
            Whether it was recorded now.

        Raises
        ------
        SpecificationError
            A step that is no whole number, or does not rise.
        RunError
            The recorder was closed, or its store cannot be written.
        """
        step = self._risen(step, always)
        if self._journal is None or not (always or step in self.moments) or self._journal.steps[-1:] == (step,):
            return False
        with self._journal.step(step) as row:
            outputs = []
            for first, part in self.probe.batches(self._batch):
                seen = look(self.model, part, self.layers)
                row.put(first, seen.outputs, seen.layers)
                outputs.append(seen.outputs)
            row.loss = self._targets.loss(np.concatenate(outputs), self._function) if loss is None else number(loss)
        return True

    @contextmanager
    def following(self, optimiser: torch.optim.Optimizer, *, done: int = 0) -> Iterator[Self]:
        """Record while the block runs, whenever an optimiser makes an update; the loop in it needs no change.

        The untrained model and the last step are recorded too, the latter unless the block raises.  Where nothing is
        recorded yet, ``about`` learns the optimiser's name, learning rate and momentum.

        Parameters
        ----------
        optimiser
            Each of its steps is an update.
        done
            Updates before the block, where a training is resumed.
        """
        made = operator.index(done)
        if self._journal is not None:
            tell(self._journal, trained_by([optimiser]))

        def count(*_: object) -> None:
            nonlocal made
            made += 1
            self(made)

        if not made:
            self(0)
        hook = optimiser.register_step_post_hook(count)
        try:
            yield self
        finally:
            hook.remove()
        if made > done:
            self(made, always=True)

    @property
    def steps(self) -> tuple[int, ...]:
        """Steps recorded so far, those that were resumed from included; none where another process writes."""
        return self._journal.steps if self._journal else ()

    @property
    def trajectory(self) -> Trajectory:
        """Everything recorded so far, as :func:`syzygy.train` gives it, with one network.

        Raises
        ------
        RunError
            Nothing is recorded yet, or this is not the process of rank 0.
        """
        if self._journal is None:
            raise RunError("this process records nothing: of several, the one of rank 0 does")
        if not self._journal.steps:
            raise RunError(
                f"nothing is recorded yet; call the recorder with a step of its schedule, {self.moments.said}"
            )
        return self._journal.trajectory

    def close(self) -> None:
        """Let others write to the store; what is recorded stays readable."""
        self.closed = True
        if self._journal is not None:
            self._journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _risen(self, given: int, again: bool) -> int:
        """Check a step; after the first call to a resumed recording, nothing later than it is left."""
        try:
            step = operator.index(given)
        except TypeError:
            step = -1
        if step < 0:
            raise SpecificationError(f"a step is the number of updates made, 0 or more; got {given!r}")
        if self.closed:
            raise RunError("the recorder is closed; make another one with resume=True to go on")
        if self._called is None and self._resumed and self._journal and step <= max(self._journal.steps, default=-1):
            self._journal.forget(step)
        if self._called is not None and step < self._called + (not again):
            raise SpecificationError(f"steps rise from call to call; got {step} after {self._called}")
        self._called = step
        return step

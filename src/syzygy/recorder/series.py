"""Checkpoints that a training left, recorded afterwards as if it had been watched."""

from collections.abc import Iterable, Mapping
from typing import Any

from torch import nn

from syzygy.errors import DataError
from syzygy.recorder.recorder import Recorder
from syzygy.recorder.state import fill
from syzygy.recording import every, unwrapped
from syzygy.trajectory import Trajectory


def record_series(model: nn.Module, states: Iterable[tuple[int, Mapping[str, Any]]], **options: Any) -> Trajectory:
    """Record a model at the weights of each of some checkpoints, one after the other.

    For files, and for what brings its own inputs, see :mod:`syzygy.extraction` (``syzygy extract``).

    Parameters
    ----------
    model
        What the checkpoints are of.  It ends with the weights of the last one.
    states
        Steps that rise, each with the model's state, as in ``model.state_dict()``.  One is held at a time, so a
        generator that loads them serves best.
    options
        All of :class:`Recorder` but ``at``.  With ``resume=True`` steps that the store holds are not looked at again.

    Raises
    ------
    DataError
        No checkpoint, or one that does not fit the model.
    SyzygyError
        What :class:`Recorder` raises.

    Examples
    --------
    >>> import torch
    >>> model = nn.Linear(2, 3)
    >>> states = ((step, {"weight": torch.full((3, 2), step), "bias": torch.zeros(3)}) for step in (0, 10))
    >>> trajectory = record_series(nn.Sequential(model), ((s, {f"0.{k}": v for k, v in w.items()}) for s, w in states),
    ...                            layers=["0"], probe=torch.ones(1, 2))
    >>> trajectory.representation("0").tolist()
    [[[[0.0, 0.0, 0.0]], [[20.0, 20.0, 20.0]]]]
    """
    recorder = None
    try:
        for step, state in states:
            if recorder is None or step not in recorder.steps:
                fill(unwrapped(model), state, f"the checkpoint of step {step}", strict=True)
                # Made now, so that what it says of the first weights is said of those of the first checkpoint.
                recorder = recorder or Recorder(model, at=every(1), **options)
                if step not in recorder.steps:
                    recorder(step)
        if recorder is None:
            raise DataError("there is no checkpoint to record")
        return recorder.trajectory
    finally:
        if recorder is not None:
            recorder.close()

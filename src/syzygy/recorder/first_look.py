"""A look before the training begins, so that what cannot be recorded is refused then."""

from collections.abc import Sequence
from itertools import islice

from torch import nn

from syzygy.errors import DataError, SyzygyError, reason
from syzygy.recording import Layer, Probe, Seen, look


def first_look(network: nn.Module, probe: Probe, layers: Sequence[Layer]) -> Seen:
    """Look at the first two items of a probe: with one alone, a missing item axis would not show.

    Raises
    ------
    DataError
        A probe that the network cannot be called with.
    SyzygyError
        What :func:`~syzygy.recording.look` raises.
    """
    _, part = next(islice(probe.batches(2), 1))
    try:
        return look(network, part, layers)
    except SyzygyError:
        raise
    except Exception as failed:  # whatever a foreign model may raise
        many = isinstance(probe.inputs, tuple)
        advice = "; a tuple is its arguments in order: give the inputs alone, and targets=" if many else ""
        raise DataError(f"the model cannot be called with the probe ({reason(failed)}){advice}") from failed

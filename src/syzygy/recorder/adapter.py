"""What recorders in the training loops of other libraries have in common."""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Self, cast

from torch import nn

from syzygy.errors import RunError
from syzygy.recorder.optimiser import trained_by
from syzygy.recorder.placed import device_of, placed
from syzygy.recorder.recorder import Recorder
from syzygy.recording import Schedule
from syzygy.trajectory import Trajectory


class Adapter:
    """A recorder that is made when another library's training begins, and called by it.

    An object of a subclass is of the library's own callback class too; the library is imported when the first one is
    made, and not before.

    Parameters
    ----------
    layers, probe, at
        As of :class:`~syzygy.recorder.recorder.Recorder`.  The probe is moved to where the model trains.
    options
        All others of :class:`~syzygy.recorder.recorder.Recorder`.  ``steps`` is known to the library, as is
        what ``about`` tells of its optimisers.

    Attributes
    ----------
    recorder
        The recorder of the last training; None before the first.
    """

    def __new__(cls, *_: Any, **__: Any) -> Self:
        """Make an object of this class and of the library's."""
        also: Any = _also  # a class is hashable, whatever its stubs say
        return cast(Self, object.__new__(also(cls, cls.callbacks())))

    def __init__(self, *, layers: Sequence[str], probe: Any, at: Schedule | Iterable[int], **options: Any):
        self._asked: dict[str, Any] = {"layers": layers, "probe": probe, "at": at} | options
        self.recorder: Recorder | None = None
        self._seen = -1

    @classmethod
    def callbacks(cls) -> tuple[type, ...]:
        """Give the callback classes of the library."""
        raise NotImplementedError

    @property
    def trajectory(self) -> Trajectory:
        """Everything recorded so far.

        Raises
        ------
        RunError
            Nothing is.
        """
        if self.recorder is None:
            raise RunError("nothing is recorded yet; the training has not begun")
        return self.recorder.trajectory

    def close(self) -> None:
        """Let others write to the store; what is recorded stays readable."""
        if self.recorder is not None:
            self.recorder.close()

    def _begin(self, model: nn.Module, done: int, steps: float, optimisers: Iterable[Any]) -> None:
        """Make the recorder for a training that has had so many updates, of so many in all if that is known."""
        self.close()
        asked = dict(self._asked)
        asked["about"] = trained_by(optimisers) | dict(asked.get("about") or {})
        if 0 < steps < float("inf"):
            asked.setdefault("steps", int(steps))
        for name in ("probe", "mask"):
            if name in asked:
                asked[name] = placed(asked[name], device_of(model))
        self.recorder = Recorder(model, **asked)
        self._seen = -1
        self._at(done)

    def _at(self, step: int, last: bool = False) -> None:
        """Meet a moment at which so many updates were made; several may pass without an update between them."""
        if self.recorder is not None and not self.recorder.closed and (last or step > self._seen):
            self._seen = step
            self.recorder(step, always=last)


@cache
def _also(cls: Any, others: tuple[type, ...]) -> Any:
    """Make a subclass that is of other classes too, unless it is."""
    if all(issubclass(cls, other) for other in others):
        return cls
    return type(cls.__name__, (cls, *others), {"__module__": cls.__module__, "__doc__": cls.__doc__})

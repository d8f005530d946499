"""A callback for Lightning, by whichever of its two names it is in use."""

import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from torch import nn

from syzygy.errors import SpecificationError, UnknownName
from syzygy.recorder.adapter import Adapter
from syzygy.recording import Schedule

#: Where the trainer lives: the library's present name, and its earlier one.
NAMES = ("lightning.pytorch", "pytorch_lightning")


class LightningRecorder(Adapter):
    """Record a training by ``lightning.pytorch.Trainer``, or ``pytorch_lightning.Trainer``, as one of its callbacks.

    Steps are the trainer's ``global_step``: the updates of all its optimisers.  Step 0 is recorded before the first
    update, the last step at the end; sanity checks, validation and batches without an update are not seen.

    Parameters
    ----------
    layers, probe, at
        As of :class:`~syzygy.recorder.recorder.Recorder`; paths are those of the ``LightningModule``.  The probe is
        moved to where the model trains.
    network
        Path of the submodule that is called with the probe, and from which layers are named; by default the
        ``LightningModule`` itself, through its ``forward``.
    options
        All others of :class:`~syzygy.recorder.recorder.Recorder`.  The trainer knows ``steps``.  With ``resume=True``
        and ``trainer.fit(…, ckpt_path=…)`` the recording goes on where the checkpoint was made.

    Raises
    ------
    SpecificationError
        Lightning is not installed.

    Examples
    --------
    >>> from syzygy import every
    >>> callback = LightningRecorder(layers=["net.0"], probe=probe, at=every(100), store="run")  # doctest: +SKIP
    >>> lightning.pytorch.Trainer(callbacks=[callback]).fit(module, loader)  # doctest: +SKIP
    """

    def __init__(
        self,
        *,
        layers: Sequence[str],
        probe: Any,
        at: Schedule | Iterable[int],
        network: str = "",
        **options: Any,
    ):
        super().__init__(layers=layers, probe=probe, at=at, **options)
        self._network = network

    @classmethod
    def callbacks(cls) -> tuple[type, ...]:
        """Give the callback class of each Lightning that is imported, or else of the first that is installed."""
        names = [name for name in NAMES if sys.modules.get(name)]
        names = names or [name for name in NAMES if find_spec(name.partition(".")[0])][:1]
        if not names:
            raise SpecificationError("LightningRecorder needs the library lightning; pip install lightning")
        return tuple(import_module(name).Callback for name in names)

    def on_train_start(self, trainer: Any, pl_module: nn.Module) -> None:
        """Record the untrained network, or go on from a checkpoint."""
        modules = dict(pl_module.named_modules())
        if self._network not in modules:
            raise UnknownName("submodule", self._network, (path for path in modules if path))
        self._begin(modules[self._network], trainer.global_step, trainer.estimated_stepping_batches,
                    trainer.optimizers)  # fmt: skip

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        """Record an update, if the batch led to one."""
        self._at(trainer.global_step)

    def on_train_end(self, trainer: Any, *_: Any) -> None:
        """Record the last step."""
        self._at(trainer.global_step, last=True)
        self.close()

    def on_exception(self, *_: Any) -> None:
        """Let others write to the store."""
        self.close()

"""A callback for the trainer of the transformers library."""

from importlib import import_module
from typing import Any

from torch import nn

from syzygy.errors import SpecificationError
from syzygy.recorder.adapter import Adapter


class HuggingFaceRecorder(Adapter):
    """Record a training by ``transformers.Trainer``, as one of its callbacks.

    Steps are the trainer's ``global_step``: the updates made.  Step 0 is recorded before the first update, the last
    step at the end; what evaluations do is not seen.

    Parameters
    ----------
    layers, probe, at
        As of :class:`~syzygy.recorder.recorder.Recorder`; a probe is best a dictionary, as the tokeniser gives it.  It
        is moved to where the model trains.
    options
        All others of :class:`~syzygy.recorder.recorder.Recorder`.  The trainer knows ``steps``.  With ``resume=True``
        and ``trainer.train(resume_from_checkpoint=…)`` the recording goes on where the checkpoint was made.

    Raises
    ------
    SpecificationError
        transformers is not installed.

    Notes
    -----
    The trainer does not tell its callbacks of an exception: :meth:`close` lets go of the store before the process ends.

    Examples
    --------
    >>> from syzygy import every
    >>> callback = HuggingFaceRecorder(layers=["mean(encoder.*)"], probe=tokens, at=every(100))  # doctest: +SKIP
    >>> transformers.Trainer(model, arguments, callbacks=[callback]).train()  # doctest: +SKIP
    """

    @classmethod
    def callbacks(cls) -> tuple[type, ...]:
        """Give the callback class of transformers."""
        try:
            return (import_module("transformers").TrainerCallback,)
        except ImportError as missing:
            raise SpecificationError(
                f"HuggingFaceRecorder needs the library transformers ({missing}); pip install transformers accelerate"
            ) from missing

    def on_train_begin(
        self,
        args: Any,  # noqa: ARG002
        state: Any,
        control: Any,  # noqa: ARG002
        *,
        model: nn.Module,
        optimizer: Any = None,
        **_: Any,
    ) -> None:
        """Record the untrained network, or go on from a checkpoint."""
        self._begin(model, state.global_step, state.max_steps, [optimizer])

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Record an update, and the last one as such."""
        self._at(state.global_step, last=control.should_training_stop)

    # What stops a training early may say so at any of these; the best weights are loaded only after them.
    on_epoch_end = on_evaluate = on_save = on_step_end

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Record the last step, unless other weights have taken the place of its own."""
        if not args.load_best_model_at_end:
            self._at(state.global_step, last=True)
        self.close()

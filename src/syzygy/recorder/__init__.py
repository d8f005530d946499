"""Any model, any loop: a recorder that a training calls, and adapters for loops that others wrote."""

from syzygy.recorder.huggingface import HuggingFaceRecorder
from syzygy.recorder.lightning import LightningRecorder
from syzygy.recorder.recorder import Recorder
from syzygy.recorder.series import record_series

__all__ = ["HuggingFaceRecorder", "LightningRecorder", "Recorder", "record_series"]

"""When to look at a network, and how: schedules, layers by name, hooks that always come off."""

from syzygy.recording.hooks import watched
from syzygy.recording.layer import Layer, layers_of, path_of
from syzygy.recording.look import Seen, look, show
from syzygy.recording.modules import modules_of, unwrapped, watchable
from syzygy.recording.pooling import POOLINGS, Pooling
from syzygy.recording.probe import Probe
from syzygy.recording.schedule import Schedule, every, log_spaced

__all__ = [
    "POOLINGS",
    "Layer",
    "Pooling",
    "Probe",
    "Schedule",
    "Seen",
    "every",
    "layers_of",
    "log_spaced",
    "look",
    "modules_of",
    "path_of",
    "show",
    "unwrapped",
    "watchable",
    "watched",
]

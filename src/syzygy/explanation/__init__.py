"""The theory on recorded pairs, as a result: which pairs, which layers, and how that depends on distance."""

from syzygy.explanation.explanation import explanation
from syzygy.explanation.plan import Plan, plan
from syzygy.explanation.recordings import recordings

__all__ = ["Plan", "explanation", "plan", "recordings"]

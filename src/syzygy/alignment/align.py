"""The one call: representations and measures in, every pair out."""

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from scipy.stats import false_discovery_control

from syzygy.alignment.alignment import Alignment
from syzygy.chance import upper_tail
from syzygy.linalg import Work
from syzygy.measures import Measure, measure
from syzygy.representations import Representations


def align(
    representations: Any,
    measures: Iterable[str | Measure] = ("cka",),
    *,
    dtype: Literal["float32", "float64"] = "float32",
    device: str | None = None,
) -> Alignment:
    """Compare every two representations of the same items, against chance."""
    some = Representations.of(representations)
    chosen = [measure(one) for one in measures]
    work = Work(dtype, device)
    return Alignment.of(chosen, some, [_every_pair(one, some, work) for one in chosen])


def _every_pair(one: Measure, some: Representations, work: Work) -> dict[str, np.ndarray]:
    prepared = [one.prepare(some.values(index, one), work) for index in range(len(some))]
    score = one.block(prepared, None, work)
    chance = one.chance(prepared, prepared)
    if chance is None:
        nothing = np.full_like(score, np.nan)
        return {"score": score, "chance": nothing, "spread": nothing, "calibrated": nothing, "p": nothing, "q": nothing}
    p = upper_tail(score, chance)
    return {
        "score": score,
        "chance": chance.mean,
        "spread": chance.spread,
        "calibrated": (score - chance.mean) / (one.best - chance.mean),
        "p": p,
        "q": false_discovery_control(p.ravel()).reshape(p.shape),
    }

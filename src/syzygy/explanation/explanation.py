"""What the theory explains of a recording, as a result that has a page."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import numpy as np
import pandas as pd

from syzygy.errors import DataError
from syzygy.explanation import drawings, tables
from syzygy.explanation.doubts import Case, doubts
from syzygy.explanation.inquiry import Given, Inquiry, Part, inquiry
from syzygy.explanation.question import Asked
from syzygy.explanation.scores import EXPLAINED, Progress, scored
from syzygy.explanation.shares import Halves
from syzygy.explanation.summary import summary
from syzygy.explanation.tables import CAPTIONS
from syzygy.figures import Figure
from syzygy.result import Result, Table
from syzygy.versions import versions

TITLE: Final = "The theory on recorded pairs"
QUESTION: Final = (
    "Which pairs of items does the theory explain, at which layers, and how does that depend on their distance?"
)

#: A table holds so many rows at most.
MOST_ROWS: Final = 50_000


def explanation(
    trajectory: Given,
    layers: Sequence[str] | None = None,
    pairs: Asked = None,
    *,
    fitted: float = 0.5,
    seed: int = 0,
    progress: Progress | None = None,
) -> Result:
    """Ask the theory about every pair of probe items at every layer of a recording.

    Rates are fitted to the first part of the recorded steps, from the measured start, and forecast the rest.  A pair is
    *explained* if the forecasts of ‖dh‖² and of ‖dy‖² both score :data:`~syzygy.explanation.scores.EXPLAINED` or more,
    and if neither a constant, a line, an exponential nor a logistic is closer (``docs/fitting.md``).

    Parameters
    ----------
    trajectory
        What was recorded; or several recordings, by their names.
    layers
        Names of layers, or patterns as in ``hidden.*``; all by default.
    pairs
        ``all``; ``classes``, the pairs whose targets differ; a number of pairs to draw; names of two items each.  By
        default all pairs, or 2500 drawn if there are more.
    fitted
        Share of the recorded steps that a forecast sees.
    seed
        Of pairs that are drawn, and of the intervals.
    progress
        Told the share of the work that was done since the last call.

    Returns
    -------
    Result
        Tables ``layers``, ``distance``, ``trends``, ``items`` and ``pairs``; ``syzygy.report.write_report`` writes its
        page.

    Raises
    ------
    SpecificationError
        Layers, pairs, a share or a seed that cannot be.
    DataError
        A recording without outputs or targets, with too few steps or items, or of networks that diverged.

    Examples
    --------
    >>> import syzygy
    >>> trajectory = syzygy.train(syzygy.two_points(), "two_layer", steps=2000, record=syzygy.every(20))
    >>> explanation(trajectory).table("layers")[["layer", "pairs", "explained", "r2_h2"]].round(2)
          layer  pairs  explained  r2_h2
    0  hidden.0      1        1.0    1.0
    """
    asked = inquiry(trajectory, layers, pairs, fitted, seed)
    alone, left_out = len(asked.parts) == 1, list(asked.left_out)
    total = sum(part.work for part in asked.parts)
    found = _Found()
    for part in asked.parts:
        halves = Halves(part.pairs, seed)
        for layer in part.layers:
            share = len(part.seen.networks) * len(part.pairs) / total
            case = _case(part, layer, fitted, alone, partial(_tell, progress, share))
            if case is None:
                left_out.append(f"{part.name}: layer {layer!r} starts with no finite representation")
                continue
            found.add(part, case, halves)
    if not found.cases:
        raise DataError(f"no layer is left to ask about: {left_out[-1]}")
    frames = found.frames()
    return Result(
        study="fit",
        title=TITLE,
        question=QUESTION,
        summary=tuple(summary(asked, frames, fitted)),
        specification=_specification(asked, layers, pairs, fitted, seed),
        findings=doubts(found.cases, left_out),
        tables=tuple(
            Table(name, CAPTIONS[name] + _cut(frame), frame.head(MOST_ROWS)) for name, frame in frames.items()
        ),
        figures=(drawings.layers(frames["layers"]), drawings.distance(frames["distance"]), *found.examples),
        references=("theory",),
        versions=versions(),
    )


class _Found:
    """Rows of all tables, layer by layer."""

    def __init__(self) -> None:
        self.cases: list[Case] = []
        self.examples: list[Figure] = []
        self._rows: dict[str, list[Any]] = {name: [] for name in CAPTIONS}

    def add(self, part: Part, case: Case, halves: Halves) -> None:
        """Take the numbers of a layer."""
        scores, seeds = case.scores, case.trajectory.seeds.tolist()
        known = tables.distances(scores, part.seen.inputs_known)
        self._rows["layers"].append(tables.layer_row(part.name, scores, halves))
        self._rows["distance"] += tables.distance_rows(part.name, scores, known, halves)
        self._rows["trends"] += tables.trend_rows(part.name, scores, known, halves)
        self._rows["items"] += tables.item_rows(part.name, scores, part.pairs, case.trajectory.items)
        self._rows["pairs"].append(tables.pair_rows(part.name, scores, seeds))
        self.cases.append(case)
        if len(self.examples) < drawings.DRAWN_LAYERS and np.isfinite(scores.score).any():
            self.examples.append(drawings.examples(part.name, scores, seeds, len(self.examples) + 1))

    def frames(self) -> dict[str, pd.DataFrame]:
        """Give the tables, the worst items and pairs first."""
        rows = self._rows
        frames = {name: pd.DataFrame(rows[name]) for name in ("layers", "distance", "trends", "items")}
        frames["items"] = frames["items"].sort_values(["explained", "score"], kind="stable", ignore_index=True)
        every = pd.concat(rows["pairs"], ignore_index=True)
        return frames | {"pairs": every.sort_values("score", na_position="first", kind="stable", ignore_index=True)}


def _case(part: Part, layer: str, fitted: float, alone: bool, progress: Progress) -> Case | None:
    """Fit and judge one layer."""
    trajectory = part.seen.at(layer)
    if trajectory is None:
        return None
    scores = scored(trajectory, part.pairs, part.seen.ends, fitted=fitted, inputs_known=part.seen.inputs_known,
                    progress=progress)  # fmt: skip
    name = f"layer {layer}"
    return Case(name if alone else f"{part.name}: {name}", trajectory, part.pairs, scores)


def _tell(progress: Progress | None, share: float, done: float) -> None:
    if progress:
        progress(done * share)


def _specification(asked: Inquiry, layers: Any, pairs: Asked, fitted: float, seed: int) -> dict[str, Any]:
    return {
        "recordings": [part.name for part in asked.parts],
        "layers": "all" if layers is None else list(layers),
        "pairs": pairs if isinstance(pairs, str | int) or pairs is None else [list(pair) for pair in pairs],
        "fitted": fitted,
        "explained": EXPLAINED,
        "seed": seed,
    }


def _cut(frame: pd.DataFrame) -> str:
    return f" The first {MOST_ROWS} of {len(frame)}." if len(frame) > MOST_ROWS else ""

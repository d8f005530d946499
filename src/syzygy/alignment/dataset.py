"""What was found of every pair, put together and labelled."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

import numpy as np
import xarray as xr

from syzygy.alignment.places import places
from syzygy.alignment.settings import Settings
from syzygy.axes import MEASURE, OTHER_REPRESENTATION, REPRESENTATION
from syzygy.measures import Measure
from syzygy.measures.measure import Array
from syzygy.representations import Representations
from syzygy.versions import versions

AXES: Final = (MEASURE, REPRESENTATION, OTHER_REPRESENTATION)


def dataset(
    measures: Sequence[Measure], some: Representations, found: Sequence[dict[str, Array]], settings: Settings
) -> xr.Dataset:
    """Put together what was found by each measure: arrays ``(representation, other representation)``."""
    names = list(some.names)
    about = asdict(settings) | {
        "items": some.item_count,
        "versions": versions(),
        "measures": {one.label: _spoken(one) for one in measures},
    }
    return xr.Dataset(
        {name: (AXES, np.stack([one[name] for one in found])) for name in found[0]},
        coords={MEASURE: [one.label for one in measures], REPRESENTATION: names, OTHER_REPRESENTATION: names}
        | places(some),
        attrs={
            "about": json.dumps(about, ensure_ascii=False, sort_keys=True),
            "warnings": json.dumps(_unscored(measures, names, found), ensure_ascii=False),
        },
    )


def by_group(
    measures: Sequence[Measure], found: Sequence[dict[str, Array]], axis: str, names: Sequence[Any]
) -> xr.Dataset:
    """Put together what was found of every two groups by each measure: arrays ``(group, other group)``."""
    other = f"other {axis}"
    return xr.Dataset(
        {name: ((MEASURE, axis, other), np.stack([one[name] for one in found])) for name in found[0]},
        coords={MEASURE: [one.label for one in measures], axis: list(names), other: list(names)},
    )


def _spoken(one: Measure) -> dict[str, Any]:
    ends = [str(end) for end in one.range]
    return {"kind": one.kind, "symmetric": one.symmetric, "range": ends, "luck": one.luck, "reference": one.reference}


def _unscored(measures: Sequence[Measure], names: Sequence[str], found: Sequence[dict[str, Array]]) -> list[str]:
    """Say once what has no score with itself."""
    lines = []
    for one, arrays in zip(measures, found, strict=True):
        lost = [name for name, own in zip(names, np.diag(arrays["score"]), strict=True) if np.isnan(own)]
        if lost:
            shown = ", ".join(lost[:5]) + (" …" if len(lost) > 5 else "")
            lines.append(f"{one.label} is not defined for {len(lost)} that do not vary as it needs: {shown}")
    return lines

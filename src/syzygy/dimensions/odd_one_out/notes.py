"""Reasons to doubt what was learned from triplets, a line each."""

from typing import Final

import numpy as np

from syzygy.dimensions.odd_one_out.triplets import Triplets

#: So many objects are named.
SHOWN: Final = 5


def unsettled(stable: int, epochs: int, dimensions: int) -> str:
    """Say that the number of dimensions did not become stable in so many epochs, from so many to begin with."""
    return (
        f"the number of dimensions was not stable for {stable} epochs within {epochs}, or all {dimensions} were kept; "
        "learn longer, or begin with more"
    )


def notes(triplets: Triplets, kept: int) -> list[str]:
    """Say what is wrong with the number of dimensions that were kept, or with the triplets that they are from."""
    found = []
    if kept < 2:
        found.append(f"{kept} dimensions were kept: choices have no structure, or are too few for it to be sure")
    asked = np.bincount(triplets.choices.ravel(), minlength=triplets.objects)
    if len(never := np.flatnonzero(asked == 0)):
        shown = ", ".join(str(triplets.names[one] if triplets.names else one) for one in never[:SHOWN])
        more = " …" if len(never) > SHOWN else ""
        found.append(f"{len(never)} objects are in no triplet and have nothing but the prior: {shown}{more}")
    return found

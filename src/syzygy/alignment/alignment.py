"""Every pair of representations, by every measure: scores, and what chance would give."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from syzygy.axes import MEASURE, OTHER_REPRESENTATION, REPRESENTATION
from syzygy.measures import Measure
from syzygy.representations import Representations


@dataclass(frozen=True)
class Alignment:
    """What :func:`syzygy.align` gives.

    Attributes
    ----------
    data
        Dataset of ``(measure, representation, other representation)``:

        ==============  ==========================================================================
        ``score``       the measure
        ``chance``      its mean over permutations of the items of one of the two
        ``spread``      the standard deviation of the same
        ``calibrated``  0 at chance, 1 for a representation with itself
        ``p``           probability of being this much alike by chance
        ``q``           the same, corrected for the number of pairs (Benjamini and Hochberg)
        ==============  ==========================================================================

        For measures that are not symmetric, ``representation`` is the one that predicts.
    measures, representations
        What was compared, and how.
    """

    data: xr.Dataset
    measures: tuple[Measure, ...]
    representations: Representations

    @classmethod
    def of(cls, measures: Sequence[Measure], representations: Representations,
           found: Sequence[dict[str, np.ndarray]]) -> "Alignment":  # fmt: skip
        """Put together what was found by each measure: arrays ``(representation, other representation)``."""
        axes = (MEASURE, REPRESENTATION, OTHER_REPRESENTATION)
        names = list(representations.names)
        return cls(
            xr.Dataset(
                {name: (axes, np.stack([one[name] for one in found])) for name in found[0]},
                coords={MEASURE: [m.label for m in measures], REPRESENTATION: names, OTHER_REPRESENTATION: names},
            ),
            tuple(measures),
            representations,
        )

    def to_xarray(self) -> xr.Dataset:
        """Give the labelled numbers."""
        return self.data

    def to_pandas(self) -> pd.DataFrame:
        """Give a row for each measure and pair."""
        return self.data.to_dataframe().reset_index()

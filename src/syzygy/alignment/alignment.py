"""Every pair of representations, by every measure: scores, and what chance would give."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure as Canvas

from syzygy.alignment.dataset import AXES, by_group, dataset
from syzygy.alignment.drawings import cells, plotted
from syzygy.alignment.embedding import embedding
from syzygy.alignment.groups import groups
from syzygy.alignment.largest import by_number, by_shuffling
from syzygy.alignment.places import one_sided, two_sided
from syzygy.alignment.repeats import noise_ceilings
from syzygy.alignment.settings import Settings
from syzygy.axes import MEASURE, OTHER_REPRESENTATION, REPRESENTATION
from syzygy.errors import DataError, SpecificationError, UnknownName
from syzygy.files import whole_folder
from syzygy.interrupts import interrupts_wait
from syzygy.measures import Measure, measure
from syzygy.measures.measure import Array
from syzygy.representations import Representations

ALIGNMENT: Final = "alignment.zarr"


@dataclass(frozen=True)
class Alignment:
    """What :func:`syzygy.align` gives.

    Attributes
    ----------
    data
        Dataset of ``(measure, representation, other representation)``:

        ===============  ==========================================================================
        ``score``        the measure
        ``chance``       its mean over permutations of the items of one of the two
        ``spread``       the standard deviation of the same
        ``calibrated``   0 at chance, 1 for a representation with itself
        ``p``            probability of being this much alike by chance
        ``q``            the same, corrected for the number of pairs (Benjamini and Hochberg)
        ``low, high``    ends of an interval of 95% over items, if halves of them were drawn
        ===============  ==========================================================================

        For measures that are not symmetric, ``representation`` is the one that predicts.  What is known of where a
        representation comes from (``network``, ``layer``, ``step``, …) is a coordinate, and so is ``other network``.
    measures
        By what was compared.
    representations
        What was compared; None if that is no longer at hand.
    """

    data: xr.Dataset
    measures: tuple[Measure, ...]
    representations: Representations | None = None

    @classmethod
    def of(
        cls,
        measures: Sequence[Measure],
        representations: Representations,
        found: Sequence[dict[str, Array]],
        settings: Settings,
    ) -> "Alignment":
        """Put together what was found by each measure: arrays ``(representation, other representation)``."""
        return cls(dataset(measures, representations, found, settings), tuple(measures), representations)

    @classmethod
    def read(cls, folder: str | Path, representations: Representations | None = None) -> "Alignment":
        """Read what :func:`syzygy.align` left in a folder.

        Raises
        ------
        DataError
            There is no finished comparison, or it is damaged.
        """
        path = Path(folder) / ALIGNMENT
        if not path.is_dir():
            raise DataError(f"{folder} holds no finished comparison; make it with `out`, or go on with it")
        try:
            with interrupts_wait(), xr.open_zarr(path, consolidated=False) as opened:
                data = two_sided(opened.load())
            return cls(data, tuple(measure(str(label)) for label in data[MEASURE].values), representations)
        except (OSError, ValueError, LookupError, RuntimeError) as damaged:
            raise DataError(f"{path} is damaged ({damaged}); remove it and compare again") from damaged

    def write(self, folder: str | Path) -> None:
        """Write ``alignment.zarr`` into a folder, whole or not at all."""
        with interrupts_wait(), whole_folder(Path(folder) / ALIGNMENT) as part:
            one_sided(self.data).to_zarr(part, mode="w", zarr_format=2, consolidated=False)

    @property
    def about(self) -> dict[str, Any]:
        """How it was compared: precision, what was drawn, measures, versions."""
        return dict(json.loads(self.data.attrs["about"]))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What could not be compared, a line each."""
        return tuple(json.loads(self.data.attrs["warnings"]))

    @property
    def names(self) -> tuple[str, ...]:
        """Of the representations."""
        return tuple(str(name) for name in self.data[REPRESENTATION].values)

    def to_xarray(self) -> xr.Dataset:
        """Give the labelled numbers."""
        return self.data

    def to_pandas(self) -> pd.DataFrame:
        """Give a row for each measure and pair: ordered pairs where the measure is not symmetric.

        Examples
        --------
        >>> import numpy as np
        >>> import syzygy
        >>> x, y, z = np.random.default_rng(0).normal(size=(3, 50, 8))
        >>> table = syzygy.align({"x": x, "y": y, "z": z}).to_pandas()
        >>> len(table), list(table.columns[:4])
        (3, ['measure', 'representation', 'other representation', 'score'])
        """
        parts = []
        for one in self.measures:
            count = len(self.names)
            rows, columns = np.triu_indices(count, 1) if one.symmetric else np.nonzero(~np.eye(count, dtype=bool))
            data = self.data.sel({MEASURE: one.label})
            names = {MEASURE: one.label, REPRESENTATION: np.array(self.names, object)[rows],
                     OTHER_REPRESENTATION: np.array(self.names, object)[columns]}  # fmt: skip
            numbers = {str(name): values.values[rows, columns] for name, values in data.data_vars.items()}
            known = {str(name): values.values[columns if values.dims == (OTHER_REPRESENTATION,) else rows]
                     for name, values in data.coords.items() if name not in AXES}  # fmt: skip
            parts.append(pd.DataFrame(names | numbers | known))
        return pd.concat(parts, ignore_index=True)

    def score(self, asked: str | Measure | None = None) -> xr.DataArray:
        """Give the scores of one measure, ``(representation, other representation)``; the first by default.

        Raises
        ------
        UnknownName
            A measure that was not asked for.
        """
        return self.data["score"].sel({MEASURE: self.measure(asked).label})

    def measure(self, asked: str | Measure | None = None) -> Measure:
        """Find one of the measures; the first by default.

        Raises
        ------
        UnknownName
            One that was not asked for.
        """
        if asked is None:
            return self.measures[0]
        wanted = asked.label if isinstance(asked, Measure) else str(asked)
        for one in self.measures:
            if wanted == one.label:
                return one
        raise UnknownName("measure", wanted, [one.label for one in self.measures])

    def maximum(
        self, by: str | Sequence[str] = "network", over: str = "layer", *, permutations: int = 100
    ) -> xr.Dataset:
        """Give the best pair of layers of every two networks, and what chance would give of a best pair.

        The more layers, the higher is the best of them by luck: all layers of a network are therefore shuffled alike,
        and the maximum is taken of each shuffle.

        Parameters
        ----------
        by, over
            Coordinates: of what is compared, and of what the best is taken.
        permutations
            So often items are shuffled, which needs the representations; 0 corrects p by their number alone
            (Šidák 1967), and leaves chance open.

        Returns
        -------
        xarray.Dataset
            ``(measure, network, other network)``: ``score``, ``chance``, ``spread``, ``calibrated``, ``p``.

        Raises
        ------
        SpecificationError
            Representations of a group that differ by more than what the best is taken of; shuffles without
            representations.
        UnknownName
            A coordinate that is not there.
        """
        axes = [by] if isinstance(by, str) else list(by)
        (names, of), (_, each) = groups(self.data, axes), groups(self.data, [over])
        if len(set(zip(of, each, strict=True))) < len(of):
            alike = f"some of one {' and '.join(axes)} have the same {over}"
            raise SpecificationError(f"{alike}; name in `by` whatever else tells them apart")
        found = [self._best(one, of, permutations) for one in self.measures]
        return by_group(self.measures, found, " ".join(axes), names)

    def embedding(self, asked: str | Measure | None = None, dimensions: int = 2, seed: int = 0) -> xr.DataArray:
        """Place the representations as far apart as a measure says that they are; the first by default.

        Parameters and what is given are those of :func:`syzygy.alignment.embedding.embedding`.

        Raises
        ------
        UnknownName, SpecificationError
            A measure that was not asked for; fewer than one dimension.
        """
        return embedding(self.measure(asked), self.score(asked), dimensions, seed)

    def plot(self, asked: str | Measure | None = None) -> Canvas:
        """Draw heatmaps of scores and of calibrated scores, of every measure or of one.

        Raises
        ------
        UnknownName
            A measure that was not asked for.
        """
        some = self.measures if asked is None else [self.measure(asked)]
        frame = pd.concat([cells(self.data.sel({MEASURE: one.label})) for one in some])
        return plotted(frame, [one.label for one in some if one.kind == "distance"])

    def ceiling(self, by: str = "network") -> xr.Dataset:
        """Give the noise ceilings of systems that were measured several times.

        Parameters
        ----------
        by
            The coordinate that says which system a representation is of.

        Returns
        -------
        xarray.Dataset
            ``(measure, network)``: ``lower`` and ``upper`` after Nili et al. (2014), for cosines of item matrices, and
            ``between``, the mean score of different repeats.

        Raises
        ------
        UnknownName
            A coordinate that is not there.
        """
        names, of = groups(self.data, [by])
        found = [noise_ceilings(one, self.score(one).values, of) for one in self.measures]
        return xr.Dataset({name: ((MEASURE, by), np.stack([one[name] for one in found])) for name in found[0]},
                          coords={MEASURE: self.data[MEASURE].values, by: names})  # fmt: skip

    def _best(self, one: Measure, of: list[int], permutations: int) -> dict[str, Array]:
        score = self.score(one).values
        if not permutations:
            return by_number(one, score, self.data["p"].sel({MEASURE: one.label}).values, of)
        if self.representations is None:
            raise SpecificationError("to shuffle items needs the representations; read with them, or permutations=0")
        about = self.about
        settings = Settings(about["dtype"], about["device"], about["memory"], permutations, seed=about["seed"])
        return by_shuffling(one, score, self.representations, of, settings)

"""Universal dimensions of representations from anywhere: arrays, files, stores, recorded runs, extracted models."""

from collections.abc import Sequence
from typing import Any

from syzygy.dimensions import UniversalDimensions
from syzygy.representations import Representations, Steps


def universal_dimensions(
    given: Any,
    *,
    layers: Sequence[str] | None = None,
    steps: Steps = "last",
    fitted_on: Any = None,
    **options: Any,
) -> UniversalDimensions:
    """Score every dimension of every layer by how well other networks tell it.

    Parameters
    ----------
    given
        As :meth:`Representations.of <syzygy.representations.Representations.of>` takes it.  Representations of one
        network, seed, gain and file are layers of one network; an array of which nothing is known is a network.
    layers, steps
        Of what was recorded; one step of each network.
    fitted_on
        The same layers for other items, on which components are fitted; by default they are fitted on half of the
        items, and scored on the other half.
    options
        Of :class:`~syzygy.dimensions.UniversalDimensions`.

    Returns
    -------
    UniversalDimensions
        Fitted.

    Raises
    ------
    SpecificationError
        Options out of range, one network alone, or several steps of one.
    ShapeError, DataError, UnknownName
        As :meth:`UniversalDimensions.fit`.

    Examples
    --------
    >>> import numpy as np
    >>> draw = np.random.default_rng(0)
    >>> shared, noise = draw.normal(size=(100, 3)), draw.normal(size=(100, 3))
    >>> found = universal_dimensions({"a": shared, "b": shared @ draw.normal(size=(3, 5)), "c": noise})
    >>> bool(found.universality_["c"]["c"].max() < 0.5 < found.scores_[1, :3].min())
    True
    """
    some = Representations.of(given, layers=layers, steps=steps)
    others = None if fitted_on is None else Representations.of(fitted_on, layers=layers, steps=steps)
    return UniversalDimensions(**options).fit(some, others)

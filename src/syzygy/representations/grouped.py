"""Which representations are layers of one network."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from syzygy.errors import SpecificationError
from syzygy.representations.labelled import joined, spoken
from syzygy.representations.representation import Representation

#: What tells networks apart, as far as it is known.
KEYS: Final = ("network", "seed", "gain", "file")


def grouped(some: Sequence[Representation]) -> dict[str, dict[str, int]]:
    """Give the place of each layer of each network.

    Representations of one network, seed, gain and file are its layers.  Where no network is known, arrays of one file
    are; an array of which nothing is known is a network of one layer.

    Parameters
    ----------
    some
        Representations of any origin.

    Returns
    -------
    dict
        From network to layer to its place.  Networks are called by as little as tells them apart.

    Raises
    ------
    SpecificationError
        A layer of a network more than once, as at several steps.

    Examples
    --------
    >>> import numpy as np
    >>> from syzygy.representations import held
    >>> x = np.ones((3, 2))
    >>> grouped([held("p", x, network="a", seed=0, layer="h"), held("q", x, network="a", seed=1, layer="h")])
    {'a/seed 0': {'h': 0}, 'a/seed 1': {'h': 1}}
    """
    origins = [_origin(one) for one in some]
    names = _names(list(dict.fromkeys(origins)))
    found: dict[str, dict[str, int]] = {}
    for place, (one, origin) in enumerate(zip(some, origins, strict=True)):
        layers, layer = found.setdefault(names[origin], {}), str(one.where.get("layer", one.name))
        if layer in layers:
            raise SpecificationError(
                f"{layer} of {names[origin]} is there more than once, as {some[layers[layer]].name!r} and "
                f"{one.name!r}; take one step of each network"
            )
        layers[layer] = place
    return found


def _origin(one: Representation) -> tuple[Any, ...]:
    known = tuple(one.where.get(key) for key in KEYS)
    return known if any(part is not None for part in known) else (one.name, None, None, None)


def _names(origins: Sequence[tuple[Any, ...]]) -> dict[tuple[Any, ...], str]:
    """Name networks by kind and seed; by gain and by file too where that is not enough."""
    short = [_name(origin, 2) for origin in origins]
    for length in (2, 3, 4):
        short = [_name(origin, length) for origin in origins]
        if max(Counter(short).values()) == 1:
            break
    return dict(zip(origins, short, strict=True))


def _name(origin: tuple[Any, ...], length: int) -> str:
    network, seed, gain, file = origin
    if network is None and file is not None:
        network, file = (Path(file).stem if length < 4 else file), None
    parts = [("network", network), ("seed", seed), ("gain", gain), ("file", file)][:length]
    return joined(*(spoken(key, part) for key, part in parts if part is not None))

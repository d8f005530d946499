"""Who shares rates with whom: groups by name, or as they are given."""

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from syzygy.errors import ShapeError, SpecificationError
from syzygy.fitting.pairs import PairCurves

Labels = NDArray[np.intp]

#: What may share rates: the networks, the pairs, and the curves of a list (layers, or settings).
AXES = ("seeds", "pairs", "layers")


def labels_of(curves: Sequence[PairCurves], share: str | Collection[str] | Sequence[Labels]) -> list[Labels]:
    """Give the group of every member, one array ``(network, pair)`` per curves; names are those of :data:`AXES`."""
    shapes = [one.h2.shape[:2] for one in curves]
    names = [share] if isinstance(share, str) else [name for name in share if isinstance(name, str)]
    if names:
        return _by_name(curves, shapes, AXES if names == ["all"] else names)
    arrays = [share] if isinstance(share, np.ndarray) else list(share)
    if len(arrays) != len(curves):
        raise ShapeError(f"give one array of groups per curves: {len(curves)}; got {len(arrays)}")
    return [_given(np.asarray(array), shape) for array, shape in zip(arrays, shapes, strict=True)]


def _given(labels: NDArray[np.generic], shape: tuple[int, ...]) -> Labels:
    try:
        whole = np.broadcast_to(labels, shape)
    except ValueError:
        whole = None
    if whole is None or not np.issubdtype(labels.dtype, np.integer):
        raise ShapeError(
            f"groups are integers that broadcast to (network, pair) = {shape}; got {labels.dtype} of {labels.shape}"
        )
    return whole.astype(np.intp)


def _by_name(curves: Sequence[PairCurves], shapes: list[tuple[int, int]], names: Collection[str]) -> list[Labels]:
    if unknown := set(names) - set(AXES):
        raise SpecificationError(f"{sorted(unknown)} cannot share rates; what can is {', '.join(AXES)}, or 'all'")
    alike = ("seeds" in names or len({shape[0] for shape in shapes}) == 1) and (
        "pairs" in names or len({one.pairs for one in curves}) == 1
    )
    if "layers" in names and not alike:
        raise ShapeError(f"layers share rates network by network and pair by pair; these are of {shapes}")
    size = np.max(shapes, axis=0)
    labels = []
    for layer, shape in enumerate(shapes):
        network, pair = np.indices(shape)
        first = 0 if "layers" in names else layer
        second, third = (0 if axis in names else index for axis, index in (("seeds", network), ("pairs", pair)))
        labels.append(np.asarray((first * size[0] + second) * size[1] + third + 0 * pair, dtype=np.intp))
    return labels

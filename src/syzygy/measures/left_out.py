"""What prediction needs of a representation: what it misses of items that are left out, and itself as a target."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from syzygy.linalg import Work, centred, pack, unpack
from syzygy.linalg.ridge import Folds, missed
from syzygy.measures.measure import Array, Prepared


def target(y: Array, work: Work) -> NDArray[np.floating]:
    """Give the centred Gram matrix ``(item, item)``, its trace one; NaN if all items are the same."""
    varying = _varying(y)
    if not varying.size:
        return work.cast(np.full((len(y), len(y)), np.nan))
    return work.product(varying / np.linalg.norm(varying))


def standardised(y: Array) -> Array:
    """Give the units that are not constant, ``(item, varying unit)``, centred, each of length one."""
    varying = _varying(y)
    return np.asarray(varying / np.linalg.norm(varying, axis=0))


def squares(maps: NDArray[np.floating], folds: Folds) -> NDArray[np.floating]:
    """Give ``EᵀE`` of the rows of each fold, for each penalty, packed: ``(fold · penalty, item · (item + 1)/2)``."""
    return np.stack([pack(one[fold].T @ one[fold]) for fold in folds for one in maps])


def nested(
    x: Array, folds: Folds, cut: Callable[[int], Folds], penalties: Sequence[float], work: Work
) -> NDArray[np.floating]:
    """Give ``EᵀE`` of a cross-validation among the other items of each fold, for each penalty, packed as above."""
    found, n = [], len(x)
    for fold in folds:
        rest = np.delete(np.arange(n), fold)
        for one in missed(x[rest], cut(len(rest)), penalties, work.dtype):
            whole = np.zeros((n, n), work.dtype)
            whole[np.ix_(rest, rest)] = one.T @ one
            found.append(pack(whole))
    return np.stack(found)


def in_order(one: Prepared) -> Prepared:
    """Bring what predicts into the order that was asked for."""
    order = one["order"]
    if (order == np.arange(len(order))).all():
        return one
    both, moved = np.ix_(order, order), dict[str, NDArray[Any]]()
    for name in one.keys() & {"inner", "outer"}:
        moved[name] = np.stack([pack(unpack(row)[both]) for row in one[name]])
    if "maps" in one:
        moved["maps"] = one["maps"][:, order][:, :, order]
    return dict(one) | moved


def _varying(y: Array) -> Array:
    """Give the units that are not constant, centred, in units of the largest entry."""
    c = np.asarray(centred(y), dtype=np.float64)
    sizes = np.abs(c).max(axis=0)
    varying = sizes > np.finfo(np.float64).eps * len(y) * np.abs(y).max(axis=0)
    largest = sizes[varying].max(initial=np.finfo(np.float64).tiny)
    return np.asarray((c if varying.all() else c[:, varying]) / largest)

"""What of a recording the theory can be asked about, and what must be left out."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from syzygy.axes import POSITION, UNIT
from syzygy.errors import DataError
from syzygy.fitting.problems import FEWEST_STEPS
from syzygy.trajectory import LAYERS, Trajectory


@dataclass(frozen=True)
class Seen:
    """What can be asked about.

    Attributes
    ----------
    trajectory
        What was recorded.
    networks
        Places of the networks that did not diverge, and were seen often enough.
    items
        Places of the items whose target is known.
    layers
        Layers that have a representation of every item.
    inputs_known
        Whether inputs are; else every pair counts as one apart, and ``eta_h`` is in truth ``eta_h·‖dx‖²``.
    left_out
        A line for everything that cannot be asked about.
    """

    trajectory: Trajectory
    networks: NDArray[np.intp]
    items: NDArray[np.intp]
    layers: tuple[str, ...]
    inputs_known: bool
    left_out: tuple[str, ...]

    @classmethod
    def of(cls, trajectory: Trajectory, layers: Sequence[str], fitted: float) -> "Seen":
        """Look at what was recorded.

        Parameters
        ----------
        trajectory
            What was recorded.
        layers
            Which of its layers are meant.
        fitted
            Share of the recorded steps that rates are fitted to.

        Raises
        ------
        DataError
            The theory has nothing to go by: targets, outputs, items, steps or layers are missing.
        """
        left_out: list[str] = []
        items = _items(trajectory, left_out)
        networks = _networks(trajectory, fitted, left_out)
        kept = tuple(_layers(trajectory, layers, left_out))
        inputs = trajectory.inputs[items]
        known = bool(inputs.shape[1]) and bool(np.isfinite(inputs).all())
        if not known:
            left_out.append("inputs are unknown: every pair counts as ‖dx‖² = 1, so that eta_h is eta_h·‖dx‖² per step")
        return cls(trajectory, networks, items, kept, known, tuple(left_out))

    @property
    def ends(self) -> NDArray[np.intp]:
        """How many recorded steps there are of each network, ``(network,)``."""
        return _ends(self.trajectory)[self.networks]

    def at(self, layer: str) -> Trajectory | None:
        """Give one layer of the networks that can be asked about, in memory; None if it starts with no number."""
        full, which = self.trajectory, self.networks
        values = full.representation(layer)[which]
        if not np.isfinite(values[:, 0][:, self.items]).any():
            return None
        measured = full.measured(layer)
        return Trajectory.of(
            steps=full.steps,
            loss=full.loss[which],
            outputs=full.outputs[which],
            representations={layer: values},
            inputs=full.inputs,
            targets=full.targets,
            items=full.items,
            seeds=full.seeds[which],
            gains=full.gains[which],
            fates=[full.fates[network] for network in which],
            about=full.about,
            measured={layer: {name: some[which] for name, some in measured.items()}} if measured else None,
        )


def fewest(fitted: float) -> int:
    """Give how many recorded steps are needed, so that both parts have enough.

    Examples
    --------
    >>> fewest(0.5), fewest(0.25)
    (8, 14)
    """
    return next(n for n in itertools.count(2 * FEWEST_STEPS) if FEWEST_STEPS <= round(fitted * n) <= n - FEWEST_STEPS)


def _items(trajectory: Trajectory, left_out: list[str]) -> NDArray[np.intp]:
    targets, names = trajectory.targets, trajectory.items
    if not trajectory.outputs.shape[-1] or not np.isfinite(trajectory.outputs).any():
        raise DataError("outputs were not recorded, and the theory is about them too; record a network that has some")
    known = np.isfinite(targets).all(axis=1)
    if not known.any():
        raise DataError("targets are unknown, and the theory needs them; record with targets, one row for each item")
    if not known.all():
        missing = [names[item] for item in np.flatnonzero(~known)]
        left_out.append(f"no target is known of {len(missing)} of {len(names)} items: {_some(missing)}")
    if known.sum() < 2:
        raise DataError(f"a pair needs two items with a target; there is {known.sum()} of {len(names)}")
    return np.flatnonzero(known)


def _networks(trajectory: Trajectory, fitted: float, left_out: list[str]) -> NDArray[np.intp]:
    steps, needed = len(trajectory.steps), fewest(fitted)
    if steps < needed:
        raise DataError(
            f"{steps} step{'s were' if steps != 1 else ' was'} recorded; rates are fitted to a share of {fitted:g} of "
            f"them and judged by the rest, which takes {needed}: record more often"
        )
    diverged = np.array([fate == "diverged" for fate in trajectory.fates])
    short = ~diverged & (_ends(trajectory) < needed)
    for which, why in ((diverged, "diverged"), (short, f"gave outputs at fewer than {needed} recorded steps")):
        if which.any():
            seeds = [str(seed) for seed in trajectory.seeds[which]]
            left_out.append(f"{which.sum()} of {len(which)} networks {why} (seeds {_some(seeds)})")
    if (diverged | short).all():
        raise DataError(f"no network is left to ask about: {left_out[-1]}")
    return np.flatnonzero(~(diverged | short))


def _layers(trajectory: Trajectory, asked: Sequence[str], left_out: list[str]) -> list[str]:
    axes = {layer: trajectory.tree[LAYERS][layer]["representation"].sizes for layer in asked}
    positions = [layer for layer in asked if POSITION in axes[layer]]
    empty = [layer for layer in asked if layer not in positions and not axes[layer][UNIT]]
    for some, why in ((positions, "positions have no targets of their own; record mean(…) or last(…) of the layer"),
                      (empty, "it has no units")):  # fmt: skip
        left_out += [f"layer {layer!r}: {why}" for layer in some]
    kept = [layer for layer in asked if layer not in positions + empty]
    if not kept:
        raise DataError(f"no layer is left to ask about: {left_out[-1] if left_out else 'none was recorded'}")
    return kept


def _ends(trajectory: Trajectory) -> NDArray[np.intp]:
    """Count recorded steps up to the last at which a network gave outputs, ``(network,)``."""
    finite: NDArray[np.bool_] = np.asarray(np.isfinite(trajectory.outputs))
    there = np.any(finite, axis=(2, 3))
    return np.where(there.any(axis=1), there.shape[1] - np.argmax(there[:, ::-1], axis=1), 0)


def _some(names: Sequence[Any]) -> str:
    return ", ".join(map(str, names[:6])) + (" …" if len(names) > 6 else "")

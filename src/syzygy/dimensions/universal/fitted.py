"""Layers whose components have been fitted: in which order they stand, and how they are read off other items."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from syzygy.dimensions.universal.components import Basis, Components
from syzygy.dimensions.universal.layers import Array, Layers
from syzygy.errors import ShapeError, UnknownName


@dataclass(frozen=True)
class FittedLayers:
    """Components of every layer of every network.

    Attributes
    ----------
    components
        From network to layer.
    """

    components: Mapping[str, Mapping[str, Components]]

    @classmethod
    def of(cls, given: Layers, basis: Basis, most: int | None, seed: int) -> Self:
        """Fit components to every layer.

        Raises
        ------
        DataError
            A layer that is the same for all items; something negative where parts may not be.
        """

        def fit(name: str, x: Array) -> Components:
            if basis == "pca" or most is None:
                return Components.principal(x, most, name)
            return Components.parts(x, most, seed, name)

        return cls(
            {
                network: {layer: fit(f"{layer} of {network}", x) for layer, x in layers.items()}
                for network, layers in given.items()
            }
        )

    def table(self) -> pd.DataFrame:
        """Give a row for each component: ``network``, ``layer``, ``component``, ``variance``, its ``eigenspace``."""
        frames = []
        for network, layers in self.components.items():
            for layer, one in layers.items():
                spaces = one.eigenspaces
                about = {"network": network, "layer": layer, "component": np.arange(len(one.variance))}
                numbers = {"variance": one.variance, "eigenspace": spaces}
                sizes = {"eigenspace_size": np.bincount(spaces)[spaces]}
                frames.append(pd.DataFrame(about | numbers | sizes))
        return pd.concat(frames, ignore_index=True)

    def scores(self, given: Layers) -> Array:
        """Read all components off items: ``(item, component)``, in the order of :meth:`table`."""
        return np.concatenate(
            [one.scores(given[network][layer]) for network, layer, one in self._every()], axis=1
        )  # fmt: skip

    def nested(self, values: NDArray[np.float64]) -> dict[str, dict[str, Array]]:
        """Give ``(component,)`` in the order of :meth:`table` by network and layer."""
        ends = np.cumsum([len(one.variance) for *_, one in self._every()])
        parts = iter(np.split(values, ends[:-1]))
        return {network: {layer: next(parts) for layer in layers} for network, layers in self.components.items()}

    def fits(self, given: Layers, *, whole: bool = False) -> None:
        """Refuse other networks or layers than those that were fitted.

        Parameters
        ----------
        given
            What shall be read.
        whole
            Whether all layers are needed.

        Raises
        ------
        UnknownName
            A network or layer that was not fitted, or that is missing.
        ShapeError
            A layer of another width.
        """
        for network, layers in given.items():
            if network not in self.components:
                raise UnknownName("network", network, self.components)
            for layer, x in layers.items():
                if layer not in self.components[network]:
                    raise UnknownName(f"layer of {network}", layer, self.components[network])
                units = self.components[network][layer].axes.shape[1]
                if x.shape[1] != units:
                    raise ShapeError(f"{layer} of {network} has {x.shape[1]} units, and was fitted with {units}")
        for network, layer, _ in self._every() if whole else ():
            if network not in given or layer not in given[network]:
                there = given.get(network, given)
                raise UnknownName("fitted layer", f"{network}/{layer}", there)

    def notes(self, scored: Layers, targets: Array) -> list[str]:
        """Say which layers are of low rank, and which components turn into one another or do not vary where scored."""
        said, start = [], 0
        for network, layer, one in self._every():
            name, (items, units), count = f"{layer} of {network}", scored[network][layer].shape, len(one.variance)
            if one.model is None and count < min(units, one.items - 1):
                said.append(f"{name} has {count} components of {units} units: the rank of what they were fitted on")
            flat = np.flatnonzero(np.ptp(targets[:, start : start + count], axis=0) == 0)
            if len(flat):
                said.append(f"{name}: {len(flat)} components are constant over the {items} items that score them")
            largest = int(np.bincount(one.eigenspaces).max())
            if largest > 1:
                said.append(f"{name}: up to {largest} components share an eigenspace, and may turn into one another")
            start += count
        return said

    def _every(self) -> list[tuple[str, str, Components]]:
        return [(network, layer, one) for network, layers in self.components.items() for layer, one in layers.items()]

"""A trajectory: what some networks of one architecture gave for the probe items while they learned."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from syzygy.axes import ITEM, NETWORK, STEP
from syzygy.trajectory.joined import joined
from syzygy.trajectory.made import made
from syzygy.trajectory.names import LAYERS, POSITIONED, Array
from syzygy.trajectory.positions import are_there, named_positions
from syzygy.trajectory.reading import measured as measured_at
from syzygy.trajectory.reading import node, read, shared, targets, told


class Trajectory:
    """An xarray tree: what all layers share at the root, a node per layer below ``layers``.

    Layers differ in width, hence the tree; the ``network`` axis joins networks of one architecture.  What is unknown of
    a network that was made elsewhere is NaN, or of width 0: its loss, its outputs, the inputs and targets of the items.

    ===========================  =================================  ====================================
    variable                     axes                               meaning
    ===========================  =================================  ====================================
    ``loss``                     ``network, step``                  training loss, half the mean square
    ``outputs``                  ``network, step, item, output``    outputs for the probe items
    ``inputs``, ``targets``      ``item, input`` / ``item, output``  the probe items; no targets if they are unknown
    ``representation`` (a node)  ``network, step, item, unit``      of a layer; ``position`` before ``unit`` where
                                                                    each position is kept, NaN where it is padding
    :data:`MEASURES` (a node)    ``network, step, …``               of the network at a layer, if measured
    ===========================  =================================  ====================================

    ``step`` counts updates: step 0 is the untrained network.  ``fate`` of a network is ``trained``,
    ``learned`` (stopped at the loss asked for) or ``diverged``; what it no longer lived to see is NaN.

    Parameters
    ----------
    tree
        Such a tree.  Use :meth:`of` to make one from arrays.
    """

    def __init__(self, tree: xr.DataTree):
        self.tree = tree

    @classmethod
    def of(
        cls,
        *,
        steps: ArrayLike,
        loss: Array | None,
        outputs: Array | None,
        representations: Mapping[str, Array],
        inputs: Array | None,
        targets: Array | None,
        items: Sequence[str],
        seeds: ArrayLike,
        gains: ArrayLike | None = None,
        fates: Sequence[str] | None = None,
        about: Mapping[str, Any] | None = None,
        measured: Mapping[str, Mapping[str, Array]] | None = None,
    ) -> Self:
        """Put arrays together.

        Parameters
        ----------
        steps
            Recorded steps, rising, ``(step,)``.
        loss
            ``(network, step)``; None if it is unknown.
        outputs
            ``(network, step, item, output)``; None if they are unknown.
        representations
            From layer to ``(network, step, item, unit)``, or ``(network, step, item, position, unit)``.
        inputs, targets
            ``(item, …)``, flattened; ``(item, output)``; None where they are unknown.
        items
            A name per item.
        seeds, gains
            Of each network, ``(network,)``.
        fates
            Of each network; ``trained`` by default.
        about
            Whatever made it: specification, versions.  Kept as JSON.
        measured
            From layer to what was measured of the networks there, by the names of :data:`MEASURES`; NaN at steps at
            which nothing was.

        Raises
        ------
        ShapeError
            Arrays that do not fit together.
        UnknownName
            Something measured by another name.
        """
        tree = made(steps=steps, loss=loss, outputs=outputs, representations=representations, inputs=inputs,
                    targets=targets, items=items, seeds=seeds, gains=gains, fates=fates, about=about,
                    measured=measured)  # fmt: skip
        return cls(tree)

    @classmethod
    def join(cls, parts: Sequence["Trajectory"]) -> "Trajectory":
        """Join trajectories of one architecture along ``network``.

        Raises
        ------
        ShapeError
            They were not recorded at the same steps, for the same items, inputs and targets, at the same layers.
        """
        return parts[0] if len(parts) == 1 else cls(joined([part.tree for part in parts]))

    @property
    def layers(self) -> tuple[str, ...]:
        """Module paths of the watched layers."""
        return tuple(told(self.tree, LAYERS))

    @property
    def steps(self) -> NDArray[np.int64]:
        """Recorded steps, ``(step,)``."""
        return shared(self.tree, STEP)

    @property
    def seeds(self) -> NDArray[np.int64]:
        """Seed of each network, ``(network,)``."""
        return shared(self.tree, "seed")

    @property
    def gains(self) -> NDArray[np.float64]:
        """Gain of each network's initial weights, ``(network,)``."""
        return shared(self.tree, "gain")

    @property
    def loss(self) -> Array:
        """Training loss, ``(network, step)``."""
        return shared(self.tree, "loss")

    @property
    def outputs(self) -> Array:
        """Outputs for the probe items, ``(network, step, item, output)``."""
        return shared(self.tree, "outputs")

    @property
    def inputs(self) -> Array:
        """Inputs of the probe items, ``(item, input)``."""
        return shared(self.tree, "inputs")

    @property
    def targets(self) -> Array:
        """Targets of the probe items, ``(item, output)``; NaN where they are unknown."""
        return targets(self.tree)

    @property
    def items(self) -> tuple[str, ...]:
        """Names of the probe items."""
        return tuple(told(self.tree, "items"))

    @property
    def fates(self) -> tuple[str, ...]:
        """What became of each network: ``trained``, ``learned`` or ``diverged``."""
        return tuple(told(self.tree, "fates"))

    @property
    def about(self) -> dict[str, Any]:
        """What made it."""
        return dict(told(self.tree, "about"))

    def representation(self, layer: str) -> Array:
        """Give a layer's representations, ``(network, step, item, unit)``.

        Where each position of an item was kept it is an item of its own, named by :meth:`items_of`; padding is left
        out.

        Raises
        ------
        UnknownName
            A layer that was not watched.
        DataError
            It lies on disk, and is damaged.
        """
        values = self.watched(layer)
        if values.ndim < len(POSITIONED):
            return values
        return values[:, :, are_there(values[0, 0])]

    def watched(self, layer: str) -> Array:
        """Give what a layer gave as it is kept: positions, if there are any, as an axis before the units.

        Raises
        ------
        UnknownName, DataError
            As :meth:`representation`.
        """
        return read(node(self.tree, layer), f"layer {layer!r}")

    def seen(self, layer: str, network: int, place: int) -> Array:
        """Give a layer's representation in one network at one place among the steps, ``(item, unit)``.

        Of a trajectory on disk no more is read.

        Raises
        ------
        UnknownName, DataError
            As :meth:`representation`.
        """
        found = node(self.tree, layer)
        values = read(found[network, place], f"layer {layer!r}")
        if found.ndim < len(POSITIONED):
            return values
        return values[are_there(read(found[0, 0], f"layer {layer!r}"))]

    def units_of(self, layer: str) -> int:
        """Give the number of a layer's units.

        Raises
        ------
        UnknownName
            A layer that was not watched.
        """
        return int(node(self.tree, layer).shape[-1])

    def items_of(self, layer: str) -> tuple[str, ...]:
        """Name the items of a layer's representations: the probe items, or each of their positions, as ``cat @ 3``.

        Positions are counted from 0.

        Raises
        ------
        UnknownName, DataError
            As :meth:`representation`.
        """
        found = node(self.tree, layer)
        if found.ndim < len(POSITIONED):
            return self.items
        return named_positions(self.items, are_there(read(found[0, 0], f"layer {layer!r}")))

    def measured(self, layer: str) -> dict[str, Array]:
        """Give what was measured of the networks at a layer, by the names of :data:`MEASURES`: ``(network, step, …)``.

        Effective rates per step, second-order shares, couplings to the mean and tangent kernels are there at the steps
        that were asked for and at the end of a training that was stopped, and NaN elsewhere; ``encoder_travel`` and
        ``decoder_travel``, the relative distance of the weights from where they started, at those steps, and at the end
        of every training that did not diverge.

        Raises
        ------
        UnknownName
            A layer that was not watched.
        """
        node(self.tree, layer)
        return measured_at(self.tree, layer)

    def __repr__(self) -> str:
        shape = {axis: self.tree.sizes[axis] for axis in (NETWORK, STEP, ITEM)}
        return f"Trajectory({shape}, layers={list(self.layers)})"

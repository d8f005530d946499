"""What was seen: losses, outputs and representations of some networks over their training."""

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Self

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from syzygy.axes import INPUT, ITEM, NETWORK, OTHER_ITEM, OTHER_OUTPUT, OUTPUT, PAIR, STEP, UNIT
from syzygy.errors import ShapeError, UnknownName

Array = NDArray[np.floating[Any]]

LAYERS, MEASURED = "layers", "measured"

#: What can be measured of the networks themselves, besides ``network`` and ``step``; see :mod:`syzygy.linearisation`.
MEASURES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        **dict.fromkeys(("eta_h", "eta_y", "h2"), (PAIR,)),
        **dict.fromkeys(("dy", "y_mean"), (PAIR, OUTPUT)),
        "gram": (PAIR, OUTPUT, OTHER_OUTPUT),
        **dict.fromkeys(("encoder_share", "decoder_share", "encoder_coupling", "decoder_coupling"), (PAIR,)),
        **dict.fromkeys(("encoder_kernel", "decoder_kernel"), (ITEM, OTHER_ITEM)),
        **dict.fromkeys(("encoder_travel", "decoder_travel"), ()),
    }
)


class Trajectory:
    """An xarray tree: what all layers share at the root, a node per layer below ``layers``.

    Layers differ in width, hence the tree; the ``network`` axis joins networks of one architecture.

    ===========================  =================================  ====================================
    variable                     axes                               meaning
    ===========================  =================================  ====================================
    ``loss``                     ``network, step``                  training loss, half the mean square
    ``outputs``                  ``network, step, item, output``    outputs for the probe items
    ``inputs``, ``targets``      ``item, input`` / ``item, output``  the probe items
    ``representation`` (a node)  ``network, step, item, unit``      of a layer
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
        loss: Array,
        outputs: Array,
        representations: Mapping[str, Array],
        inputs: Array,
        targets: Array,
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
            ``(network, step)``.
        outputs
            ``(network, step, item, output)``.
        representations
            From layer to ``(network, step, item, unit)``.
        inputs, targets
            ``(item, …)``, flattened; ``(item, output)``.
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
        networks = len(np.atleast_1d(seeds))
        _check(outputs, (networks, np.size(steps), len(items), np.shape(targets)[-1]), "outputs")
        _check(loss, (networks, np.size(steps)), "loss")
        for what, given, expected in (
            ("inputs", inputs, len(items)),
            ("targets", targets, len(items)),
            ("gains", [0.0] * networks if gains is None else gains, networks),
            ("fates", [""] * networks if fates is None else fates, networks),
        ):
            if len(np.atleast_1d(np.asarray(given))) != expected:
                raise ShapeError(f"{what} must be {expected}, one per item or network; got {len(np.atleast_1d(given))}")
        root = xr.Dataset(
            {
                "loss": ((NETWORK, STEP), loss),
                "outputs": ((NETWORK, STEP, ITEM, OUTPUT), outputs),
                "inputs": ((ITEM, INPUT), np.reshape(inputs, (len(inputs), -1))),
                "targets": ((ITEM, OUTPUT), targets),
            },
            coords={
                STEP: (STEP, np.asarray(steps, dtype=np.int64)),
                "seed": (NETWORK, np.asarray(seeds, dtype=np.int64)),
                "gain": (
                    NETWORK,
                    np.asarray(np.ones(networks) if gains is None else gains, dtype=np.float64),
                ),
            },
            attrs={
                LAYERS: json.dumps(list(representations)),
                "items": json.dumps(list(items), ensure_ascii=False),
                "fates": json.dumps(list(fates or ["trained"] * networks)),
                "about": json.dumps(dict(about or {}), ensure_ascii=False, sort_keys=True),
            },
        )
        tree = xr.DataTree(root)
        for layer, values in representations.items():
            _check(values, (networks, np.size(steps), len(items), np.shape(values)[-1]), f"layer {layer!r}")
            tree[f"{LAYERS}/{layer}"] = _node(values)
        for layer, some in (measured or {}).items():
            for name, values in some.items():
                if name not in MEASURES:
                    raise UnknownName("measure", name, MEASURES)
                _check(values, (networks, np.size(steps), *np.shape(values)[2:]), name)
            tree[f"{MEASURED}/{layer}"] = _measured(some)
        return cls(tree)

    @classmethod
    def join(cls, parts: Sequence["Trajectory"]) -> "Trajectory":
        """Join trajectories of one architecture along ``network``."""
        if len(parts) == 1:
            return parts[0]
        joined = xr.DataTree(xr.concat([part.tree.to_dataset() for part in parts], NETWORK, data_vars="minimal"))
        joined.attrs["fates"] = json.dumps([fate for part in parts for fate in part.fates])
        for layer in parts[0].layers:
            values = np.concatenate([part.representation(layer) for part in parts])
            joined[f"{LAYERS}/{layer}"] = _node(values)
            if together := _together([(len(part.seeds), part.measured(layer)) for part in parts]):
                joined[f"{MEASURED}/{layer}"] = _measured(together)
        return cls(joined)

    @property
    def layers(self) -> tuple[str, ...]:
        """Module paths of the watched layers."""
        return tuple(json.loads(self.tree.attrs[LAYERS]))

    @property
    def steps(self) -> NDArray[np.int64]:
        """Recorded steps, ``(step,)``."""
        return self._root(STEP)

    @property
    def seeds(self) -> NDArray[np.int64]:
        """Seed of each network, ``(network,)``."""
        return self._root("seed")

    @property
    def gains(self) -> NDArray[np.float64]:
        """Gain of each network's initial weights, ``(network,)``."""
        return self._root("gain")

    @property
    def loss(self) -> Array:
        """Training loss, ``(network, step)``."""
        return self._root("loss")

    @property
    def outputs(self) -> Array:
        """Outputs for the probe items, ``(network, step, item, output)``."""
        return self._root("outputs")

    @property
    def inputs(self) -> Array:
        """Inputs of the probe items, ``(item, input)``."""
        return self._root("inputs")

    @property
    def targets(self) -> Array:
        """Targets of the probe items, ``(item, output)``."""
        return self._root("targets")

    @property
    def items(self) -> tuple[str, ...]:
        """Names of the probe items."""
        return tuple(json.loads(self.tree.attrs["items"]))

    @property
    def fates(self) -> tuple[str, ...]:
        """What became of each network: ``trained``, ``learned`` or ``diverged``."""
        return tuple(json.loads(self.tree.attrs["fates"]))

    @property
    def about(self) -> dict[str, Any]:
        """What made it."""
        return dict(json.loads(self.tree.attrs["about"]))

    def representation(self, layer: str) -> Array:
        """Give a layer's representations, ``(network, step, item, unit)``.

        Raises
        ------
        UnknownName
            A layer that was not watched.
        """
        if layer not in self.layers:
            raise UnknownName("layer", layer, self.layers)
        return np.asarray(self.tree[LAYERS][layer]["representation"].values)

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
        if layer not in self.layers:
            raise UnknownName("layer", layer, self.layers)
        if f"/{MEASURED}/{layer}" not in self.tree.groups:
            return {}
        node = self.tree[MEASURED][layer]
        return {str(name): np.asarray(variable.values) for name, variable in node.data_vars.items()}

    def __repr__(self) -> str:
        shape = dict(zip((NETWORK, STEP, ITEM), self.outputs.shape[:3], strict=True))
        return f"Trajectory({shape}, layers={list(self.layers)})"

    def _root(self, name: str) -> NDArray[Any]:
        return np.asarray(self.tree[name].values)


def _node(values: Array) -> xr.DataTree:
    return xr.DataTree(xr.Dataset({"representation": ((NETWORK, STEP, ITEM, UNIT), values)}))


def _measured(values: Mapping[str, Array]) -> xr.DataTree:
    return xr.DataTree(xr.Dataset({name: ((NETWORK, STEP, *MEASURES[name]), values[name]) for name in sorted(values)}))


def _together(parts: Sequence[tuple[int, Mapping[str, Array]]]) -> dict[str, Array]:
    """Join what was measured of some networks each, NaN where it was not: of a network that was lost at once."""
    shapes = {name: values.shape[1:] for _, some in parts for name, values in some.items()}
    return {
        name: np.concatenate([some.get(name, np.full((networks, *shape), np.nan)) for networks, some in parts])
        for name, shape in shapes.items()
    }


def _check(array: Array, shape: tuple[int, ...], what: str) -> None:
    if np.shape(array) != shape:
        raise ShapeError(f"{what} must be (network, step, item, …) = {shape}, got {np.shape(array)}")

"""Which models can be fitted to what was measured, and why the others cannot."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from syzygy.errors import DataError, ShapeError, SpecificationError, UnknownName
from syzygy.fitting.pairs import PairCurves
from syzygy.fitting.rivals.models import Changed, Depth, Exact, ExactScalar, Model, Paper
from syzygy.theory import ALTERNATIVES, ExactState

Array = NDArray[np.float64]

CHANGED: Final = tuple(name for name in ALTERNATIVES if name != "theory")
MODELS: Final = ("paper", "exact", "depth", *CHANGED)

#: Relative difference between the start of the curves and a start that is given, of the median pair: in some pairs
#: linearised outputs may be far from those of the network.
SAME_START = 0.05


def models_of(
    curves: PairCurves,
    outputs: int,
    *,
    start: ExactState | None = None,
    target: ArrayLike | None = None,
    layer: int | None = None,
    layers: int | None = None,
    names: tuple[str, ...] = MODELS,
) -> tuple[tuple[Model, ...], Mapping[str, str]]:
    """Give the models that can be fitted, and why the others cannot; parameters are those of :func:`compare_models`.

    Raises
    ------
    UnknownName
        A model that does not exist.
    SpecificationError
        No outputs, half a start, or no model that can be fitted.
    ShapeError
        A start of other networks, pairs or outputs.
    DataError
        A start that is not the curves' own.
    """
    for name in names:
        if name not in MODELS:
            raise UnknownName("model", name, MODELS)
    if outputs < 1 or not names or (start is None) != (target is None) or (layer is None) != (layers is None):
        raise SpecificationError(
            "a comparison needs at least one output and one model, and start with target, layer with layers; "
            f"got outputs = {outputs}, models {names}"
        )
    found: dict[str, Model | str] = {"paper": Paper(), "depth": _depth(layer, layers)}
    found |= {name: Changed(name) for name in CHANGED}
    if start is not None and target is not None:
        found["exact"] = _known(curves, outputs, start, np.asarray(target, dtype=np.float64))
    else:
        found["exact"] = (
            ExactScalar() if outputs == 1 else f"{outputs} outputs need the decoder's Gram matrix: give start"
        )
    there = tuple(model for name in names if not isinstance(model := found[name], str))
    missing = {name: why for name in names if isinstance(why := found[name], str)}
    if not there:
        raise SpecificationError(f"no model is left: {'; '.join(f'{name}, {why}' for name, why in missing.items())}")
    return there, missing


def _depth(layer: int | None, layers: int | None) -> Model | str:
    if layer is None or layers is None:
        return "the law of depth asks which layer of how many: give layer and layers"
    if not 0 < layer < layers:
        raise SpecificationError(f"a layer with weight matrices before and after it: 0 < layer < {layers}, got {layer}")
    return "with one weight matrix before and one after it is the paper's" if layers == 2 else Depth(layer, layers)


def _known(curves: PairCurves, outputs: int, start: ExactState, target: Array) -> Exact:
    """Give the exact model from a start that is known, once it is the start of these curves."""
    networks, pairs = curves.h2.shape[:2]
    try:
        wide = {name: np.broadcast_to(getattr(start, name), (networks, pairs, *(outputs,) * axes))
                for name, axes in (("h2", 0), ("dy", 1), ("gram", 2))}  # fmt: skip
        goal = np.broadcast_to(target, (networks, pairs, outputs))
    except ValueError:
        raise ShapeError(
            f"start and target must be of {networks} networks, {pairs} pairs and {outputs} outputs; "
            f"got dy {start.dy.shape} and target {target.shape}"
        ) from None
    measured, given = curves.initial, ExactState(**wide).pair(goal)
    scale = {"h2": measured.h2, "y2": measured.y2 + curves.dy2, "w": measured.y2 + curves.dy2}
    for name, unit in scale.items():
        with np.errstate(divide="ignore", invalid="ignore"):
            away = np.abs(getattr(given, name) - getattr(measured, name)) / unit
        typical = np.median(away[np.isfinite(away)]) if np.isfinite(away).any() else 0.0
        if typical > SAME_START:
            raise DataError(
                f"the start that was given differs from that of the curves by {typical:.2g} of its size in {name}; "
                "linearise the same layer at the first of these steps"
            )
    flat = {name: value.reshape(networks * pairs, *value.shape[2:]) for name, value in wide.items()}
    return Exact(ExactState(**flat), goal.reshape(networks * pairs, outputs))

"""The map of regimes: where networks sit between rich, encoder-lazy and decoder-lazy, from any recorded training.

Three measures that need not agree: the initialisation's share of the final distance over the data's, which the theory
reads off the start; how far the kernel turned; and how far the weights travelled.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from numpy.typing import NDArray

from syzygy.errors import DataError, RunError
from syzygy.figures import COLOURS, Figure
from syzygy.fitting import Fit, fit_pairs, pair_curves
from syzygy.linearisation import kernel_drift
from syzygy.trajectory import Trajectory

Array = NDArray[np.float64]

REGIMES_CAPTION: Final = (
    "Where each pair sits. richness: A_high/A_low with the fitted rates, near zero is rich, large is encoder-lazy, "
    "large and negative decoder-lazy. kernel_drift: one minus the cosine between the first and the last kernel of the "
    "probe items, the tangent kernel where it was measured, else that of the representations (kernel says which); 0 "
    "is lazy. encoder_travel, decoder_travel: how far the weights before and after the layer are from where they "
    "started, over their size at the start."
)


TRAVELS: Final = ("encoder_travel", "decoder_travel")
#: Beyond it a richness is drawn at the edge.
MOST: Final = 1e3
MARKERS: Final = "os^Dv<>P*X"


def regime_map(trajectories: Mapping[str, Trajectory], layer: str | None = None) -> Figure:
    """Fit the theory to every pair of every network, and draw where they sit.

    Parameters
    ----------
    trajectories
        By the name of the kind of network, as in ``Run.at(folder).trajectories()``.
    layer
        A watched layer; by default each one's first.

    Raises
    ------
    UnknownName
        A layer that was not watched.
    RunError
        No trajectories.

    Examples
    --------
    >>> from syzygy.tasks import two_points
    >>> from syzygy.training import train
    >>> figure = regime_map({"two_layer": train(two_points(), "two_layer", steps=1000)})
    >>> figure.frame["regime"].tolist()
    ['rich']
    """
    if not trajectories:
        raise RunError("nothing has been trained yet, and nothing can be drawn; run the study first")
    frames = [places(name, one, fit_pairs(pair_curves(one, layer)), layer) for name, one in trajectories.items()]
    return drawn(pd.concat(frames, ignore_index=True))


def places(name: str, trajectory: Trajectory, fit: Fit, layer: str | None = None) -> pd.DataFrame:
    """Give where one kind of network sits, a row per network and pair; columns as :data:`REGIMES_CAPTION` says.

    Parameters
    ----------
    name
        Of the kind of network.
    trajectory, fit
        What was seen, and the theory fitted to it.
    layer
        The watched layer that was fitted; by default the first.
    """
    layer = trajectory.layers[0] if layer is None else layer
    kernel, drift = _drift(trajectory, layer)
    measured = {which: values.astype(np.float64) for which, values in trajectory.measured(layer).items()}
    nothing = np.full(len(drift), np.nan)
    travels = {which: _last(measured[which]) if which in measured else nothing for which in TRAVELS}
    network, pair = (index.ravel() for index in np.indices(fit.fitted.shape))
    return pd.DataFrame(
        {
            "network": name,
            "seed": trajectory.seeds[network],
            "pair": [" – ".join(fit.curves.pairs[index]) for index in pair],
            "richness": fit.richness.ravel(),
            "regime": fit.regime.ravel(),
            "kernel": kernel,
            "kernel_drift": drift[network],
            **{which: values[network] for which, values in travels.items()},
        }
    )


def _drift(trajectory: Trajectory, layer: str) -> tuple[str, Array]:
    """Say which kernel there is, and by how much it turned in each network, ``(network,)``."""
    measured = trajectory.measured(layer)
    if "encoder_kernel" in measured:
        kernels = (measured["encoder_kernel"] + measured["decoder_kernel"]).astype(np.float64)
        return "tangent", np.array([_turned(one) for one in kernels])
    hidden = trajectory.representation(layer).astype(np.float64)
    there = [one[np.isfinite(one).all(axis=(1, 2))] for one in hidden]
    ends = [one[[0, -1] if len(one) > 1 else []] for one in there]
    return "representations", np.array([_turned(one @ one.swapaxes(1, 2)) for one in ends])


def _turned(kernels: Array) -> float:
    """By how much the last kernel that is there differs from the first, ``(step, item, item)``."""
    there = kernels[np.isfinite(kernels).all(axis=(1, 2))]
    try:
        return kernel_drift(there[0], there[-1]) if len(there) > 1 else np.nan
    except DataError:  # a kernel without a direction, of representations that are all zero
        return np.nan


def _last(values: Array) -> Array:
    """Give the last measured value of each network, ``(network, step)`` to ``(network,)``."""
    filled = pd.DataFrame(np.asarray(values, dtype=np.float64)).ffill(axis=1)
    return np.asarray(filled.to_numpy()[:, -1])


def drawn(regimes: pd.DataFrame) -> Figure:
    """Draw richness against the drift of the kernel, and how far the weights of encoder and decoder travelled.

    Parameters
    ----------
    regimes
        Of :func:`places`, a row per network and pair.
    """
    kernel = " and ".join(f"the {name} kernel" for name in dict.fromkeys(regimes["kernel"]))
    kernel = kernel.replace("the representations kernel", "the kernel of the representations")
    return Figure(
        name="regimes",
        caption="Left: the initialisation's share of the final distance over the data's, A_high/A_low, with fitted "
        f"rates, against the drift of {kernel} over training. Between −1 and 1 (white) the data decide: rich. To the "
        "right the encoder stays about where it began, to the left the decoder does. Right: relative travel of the "
        "weights before and after the layer; below the line the encoder moved more. A dot per pair and network (left), "
        "and per network (right).",
        frame=regimes,
        draw=_draw,
    )


def _draw(canvas: Canvas, frame: pd.DataFrame) -> None:
    canvas.set_size_inches(10, 4.2)
    left, right = canvas.subplots(1, 2)
    groups = list(frame.groupby("network", sort=False))
    for index, (network, some) in enumerate(groups):
        few = len(some) < 100
        look = {
            "color": COLOURS[index % len(COLOURS)],
            "marker": MARKERS[index // len(COLOURS) % len(MARKERS)],
            "s": 22 if few else 6,
            "alpha": 0.85 if few else 0.4,
            "linewidths": 0,
        }
        left.scatter(some["richness"].clip(-MOST, MOST), some["kernel_drift"], label=str(network), **look)
        travelled = some.drop_duplicates(["seed", *TRAVELS])  # of one seed there may be several gains
        right.scatter(travelled["encoder_travel"], travelled["decoder_travel"], **look)
    _richness_axes(left)
    _travel_axes(right, frame[["encoder_travel", "decoder_travel"]].to_numpy(dtype=float))
    if len(groups) > 1:
        canvas.legend(*left.get_legend_handles_labels(), loc="outside right center", fontsize=8)


def _richness_axes(axes: Axes) -> None:
    axes.set_xscale("symlog", linthresh=1)
    axes.set_xlim(-1.5 * MOST, 1.5 * MOST)
    axes.axvspan(-1.5 * MOST, -1, color="#f3ece4", zorder=0)
    axes.axvspan(1, 1.5 * MOST, color="#e6eef4", zorder=0)
    for place, name in ((-40, "decoder-lazy"), (0, "rich"), (40, "encoder-lazy")):
        axes.text(place, 1.02, name, ha="center", fontsize=8, transform=axes.get_xaxis_transform())
    axes.set_xticks([-MOST, -30, -1, 0, 1, 30, MOST], ["−1000", "−30", "−1", "0", "1", "30", "1000"])
    axes.set_xlabel("A_high/A_low")
    axes.set_ylabel("drift of the kernel")
    axes.set_ylim(bottom=-0.03)


def _travel_axes(axes: Axes, travels: np.ndarray) -> None:
    axes.set_xlabel("travel of the encoder's weights")
    axes.set_ylabel("travel of the decoder's weights")
    positive = travels[np.isfinite(travels) & (travels > 0)]
    if not len(positive):
        axes.text(0.5, 0.5, "not recorded", ha="center", va="center", transform=axes.transAxes, color="#777777")
        return
    low, high = positive.min() / 1.5, positive.max() * 1.5
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(low, high)
    axes.set_ylim(low, high)
    axes.plot([low, high], [low, high], color="#777777", linewidth=0.8, zorder=0)

"""The drawings of the study of latent dynamics."""

from typing import Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

from syzygy.figures import COLOURS, Figure

GREY: Final = "#777777"


def latents(frame: pd.DataFrame) -> Figure:
    """Draw frames as they are, as they were given, and as autoencoders see them.

    Parameters
    ----------
    frame
        As :func:`syzygy.studies.tables.latent_dynamics.maps` gives it.
    """
    return Figure(
        name="latents",
        caption="Frames that are held out, coloured by well: where the particle is, what was given of it, and the "
        "latents of the first seed of each autoencoder. Latents are mapped by the affine map that brings them nearest "
        "to the true coordinates, so what is left of a bend is what no affine map takes out.",
        frame=frame,
        draw=_draw_latents,
    )


def _draw_latents(canvas: Canvas, frame: pd.DataFrame) -> None:
    names = list(dict.fromkeys(frame["model"]))
    columns = min(4, len(names))
    rows = -(-len(names) // columns)
    canvas.set_size_inches(1.9 * columns, 0.3 + 1.9 * rows)
    panels = canvas.subplots(rows, columns, squeeze=False)
    for axes, name in zip(panels.ravel(), names, strict=False):
        some = frame[frame["model"] == name]
        for colour, (_, one) in zip(COLOURS, some.groupby("well"), strict=False):
            axes.scatter(one["x"], one["y"], s=3, color=colour, alpha=0.4, linewidths=0, rasterized=True)
        axes.set_title(name.replace("_", " "))
        axes.set_aspect("equal", adjustable="datalim")
        axes.set_xticks([])
        axes.set_yticks([])
    for axes in panels.ravel()[len(names) :]:
        axes.set_axis_off()


def over_training(frame: pd.DataFrame) -> Figure:
    """Draw how well true and given coordinates explain the latent, by epoch.

    Parameters
    ----------
    frame
        As :func:`syzygy.studies.tables.latent_dynamics.over_training` gives it.
    """
    return Figure(
        name="over-training",
        caption="Share of the latent's variance that the true coordinates explain (left), and those that were given "
        "(right), by epoch, means over seeds. The first epoch of dynamics hardly asks for any.",
        frame=frame,
        draw=_draw_over_training,
    )


def _draw_over_training(canvas: Canvas, frame: pd.DataFrame) -> None:
    canvas.set_size_inches(7.4, 2.7)
    panels = canvas.subplots(1, 2, sharey=True)
    for axes, column, title in zip(panels, ("r2_true", "r2_given"), ("true", "given"), strict=True):
        for index, (name, some) in enumerate(frame.groupby("model", sort=False)):
            label = str(name).replace("_", " ")
            colour = COLOURS[index % len(COLOURS)]
            axes.plot(some["epoch"], some[column], color=colour, marker=".", label=label)
        axes.set_title(f"by {title} coordinates")
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    panels[0].set_ylabel("R² of the latent")
    canvas.legend(*panels[0].get_legend_handles_labels(), loc="outside right center", fontsize=8)


def drift(frame: pd.DataFrame) -> Figure:
    """Draw the learned drift and the true force.

    Parameters
    ----------
    frame
        As :func:`syzygy.studies.tables.latent_dynamics.drifts` gives it.
    """
    return Figure(
        name="drift",
        caption="The true force and the learned drift of the first seed, displacement per lag in cells of the plane "
        "with enough frames, both in true coordinates; and one against the other, a dot for each cell and coordinate, "
        "with the line on which they are equal.",
        frame=frame,
        draw=_draw_drift,
    )


def _draw_drift(canvas: Canvas, frame: pd.DataFrame) -> None:
    canvas.set_size_inches(7.4, 2.7)
    left, middle, right = canvas.subplots(1, 3)
    longest = float(np.hypot(frame["true_x"], frame["true_y"]).max()) if len(frame) else 1.0
    for axes, which, colour in ((left, "true", GREY), (middle, "learned", COLOURS[0])):
        axes.quiver(
            frame["x"], frame["y"], frame[f"{which}_x"], frame[f"{which}_y"], color=colour, width=0.006,
            angles="xy", scale_units="xy", scale=longest / 0.4 if longest else 1.0,
        )  # fmt: skip
        axes.set_title(f"{which} {'force' if which == 'true' else 'drift'}")
        axes.set_aspect("equal", adjustable="datalim")
    for colour, coordinate in zip(COLOURS, "xy", strict=False):
        right.scatter(frame[f"true_{coordinate}"], frame[f"learned_{coordinate}"], s=6, color=colour, linewidths=0,
                      label=coordinate)  # fmt: skip
    right.axline((0, 0), slope=1, color=GREY, linewidth=0.9)
    right.set_xlabel("true force")
    right.set_ylabel("learned drift")
    right.legend(fontsize=8)


def populations(frame: pd.DataFrame) -> Figure:
    """Draw the populations of the wells.

    Parameters
    ----------
    frame
        As :func:`syzygy.studies.tables.latent_dynamics.populations` gives it.
    """
    return Figure(
        name="populations",
        caption="Share of each well: bars are true, dots are particles that all started in the first well and moved by "
        "the learned dynamics, a dot for each seed.",
        frame=frame,
        draw=_draw_populations,
    )


def _draw_populations(canvas: Canvas, frame: pd.DataFrame) -> None:
    canvas.set_size_inches(5.4, 2.6)
    axes = canvas.subplots()
    names = [name for name in frame.columns if name.startswith("well")]
    true = frame[frame["model"] == "true"]
    axes.bar(range(len(names)), true[names].to_numpy().ravel(), width=0.7, color="#d0d0d0", label="true")
    learned = frame[frame["model"] != "true"]
    kinds = list(dict.fromkeys(learned["model"]))
    for index, kind in enumerate(kinds):
        some = learned[learned["model"] == kind]
        place = np.arange(len(names)) + 0.14 * (index - (len(kinds) - 1) / 2)
        for number, (_, row) in enumerate(some.iterrows()):
            label = kind.replace("_", " ") if not number else None
            axes.plot(place, row[names].to_numpy(dtype=float), ".", color=COLOURS[index % len(COLOURS)], label=label)
    axes.set_xticks(range(len(names)), names)
    axes.set_ylabel("share")
    axes.set_ylim(bottom=0)
    canvas.legend(*axes.get_legend_handles_labels(), loc="outside right center", fontsize=8)

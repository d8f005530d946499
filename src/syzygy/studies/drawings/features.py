"""Drawings of two features: what is kept of the irrelevant one, and where items lie."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Canvas

from syzygy.figures import COLOURS, Figure
from syzygy.studies.tables.features import embed, hidden_of, last_of, side_of
from syzygy.trajectory import Trajectory

WORDS = {"high": "high gain", "low": "low gain", "very_low": "very low gain"}


def over_training(frame: pd.DataFrame) -> Figure:
    """Draw what is kept, and the loss, over steps.

    Parameters
    ----------
    frame
        Columns ``activation``, ``start``, ``seed``, ``step``, ``kept`` and ``loss``.
    """
    return Figure(
        name="over-training",
        caption="Over training, a line for each network: the variance of the representation along the irrelevant "
        "feature over that along the relevant one (above; 1 in the inputs), and the training loss (below).",
        frame=frame,
        draw=_draw_over_training,
    )


def _draw_over_training(canvas: Canvas, frame: pd.DataFrame) -> None:
    activations = list(dict.fromkeys(frame["activation"]))
    starts = list(dict.fromkeys(frame["start"]))
    canvas.set_size_inches(max(6.0, 4.2 * len(activations)), 4.6)
    panels = canvas.subplots(2, len(activations), sharex="col", sharey="row", squeeze=False)
    for column, activation in enumerate(activations):
        for (start, _), line in frame[frame["activation"] == activation].groupby(["start", "seed"], sort=False):
            for axes, name in zip(panels[:, column], ("kept", "loss"), strict=True):
                axes.plot(line["step"] + 1, line[name], color=COLOURS[starts.index(start) % len(COLOURS)])
        panels[0, column].set_title(f"activation of the {activation}")
        panels[1, column].set_xlabel("step + 1")
        panels[1, column].set_xscale("log")
        panels[1, column].set_yscale("log")
        panels[0, column].set_ylim(bottom=0)
    panels[0, 0].set_ylabel("irrelevant / relevant variance")
    panels[1, 0].set_ylabel("loss")
    for index, start in enumerate(starts):
        panels[0, 0].plot([], [], color=COLOURS[index % len(COLOURS)], label=WORDS.get(start, start))
    panels[0, 0].legend(fontsize=8)


def embedding(trajectories: Mapping[str, Trajectory | None]) -> Figure:
    """Draw the items of one network of each start after learning: both contexts together, and one alone.

    Parameters
    ----------
    trajectories
        By start; of each, the first network that did not diverge is drawn.
    """
    frames = [_placed(trajectory).assign(start=start) for start, trajectory in trajectories.items() if trajectory]
    return Figure(
        name="embedding",
        caption="Representations after learning of one network of each gain, on their first two principal components "
        "(classical multidimensional scaling): all items, by context; then those of the first context alone, by the "
        "relevant and by the irrelevant feature (dark −1, bright 1). Both axes of a panel have one scale.",
        frame=pd.concat(frames, ignore_index=True) if frames else pd.DataFrame({"start": []}),
        draw=_draw_embedding,
    )


def _placed(trajectory: Trajectory) -> pd.DataFrame:
    """Give a row for each item: its context, its two features, and where it lies among all and in its own context."""
    hidden, last = hidden_of(trajectory), last_of(trajectory)
    network = next((n for n, fate in enumerate(trajectory.fates) if fate != "diverged"), 0)
    items = hidden[network, last[network]].reshape(2, -1, hidden.shape[-1])
    side = side_of(trajectory)
    together, alone = embed(items.reshape(-1, items.shape[-1])), np.concatenate([embed(one) for one in items])
    relevant = trajectory.targets[:, 0].reshape(2, side, side)
    columns = {
        "seed": int(trajectory.seeds[network]),
        "context": np.arange(2).repeat(side**2),
        "relevant": relevant.ravel(),
        "irrelevant": relevant[::-1].ravel(),  # both contexts show the same pictures
    }
    columns |= {f"together_{n + 1}": together[:, n] for n in range(together.shape[1])}
    return pd.DataFrame(columns | {f"alone_{n + 1}": alone[:, n] for n in range(alone.shape[1])})


def _draw_embedding(canvas: Canvas, frame: pd.DataFrame) -> None:
    starts = list(dict.fromkeys(frame["start"]))
    if not starts:
        return
    canvas.set_size_inches(8.5, 2.7 * len(starts))
    panels = canvas.subplots(len(starts), 3, squeeze=False)
    for row, start in enumerate(starts):
        some = frame[frame["start"] == start]
        one = some[some["context"] == 0]
        for context in range(2):
            points = some[some["context"] == context]
            label = f"{'xy'[context]} counts"
            panels[row, 0].scatter(points["together_1"], points["together_2"], s=7, color=COLOURS[context], label=label)
        for axes, feature in zip(panels[row, 1:], ("relevant", "irrelevant"), strict=True):
            axes.scatter(one["alone_1"], one["alone_2"], s=12, c=one[feature], cmap="viridis")
            axes.set_title(f"x counts, by the {feature} feature" if row == 0 else "")
        for axes in panels[row]:
            axes.set_aspect("equal", adjustable="datalim")
            axes.locator_params(nbins=5)
        panels[row, 0].set_ylabel(WORDS.get(start, start))
    panels[0, 0].set_title("both contexts")
    panels[0, 0].legend(fontsize=8)

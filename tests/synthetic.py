"""Trajectories whose answer is known: networks that follow the theory exactly, with rates that the test chooses."""

import numpy as np

from syzygy.tasks import two_points
from syzygy.theory import PairState, PairTheory, solve
from syzygy.trajectory import Trajectory

STEPS = np.arange(0, 6001, 10)


def pair(rates, starts, *, steps=STEPS, half_life=30.0, seeds=None, fates=None, layer="hidden.10", apart=None):
    """Networks that learn two points as the theory says.

    Parameters
    ----------
    rates
        ``(eta_h, eta_y)`` of each network.
    starts
        ``‖dh‖²`` of each at step 0.
    apart
        ``‖dy‖²`` of each at step 0, along the target; by default outputs start together.
    half_life
        Of the mean's loss, in steps.
    """
    task, one = two_points(), np.ones(len(rates))
    dy2 = float(np.square(task.targets[1] - task.targets[0]).sum())
    theory = PairTheory(*np.transpose(rates), 1.0, dy2)
    y2 = 0 * one if apart is None else np.array(apart)
    state = solve(theory, PairState(np.array(starts), y2, y2 - np.sqrt(y2 * dy2)), steps).state
    dy = (state.y2 - state.w) / np.sqrt(dy2)
    mean = task.targets.mean() * (1 - 0.5 ** (steps / (2 * half_life)))  # the loss is its square
    outputs = (mean + np.array([-0.5, 0.5])[:, None, None] * dy).transpose(1, 2, 0)[..., None]
    hidden = np.zeros((*state.h2.shape, 2, 3))
    hidden[:, :, 1, 1] = np.sqrt(state.h2)
    loss = 0.5 * np.square(outputs - task.targets).mean((2, 3))
    return Trajectory.of(
        steps=steps,
        loss=loss,
        outputs=outputs,
        representations={layer: hidden},
        inputs=task.inputs,
        targets=task.targets,
        items=("A", "B"),
        seeds=range(len(rates)) if seeds is None else seeds,
        fates=fates,
    )


def changed(trajectory, network, first, *, outputs=None, hidden=None, loss=None, fate=None):
    """The same with one network's records from a position on multiplied by a number, NaN included."""
    layer = trajectory.layers[0]
    values = {"outputs": trajectory.outputs, "hidden": trajectory.representation(layer), "loss": trajectory.loss}
    for name, factor in (("outputs", outputs), ("hidden", hidden), ("loss", loss)):
        values[name] = values[name].copy()
        if factor is not None:
            values[name][network, first:] *= factor
    fates = list(trajectory.fates)
    fates[network] = fate or fates[network]
    return Trajectory.of(
        steps=trajectory.steps,
        loss=values["loss"],
        outputs=values["outputs"],
        representations={layer: values["hidden"]},
        inputs=trajectory.inputs,
        targets=trajectory.targets,
        items=trajectory.items,
        seeds=trajectory.seeds,
        fates=fates,
    )


def delayed(trajectory, records):
    """The same, later: all networks stay where they started for so many records."""
    then = np.maximum(np.arange(len(trajectory.steps)) - records, 0)
    layer = trajectory.layers[0]
    return Trajectory.of(
        steps=trajectory.steps,
        loss=trajectory.loss[:, then],
        outputs=trajectory.outputs[:, then],
        representations={layer: trajectory.representation(layer)[:, then]},
        inputs=trajectory.inputs,
        targets=trajectory.targets,
        items=trajectory.items,
        seeds=trajectory.seeds,
    )


def gone(trajectory, network, first, fate):
    """The same with one network's records missing from a position on."""
    return changed(trajectory, network, first, outputs=np.nan, hidden=np.nan, loss=np.nan, fate=fate)

r"""Distances that the theory predicts, against those of every layer at every step.

A matrix of squared distances ``D`` stands for the kernel ``−½HDH`` of the representations that have them.  Two such
matrices are compared as representations are: by the debiased alignment of their kernels, for which ``−½D`` is
U-centred (what the centring takes off is the same for ``D`` and for the kernel), and by Spearman's correlation of the
distances.  Both are cosines of symmetric matrices, so that chance has a closed form.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial.distance import pdist, squareform
from scipy.stats import rankdata

from syzygy.chance import invariants, moments, upper_tail
from syzygy.linalg import u_centred
from syzygy.studies.tables.alignments import Place, rounded
from syzygy.studies.tables.geometry import Geometry
from syzygy.tasks import Task
from syzygy.theory import products
from syzygy.trajectory import Trajectory

Array = NDArray[np.float64]

#: Every prediction by its column, in words.  Those of :data:`NAIVE` know no theory.
PREDICTIONS: Final = {
    "all_items": "rich end of a two-layer linear network, all learned items",
    "pair": "rich end of a pair, ‖dx‖·‖dy*‖",
    "pair_start": "end of a pair from the network's own start, equal rates",
    "start": "no theory: distances at the start",
    "input": "no theory: ‖dx‖²",
    "class": "no theory: ‖dy*‖²",
}
THEORIES: Final = ("all_items", "pair", "pair_start")
NAIVE: Final = ("start", "input", "class")

KERNELS, RANKS = "kernels", "distances"
#: The comparisons, in words.
COMPARISONS: Final = {
    KERNELS: "debiased CKA of the kernels",
    RANKS: "Spearman's correlation of the distances",
}


def rich_end(inputs: Array, targets: Array, seen: Array) -> Array:
    """Give squared distances at the rich end of learning of items that need not have been learned, ``(item, item)``.

    A linear network with one hidden layer that learns from a vanishing start ends with weights of the product
    ``B``, the least squares map from inputs to targets, and ``W₁ᵀW₁ = sqrt(eta_h/eta_y)·(BᵀB)^½``; of the items that it
    learned this is :meth:`syzygy.theory.many.ManyTheory.rich_gram`.  Here up to the ratio of the rates; a bias of the
    hidden layer is one more input, and the outputs' mean is left to their own.

    Parameters
    ----------
    inputs, targets
        What is learned, ``(item, input)`` and ``(item, output)``.
    seen
        Inputs of other items, ``(item, input)``.
    """
    learned, shown = (np.column_stack([x, np.ones(len(x))]) for x in (inputs, seen))
    wanted = targets - targets.mean(axis=0)
    product = np.linalg.lstsq(learned, wanted, rcond=None)[0].T
    _, values, axes = np.linalg.svd(product, full_matrices=False)
    return np.asarray(squareform(pdist(shown @ (axes.T * np.sqrt(values)), "sqeuclidean")))


def fixed_predictions(trajectory: Trajectory, task: Task | None) -> dict[str, Array]:
    """Predict what is the same for every network and layer, ``(item, item)``; without the task's items, less."""
    inputs, targets = trajectory.inputs.astype(np.float64), trajectory.targets.astype(np.float64)
    found = {
        "pair": products(inputs, targets),
        "input": np.asarray(squareform(pdist(inputs, "sqeuclidean"))),
        "class": np.asarray(squareform(pdist(targets, "sqeuclidean"))),
    }
    if task is not None:
        learned = task.learned_inputs.reshape(len(task.learned_inputs), -1)
        found["all_items"] = rich_end(learned, task.learned_targets, inputs)
    return found


def against_measured(
    trajectories: Mapping[str, Trajectory], some: tuple[Place, ...], task: Task | None
) -> pd.DataFrame:
    """Compare every prediction with the distances in every layer at every step.

    Returns
    -------
    DataFrame
        A row for each ``comparison``, ``prediction``, ``network``, ``seed``, ``layer`` (with its ``depth``) and
        ``step``: ``score``, ``chance``, ``calibrated`` and ``p``.
    """
    fixed = fixed_predictions(next(iter(trajectories.values())), task)
    shapes = {how: {name: shape(matrix, how) for name, matrix in fixed.items()} for how in COMPARISONS}
    frames = []
    for (name, layer), group in _by_layer(some).items():
        trajectory = trajectories[name]
        geometry, values = Geometry.of(trajectory, layer), trajectory.representation(layer)
        ends = geometry.final_h2(np.ones((2, len(geometry.seeds))), geometry.different())
        for one, end in zip(group, ends, strict=True):
            measured = [squareform(pdist(x.astype(np.float64), "sqeuclidean")) for x in values[one.row]]
            for how, known in shapes.items():
                left = known | {"start": shape(measured[0], how), "pair_start": shape(squareform(end), how)}
                left = {prediction: left[prediction] for prediction in PREDICTIONS if prediction in left}
                numbers = compared(np.stack(list(left.values())), np.stack([shape(x, how) for x in measured]))
                prediction, step = (index.ravel() for index in np.indices(numbers["score"].shape))
                frames.append(
                    pd.DataFrame(
                        {"comparison": how, "prediction": np.array(list(left))[prediction], "network": name}
                        | {"seed": one.seed, "layer": layer, "depth": one.depth, "step": trajectory.steps[step]}
                        | {column: array.ravel() for column, array in numbers.items()}
                    )
                )
    return pd.concat(frames, ignore_index=True)


def shape(distances: Array, how: str) -> Array:
    """Turn squared distances ``(item, item)`` into a matrix of norm one whose inner products compare them."""
    if how == KERNELS:
        matrix = u_centred(-distances / 2)
    else:
        ranks = rankdata(squareform(distances, checks=False))
        matrix = squareform(ranks - ranks.mean())
    norm = np.linalg.norm(matrix)
    return np.asarray(matrix / norm if norm > 0 else np.full(matrix.shape, np.nan))


def compared(left: Array, right: Array) -> dict[str, Array]:
    """Compare all with all, against chance: arrays ``(left, right)`` from matrices ``(…, item, item)`` of norm one."""
    items = left.shape[-1]
    score = left.reshape(len(left), -1) @ right.reshape(len(right), -1).T
    known = [np.stack([invariants(one.copy()) for one in some]) for some in (left, right)]
    chance = moments(known[0][:, None], known[1][None], items)
    calibrated = (score - chance.mean) / (1 - chance.mean)
    return {"score": score, "chance": chance.mean, "calibrated": calibrated, "p": upper_tail(score, chance)}


def summed(frame: pd.DataFrame) -> pd.DataFrame:
    """Average over networks, seeds and layers: a row for each comparison, prediction and step."""
    grouped = frame.groupby(["comparison", "prediction", "step"], sort=False)
    found = rounded(grouped[["score", "chance", "calibrated"]].mean())
    found["scatter"] = grouped["calibrated"].std()
    found["significant"] = (frame["p"] <= 0.05).groupby([frame[k] for k in grouped.keys]).mean()
    found.insert(0, "in words", found.index.get_level_values("prediction").map(PREDICTIONS))
    return found.reset_index()


def _by_layer(some: tuple[Place, ...]) -> dict[tuple[str, str], list[Place]]:
    found: dict[tuple[str, str], list[Place]] = {}
    for one in some:
        found.setdefault((one.network, one.layer), []).append(one)
    return found

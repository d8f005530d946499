"""Trees of recordings, laid out before the first step; and what they were laid out for, read again."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from syzygy.axes import STEP
from syzygy.journal.held import TREE
from syzygy.journal.manifest import Manifest
from syzygy.journal.row import OUTPUTS, Shapes
from syzygy.journal.tree import Tree
from syzygy.trajectory import LAYERS, Trajectory


def laid(folder: Path, manifest: Manifest, shapes: Shapes | None) -> Tree:
    """Lay out a tree without steps, for layers of such shapes."""
    count, layers = len(manifest.items), {name: shape for name, shape in (shapes or {}).items() if name != OUTPUTS}
    outputs = None if shapes is None else np.zeros((1, 0, count, *shapes[OUTPUTS]), np.float32)
    empty = Trajectory.of(
        steps=[],
        loss=np.zeros((1, 0)),
        outputs=outputs,
        representations={name: np.zeros((1, 0, count, *shape), np.float32) for name, shape in layers.items()},
        inputs=manifest.inputs,
        targets=manifest.targets,
        items=manifest.items,
        seeds=[manifest.seed],
        about=manifest.told,
    )
    return Tree.lay(folder / TREE, empty, manifest.precision)


def axes_of(tree: Tree) -> tuple[list[int], list[float]]:
    """Read the steps of a tree, and their losses."""
    return (tree.numbers(STEP).tolist(), tree.numbers("loss")[0].tolist()) if tree.count else ([], [])


def shapes_of(tree: Tree) -> Shapes:
    """Read what layers give for an item."""
    layers = {name.split("/")[1]: spot for name, spot in tree.spots.items() if name.startswith(f"{LAYERS}/")}
    shapes = {name: tuple(spot.metadata["shape"][3:]) for name, spot in layers.items()}
    return {OUTPUTS: tuple(tree.spots["outputs"].metadata["shape"][3:])} | shapes


def kept(tree: Tree, name: str) -> NDArray[Any] | None:
    """Read inputs or targets, if they are known."""
    values = tree.numbers(name) if name in tree.spots else np.zeros(0)
    return values if values.size and not np.isnan(values).all() else None

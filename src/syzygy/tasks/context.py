"""Two features, of which a context says which one counts."""

import numpy as np

from syzygy.errors import SpecificationError
from syzygy.tasks.task import Task

PIXELS = 5


def context(grid: int = 30, every: int = 3) -> Task:
    """Pictures of a blob, and two units of context: the target is the blob's x in one context, its y in the other.

    The data of the paper's code, after a task of Flesch et al.: 5 × 5 pixels on [−1, 1]², each
    ``exp(−r²/2)`` at distance ``r`` from the blob's centre, scaled to a sum of one per picture.  Centres
    are a grid on [−1, 1]², and each picture is shown in both contexts.

    Items come in order of context, x and y, so watched representations reshape to ``(context, x, y, unit)``.

    Parameters
    ----------
    grid
        Centres per side; two or more.
    every
        Watch every so manieth centre per side, the first and the last as far from the edges as each other or one
        centre closer; two or more must be left.

    Raises
    ------
    SpecificationError
        Fewer than two centres, or fewer than two watched.

    Examples
    --------
    >>> task = context()
    >>> task.inputs.shape, len(task.probe), task.items[0], task.items[-1]
    ((1800, 27), 200, 'x −1.00, y −1.00, x counts', 'x 1.00, y 1.00, y counts')
    """
    side = range(((grid - 1) % max(every, 1)) // 2, grid, max(every, 1))
    if grid < 2 or every < 1 or len(side) < 2:
        raise SpecificationError(
            f"the context task needs 2 centres or more per side, and 2 of them watched; got grid={grid}, every={every}"
        )
    pixels, centres = np.linspace(-1, 1, PIXELS), np.linspace(-1, 1, grid)
    bumps = np.exp(-((pixels - centres[:, None]) ** 2) / 2)
    bumps /= bumps.sum(axis=1, keepdims=True)  # the sum over a picture is the product of those over its sides
    pictures = np.einsum("xp,yq->xyqp", bumps, bumps).reshape(grid**2, PIXELS**2)
    contexts = np.eye(2).repeat(grid**2, axis=0)
    x, y = (side.ravel() for side in np.meshgrid(centres, centres, indexing="ij"))
    named = [f"x {a:.2f}, y {b:.2f}".replace("-", "−") for a, b in zip(x, y, strict=True)]
    return Task(
        "context",
        np.hstack([np.tile(pictures, (2, 1)), contexts]),
        np.concatenate([x, y])[:, None],
        tuple(f"{name}, {which} counts" for which in "xy" for name in named),
        tuple(which * grid**2 + i * grid + j for which in range(2) for i in side for j in side),
    )

"""The smallest task: two inputs, two targets, and their two distances."""

import numpy as np

from syzygy.errors import SpecificationError
from syzygy.tasks.task import Task


def two_points(dx2: float = 1.0, dy2: float = 0.5, input_dim: int = 1, output_dim: int = 1) -> Task:
    """Two items at given squared distances of inputs and targets.

    The data of the paper's code: inputs −1 and −1 + √dx2, targets 0.6 and 0.6 + √dy2, each copied over
    the dimensions and scaled by 1/√dimensions, so that distances do not depend on these.  They are off
    centre, so a network learns their mean first and their difference after it.

    Parameters
    ----------
    dx2
        Squared distance of the inputs; positive.
    dy2
        Squared distance of the targets; zero for an agreeing pair.
    input_dim, output_dim
        Dimensions; one or more.

    Raises
    ------
    SpecificationError
        A value out of range.

    Examples
    --------
    >>> task = two_points(dx2=1.0, dy2=0.5, input_dim=4)
    >>> x, y = task.inputs, task.targets
    >>> round(float(((x[1] - x[0]) ** 2).sum()), 12), round(float(((y[1] - y[0]) ** 2).sum()), 12)
    (1.0, 0.5)
    """
    if not (0 < dx2 < np.inf and 0 <= dy2 < np.inf):
        raise SpecificationError(f"two points need dx2 > 0 and dy2 ≥ 0, both finite; got dx2={dx2:g}, dy2={dy2:g}")
    if input_dim < 1 or output_dim < 1:
        raise SpecificationError(f"dimensions must be 1 or more; got input_dim={input_dim}, output_dim={output_dim}")
    inputs = np.array([[-1.0], [-1.0 + np.sqrt(dx2)]]).repeat(input_dim, axis=1) / np.sqrt(input_dim)
    targets = np.array([[0.6], [0.6 + np.sqrt(dy2)]]).repeat(output_dim, axis=1) / np.sqrt(output_dim)
    return Task("two-points", inputs, targets, ("A", "B"))

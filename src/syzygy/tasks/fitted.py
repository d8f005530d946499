"""Images that are learned to the last label, watched wherever perfect fitting shows."""

from collections.abc import Callable
from types import MappingProxyType
from typing import Final, Literal

import numpy as np

from syzygy.errors import DataError, SpecificationError
from syzygy.linalg.planes import grids, triplets
from syzygy.seeds import stream
from syzygy.tasks.digits import digits
from syzygy.tasks.mnist import mnist
from syzygy.tasks.noise import noisy
from syzygy.tasks.task import Task

#: Where images come from, at 8 × 8 pixels.
IMAGES: Final = MappingProxyType[str, Callable[..., Task]](
    {"digits": digits, "mnist": lambda **options: mnist(size=8, **options)}
)


def fitted(
    images: Literal["digits", "mnist"] = "digits",
    learned: int = 1000,
    per_class: int = 30,
    probe_seed: int = 0,
    label_noise: float = 0.2,
    noise_seed: int = 0,
    planes: int = 20,
    side: int = 10,
    plane_seed: int = 0,
) -> Task:
    """Digits with label noise, watched at what is learned, at what is not, and on planes through triplets.

    The watched items are, in this order: the learned ones with the labels that they have there; items of each class
    that nobody learns, with their true labels; and the points of a grid on each plane through three of these, whose
    targets are zero.

    Parameters
    ----------
    images
        ``digits``, bundled with scikit-learn; or ``mnist``, pooled to the same size.
    learned
        So many of the other items are learned.
    per_class
        Held-out items of each class.
    probe_seed
        Seed that draws both.
    label_noise
        Share of the learned items whose label is drawn again.
    noise_seed
        Seed of that draw.
    planes, side
        Number of planes, and of points along each of the two directions of its grid.
    plane_seed
        Seed that draws the triplets.

    Raises
    ------
    SpecificationError
        An argument out of range.
    DataError
        MNIST cannot be found, or three images of a plane lie on one line.

    Examples
    --------
    >>> task = fitted(learned=50, per_class=2, planes=3, side=4)
    >>> len(task.probe), len(task.learned_inputs), task.probe_items[-1]
    (118, 50, 'plane 2 #15')
    """
    if planes < 1 or side < 2:
        raise SpecificationError(f"planes are 1 or more, of 2 or more points a side; got {planes}, {side}")
    if images not in IMAGES:
        raise SpecificationError(f"images are {' or '.join(IMAGES)}, got {images!r}")
    whole = IMAGES[images](per_class=per_class, probe_seed=probe_seed, held_out=True)
    if not 1 <= learned <= len(whole.learned_inputs):
        raise SpecificationError(f"learned lies between 1 and {len(whole.learned_inputs)} of {images}; got {learned}")
    others = np.setdiff1d(np.arange(len(whole.items)), whole.probe)
    draw = np.random.default_rng(stream(probe_seed, "probe", 1))
    chosen = np.sort(draw.choice(others, learned, replace=False))
    named = tuple(whole.items[index] for index in chosen)
    own = noisy(Task(whole.name, whole.inputs[chosen], whole.targets[chosen], named), label_noise, noise_seed)
    held = whole.probe_inputs.reshape(len(whole.probe), -1)
    corners = held[triplets(len(held), planes, stream(plane_seed, "probe", 2))]
    points = (grids(corners, side) @ corners).reshape(-1, held.shape[1])
    if not np.isfinite(points).all():
        raise DataError("three of the drawn images lie on one line; choose another plane_seed")
    inputs = own.inputs.reshape(learned, -1)
    nothing = np.zeros((len(points), whole.output_dim))
    on_planes = (f"plane {plane} #{point}" for plane in range(planes) for point in range(side**2))
    return Task(
        name="fitted",
        inputs=np.concatenate([inputs, inputs, held, points]),
        targets=np.concatenate([own.targets, own.targets, whole.probe_targets, nothing]),
        items=(*own.items, *own.items, *whole.probe_items, *on_planes),
        probe=tuple(range(learned, 2 * learned + len(held) + len(points))),
        held_out=True,
    )

"""Two features of binary vectors: one that is easy to compute, and one that is hard."""

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from syzygy.errors import SpecificationError
from syzygy.seeds import stream
from syzygy.tasks.task import Task

Array = NDArray[np.float64]

#: The features, in the order of the outputs.
FEATURES: Final = ("easy", "hard")


def bits(
    easy: int = 1,
    hard: int = 4,
    inputs: int = 32,
    items: int = 16384,
    probe: int = 600,
    easy_prevalence: float = 0.5,
    hard_prevalence: float = 0.5,
    learned: Literal["both", "easy", "hard"] = "both",
    seed: int = 0,
) -> Task:
    """Vectors of −1 and 1 with an easy feature, the majority of some bits, and a hard one, the parity of others.

    Both are outputs, −1 where a feature is absent and 1 where it is present.  They are of different bits, drawn
    independently, so they are independent; bits of neither are noise.  The probe items, which nobody learns, have both
    features as often as not, whatever their prevalence among those that are learned.

    Parameters
    ----------
    easy
        An odd number of bits whose majority the easy feature is; of 1 bit it is the bit itself.
    hard
        Number of bits whose parity the hard feature is, the sign of their product; of 1 bit it is as easy as the other.
    inputs
        Number of bits.
    items
        So many are learned.
    probe
        So many are watched.
    easy_prevalence, hard_prevalence
        Share of the learned items in which a feature is present.
    learned
        Which features are.  The target of one that is not learned is 0: to a logistic loss that is no target.
    seed
        Seed that draws the items.

    Raises
    ------
    SpecificationError
        An even majority, more bits than there are, or a number out of range.

    Examples
    --------
    >>> task = bits(items=100, probe=10)
    >>> task.inputs.shape, task.targets.shape, task.probe_items[0]
    ((110, 32), (110, 2), 'probe #0')
    >>> bool((task.targets[:, 1] == task.inputs[:, 1:5].prod(axis=1)).all())
    True
    """
    if easy < 1 or easy % 2 == 0 or hard < 1 or easy + hard > inputs:
        raise SpecificationError(
            f"the easy feature is the majority of an odd number of the {inputs} bits, the hard one the parity of one "
            f"or more of the others; got easy = {easy}, hard = {hard}"
        )
    if items < 1 or probe < 2 or seed < 0:
        raise SpecificationError(
            f"one item or more is learned, two or more are watched, and the seed is no less than zero; got items = "
            f"{items}, probe = {probe}, seed = {seed}"
        )
    if learned not in ("both", *FEATURES):
        raise SpecificationError(f"learned is both, easy or hard; got {learned!r}")
    for name, share in (("easy_prevalence", easy_prevalence), ("hard_prevalence", hard_prevalence)):
        if not 0 < share < 1:
            raise SpecificationError(f"{name} lies between 0 and 1; got {share}")
    draw = np.random.default_rng(stream(seed, "probe"))
    own = _drawn(draw, items, inputs, easy, hard, (easy_prevalence, hard_prevalence))
    watched = _drawn(np.random.default_rng(stream(seed, "probe", 1)), probe, inputs, easy, hard, (0.5, 0.5))
    x = np.concatenate([own, watched])
    targets = told(x, easy, hard) * [learned in ("both", feature) for feature in FEATURES]
    return Task(
        name="bits",
        inputs=x,
        targets=targets,
        items=(*(f"learned #{index}" for index in range(items)), *(f"probe #{index}" for index in range(probe))),
        probe=tuple(range(items, items + probe)),
        held_out=True,
    )


def told(inputs: Array, easy: int, hard: int) -> Array:
    """Give both features of vectors of −1 and 1, ``(item, feature)``.

    Parameters
    ----------
    inputs
        ``(item, bit)``.
    easy, hard
        As in :func:`bits`.

    Examples
    --------
    >>> told(np.array([[1.0, -1.0, -1.0], [-1.0, -1.0, 1.0]]), 1, 2)
    array([[ 1.,  1.],
           [-1., -1.]])
    """
    return np.column_stack([np.sign(inputs[:, :easy].sum(axis=1)), inputs[:, easy : easy + hard].prod(axis=1)])


def _drawn(
    draw: np.random.Generator, items: int, inputs: int, easy: int, hard: int, prevalence: tuple[float, float]
) -> Array:
    """Draw bits, ``(item, bit)``, in which the features are present as often as is asked, and all else is even."""
    x = draw.choice([-1.0, 1.0], size=(items, inputs))
    present = np.where(draw.random((items, 2)) < prevalence, 1.0, -1.0)
    # Both turn a feature round and leave what else is known of its bits as likely as it was.
    x[:, :easy] *= (present[:, 0] * np.sign(x[:, :easy].sum(axis=1)))[:, None]
    x[:, easy + hard - 1] *= present[:, 1] * x[:, easy : easy + hard].prod(axis=1)
    return x

"""When a recorder looks: the steps of a schedule, whether or not the end of the training is known."""

import operator
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Self

from syzygy.errors import SpecificationError
from syzygy.recording import Schedule

#: Where steps in logarithmic spacing end, if nobody said how long the training is.
FAR: Final = 1_000_000


@dataclass(frozen=True)
class Moments:
    """Steps at which to look.

    Attributes
    ----------
    said
        As it was asked for.
    spacing
        Every so many steps; 0 for none but those of ``steps``.
    steps
        These steps.

    Examples
    --------
    >>> from syzygy.recording import every, log_spaced
    >>> [step for step in range(10) if step in Moments.of(every(4))]
    [0, 4, 8]
    >>> [step for step in range(10) if step in Moments.of(log_spaced(4), steps=9)]
    [0, 1, 3, 9]
    """

    said: str
    spacing: int = 0
    steps: frozenset[int] = frozenset()

    @classmethod
    def of(cls, at: Schedule | Iterable[int], steps: int | None = None) -> Self:
        """Read a schedule, or a list of steps.

        Parameters
        ----------
        at
            A schedule, or steps that rise from 0 or later.
        steps
            Updates of the whole training.  Unknown, a schedule has no last step, and one in logarithmic spacing goes
            to :data:`FAR`.

        Raises
        ------
        SpecificationError
            Something else, or steps that do not rise.
        """
        if steps is not None and (not isinstance(steps, int) or steps < 1):
            raise SpecificationError(f"steps= is the number of updates of the training, 1 or more; got {steps!r}")
        if isinstance(at, Schedule):
            if steps is None and at.kind == "every":
                return cls(str(at), at.number)
            return cls(str(at), 0, frozenset(at.at(steps or FAR).tolist()))
        try:
            listed = [operator.index(one) for one in at]
        except TypeError:
            raise SpecificationError(
                f"at= is syzygy.every(10), syzygy.log_spaced(200) or a list of steps; got {at!r}"
            ) from None
        if not listed or listed[0] < 0 or any(b <= a for a, b in pairwise(listed)):
            raise SpecificationError(f"the steps of at= rise from 0 or later, at least one; got {listed[:10]}")
        return cls(" ".join(map(str, listed)), 0, frozenset(listed))

    def __contains__(self, step: int) -> bool:
        return step % self.spacing == 0 if self.spacing else step in self.steps

r"""Other equations with as many constants: what the three equations are compared with.

The paper's published code changes one term of the theory at a time and fits again, to see whether two free rates
would fit anything.  The five right-hand sides share one formula,

.. math::
    h2' &= -c_1 η_h\, dx2\, w \\
    y2' &= -c_2 w\,(η_y\, h2 + c_3 η_h\, dx2\, y2 / h2) \\
    w'  &= -½ η_y (3w - y2 + dy2)\, h2 - ½ c_4 η_h\, dx2\, (y2 + w)\, w / h2

in which every :math:`c` of the theory is one.  Only the theory is a linear flow in disguise, so the others are
integrated.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import ODEintWarning, odeint

from syzygy.errors import SpecificationError
from syzygy.theory.pair import PairState, PairTheory

Array = NDArray[np.float64]
Number = TypeVar("Number", float, Array)

#: Below this share of its start a squared distance is held in the denominators: the equations divide by it.
LEAST_SHARE = 1e-9
#: Of the integrator, relative to each number and to its scale: its start, or this share of dy2 where that is more.
TOLERANCE, LEAST_SCALE = 1e-9, 1e-5
#: Steps of the integrator between two times; equations that run away need more.
MOST_STEPS = 2000


@dataclass(frozen=True)
class RightHandSide:
    """The theory's three equations with one term changed.

    Attributes
    ----------
    about
        The change, in a few words.
    h2, y2
        Factors of ``h2'`` and of ``y2'``.
    encoder
        Factor of the encoder's term in ``y2'``.
    last
        Factor of the last term of ``w'``.

    Examples
    --------
    >>> theory, start = PairTheory(eta_h=0.3, eta_y=0.6, dx2=1.2, dy2=0.5), PairState(h2=0.4, y2=0.3, w=0.1)
    >>> float(ALTERNATIVES["h2_doubled"].rate(theory, start).h2 / theory.rate(start).h2)
    2.0
    """

    about: str
    h2: float = 1.0
    y2: float = 1.0
    encoder: float = 1.0
    last: float = 1.0

    def rate(self, theory: PairTheory, state: PairState) -> PairState:
        """Change of the state per step, as :meth:`PairTheory.rate` with the change."""
        encoder = theory.eta_h * theory.dx2
        return PairState(*self.change(state.h2, state.y2, state.w, encoder, theory.eta_y, theory.dy2))

    def change(
        self, h2: Number, y2: Number, w: Number, encoder: Number, decoder: Number, dy2: Number
    ) -> tuple[Number, Number, Number]:
        """Change per step of ``h2``, ``y2`` and ``w``; ``encoder`` is ``eta_h·dx2``, ``decoder`` is ``eta_y``."""
        pull = encoder / h2
        return (
            -self.h2 * encoder * w,
            -self.y2 * w * (decoder * h2 + self.encoder * pull * y2),
            -0.5 * decoder * (3 * w - y2 + dy2) * h2 - 0.5 * self.last * pull * (y2 + w) * w,
        )


#: The theory, and the four changes of the published code, by the names that tables use.
ALTERNATIVES: Final[Mapping[str, RightHandSide]] = MappingProxyType(
    {
        "theory": RightHandSide("nothing changed"),
        "y2_doubled": RightHandSide("y2' doubled", y2=2.0),
        "h2_doubled": RightHandSide("h2' doubled", h2=2.0),
        "w_flipped": RightHandSide("sign of the last term of w' flipped", last=-1.0),
        "y2_decoder_only": RightHandSide("the encoder's term of y2' dropped", encoder=0.0),
    }
)


def integrate(side: RightHandSide, theory: PairTheory, initial: PairState, steps: ArrayLike) -> PairState:
    """Follow one pair along a right-hand side, numerically (LSODA, which turns to stiff methods by itself).

    Parameters
    ----------
    side
        What to follow.
    theory, initial
        Rates, distances and start of one pair: plain numbers.
    steps
        Times at which to evaluate, in steps, rising from the start at the first of them, ``(step,)``.

    Returns
    -------
    PairState
        Each ``(step,)``; NaN at every step where the equations run away.

    Raises
    ------
    SpecificationError
        More than one pair at once, or representations that coincide at the start.

    Examples
    --------
    >>> theory, start = PairTheory(eta_h=0.3, eta_y=0.6, dx2=1.2, dy2=0.5), PairState(h2=0.4, y2=0.3, w=0.1)
    >>> [round(float(integrate(side, theory, start, [0, 1000]).h2[-1]), 4) for side in ALTERNATIVES.values()]
    [0.5233, 0.4613, 0.6459, 0.5233, 0.6325]
    """
    given = (initial.h2, initial.y2, initial.w, theory.eta_h * theory.dx2, theory.eta_y, theory.dy2)
    if any(np.ndim(number) for number in given) or not initial.h2 > 0:
        raise SpecificationError(f"one pair at a time, with h2 > 0 at the start; got h2 = {initial.h2}")
    *start, encoder, decoder, dy2 = map(float, given)
    least = LEAST_SHARE * start[0]

    def change(state: Array, _step: float) -> tuple[float, float, float]:
        h2, y2, w = state.tolist()  # plain floats: three numbers are too few for arrays
        return side.change(max(h2, least), y2, w, encoder, decoder, dy2)

    times = np.asarray(steps, dtype=np.float64)
    absolute = TOLERANCE * np.maximum(np.abs(start), [0.0, LEAST_SCALE * dy2, LEAST_SCALE * dy2])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ODEintWarning)  # failure is seen in what comes back
        # Stubs know nothing of a tolerance for each number.
        limits = {"rtol": TOLERANCE, "atol": absolute, "mxstep": MOST_STEPS}
        found, told = odeint(change, start, times, full_output=True, **limits)  # type: ignore[call-overload]
    whole = told["message"] == "Integration successful."
    return PairState(*(found.T if whole else np.full((3, len(times)), np.nan)))

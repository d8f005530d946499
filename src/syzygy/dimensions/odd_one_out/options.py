"""What the estimator can be asked for."""

import math
from collections.abc import Mapping
from typing import Any, Final, Literal, get_args

import torch

from syzygy.dimensions.odd_one_out.prior import Shape
from syzygy.errors import SpecificationError, UnknownName

#: Variational with a spike-and-slab prior (VICE), or positive weights with an L1 penalty (SPoSE).
Method = Literal["vice", "spose"]

NAMES: Final[Mapping[str, Any]] = {"method": Method, "prior": Shape}
WHOLE: Final = {"dimensions": 1, "batch": 1, "epochs": 1, "stable": 2, "least": 0}
POSITIVE: Final = ("spike", "slab", "rate")
NOT_NEGATIVE: Final = ("beta", "penalty")
SHARES: Final = ("spike_share", "level")


def refused(asked: Mapping[str, Any]) -> None:
    """Refuse options out of range.

    Raises
    ------
    SpecificationError
        The first that is, with what it may be.

    Examples
    --------
    >>> from syzygy.dimensions.odd_one_out import OddOneOut
    >>> refused(OddOneOut().get_params())
    """
    for name, kind in NAMES.items():
        if asked[name] not in get_args(kind):
            raise UnknownName(name, str(asked[name]), get_args(kind))
    for name, least in WHOLE.items():
        if asked[name] != int(asked[name]) or asked[name] < least:
            raise SpecificationError(f"{name} must be a whole number of at least {least}, got {asked[name]}")
    for name in (*POSITIVE, *NOT_NEGATIVE, *SHARES):
        value, says = asked[name], "finite and not negative" if name in NOT_NEGATIVE else "positive and finite"
        if name in SHARES and not 0 < value < 1:
            raise SpecificationError(f"{name} must be between 0 and 1, got {value}")
        if not 0 <= value < math.inf or (name in POSITIVE and not value):
            raise SpecificationError(f"{name} must be {says}, got {value}")
    if asked["spike"] >= asked["slab"]:
        raise SpecificationError(f"the spike is narrower than the slab; got {asked['spike']} and {asked['slab']}")
    try:
        torch.empty(0, device=asked["device"])
    except (RuntimeError, AssertionError) as missing:
        raise SpecificationError(f"device {asked['device']!r} is not here; cpu always is") from missing

"""What the estimators can be asked for."""

from collections.abc import Mapping
from typing import Any, Final, get_args

import numpy as np

from syzygy.dimensions.latent_dynamics.prior import Diffusion
from syzygy.errors import SpecificationError, UnknownName

#: The least of each whole number.
LEAST: Final[Mapping[str, int]] = {
    "latent": 1, "lag": 1, "epochs": 1, "batch": 2, "shown": 0, "seed": 0, "projections": 1, "clusters": 1,
    "drift_epochs": 0,
}  # fmt: skip


def refused(asked: Mapping[str, Any]) -> None:
    """Refuse options out of range; an estimator has some of those that are known here.

    Raises
    ------
    SpecificationError
        The first that is, with what it may be.

    Examples
    --------
    >>> refused({"latent": 2, "beta": 10.0, "diffusion": "fixed"})
    """
    for name, value in asked.items():
        if name in LEAST and value < LEAST[name]:
            raise SpecificationError(f"{name} must be at least {LEAST[name]}, got {value}")
        if name in ("hidden", "drift_hidden") and any(width < 1 for width in value):
            raise SpecificationError(f"layers must be at least 1 wide; got {name} = {tuple(value)}")
        if name in ("test", "settle") and not 0 <= value < 1:
            raise SpecificationError(f"{name} is a share, 0 or more and less than 1; got {value}")
        if name == "learning_rate" and not 0 < value < np.inf:
            raise SpecificationError(f"learning_rate must be positive and finite, got {value}")
        if name == "beta" and not 0 <= value < np.inf:
            raise SpecificationError(f"beta must be finite and not negative, got {value}")
        if name == "bias_factor" and not 1 <= value < np.inf:
            raise SpecificationError(f"bias_factor must be finite and at least 1, got {value}")
    if asked.get("diffusion", "fixed") not in get_args(Diffusion):
        raise UnknownName("diffusion", str(asked["diffusion"]), get_args(Diffusion))

"""What the estimator can be asked for."""

from collections.abc import Mapping
from typing import Any, Final, Literal, get_args

import numpy as np

from syzygy.dimensions.universal.components import Basis
from syzygy.dimensions.universal.scorer import Criterion
from syzygy.errors import SpecificationError, UnknownName
from syzygy.linalg.work import Precision

#: The one unit of the other network that correlates most is a control: what is shared unit by unit.
Predictor = Literal["ridge", "matching"]

#: From no penalty to speak of to hardly anything but the mean: 10⁻⁶ to 10³ times the mean eigenvalue.
PENALTIES: Final = tuple(float(one) for one in np.logspace(-6, 3, 7))

NAMES: Final[Mapping[str, Any]] = {
    "basis": Basis, "criterion": Criterion, "predictor": Predictor, "precision": Precision,
}  # fmt: skip


def refused(asked: Mapping[str, Any]) -> None:
    """Refuse options out of range.

    Raises
    ------
    SpecificationError
        The first that is, with what it may be.

    Examples
    --------
    >>> from syzygy.dimensions.universal.universality import UniversalDimensions
    >>> refused(UniversalDimensions().get_params())
    """
    for name, kind in NAMES.items():
        if asked[name] not in get_args(kind):
            raise UnknownName(name, str(asked[name]), get_args(kind))
    penalties = asked["penalties"]
    for fine, says in (
        (asked["folds"] >= 2, f"folds must be at least 2, got {asked['folds']}"),
        (0 < asked["fitted"] < 1, f"fitted is a share between 0 and 1, got {asked['fitted']}"),
        (len(penalties) and all(0 < one < np.inf for one in penalties),
         f"penalties must be positive and finite, at least one; got {penalties}"),
        (asked["components"] is None or asked["components"] >= 1,
         f"components must be at least 1, or None for all; got {asked['components']}"),
        (asked["basis"] != "nmf" or asked["components"] is not None, "say how many components basis='nmf' shall find"),
        (asked["permutations"] >= 0, f"permutations must not be negative, got {asked['permutations']}"),
        (0 < asked["level"] < 1, f"level must be between 0 and 1, got {asked['level']}"),
    ):  # fmt: skip
        if not fine:
            raise SpecificationError(says)

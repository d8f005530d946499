"""What every way to ask is given: arrays of numbers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from syzygy.errors import DataError


def numbers(given: Any, name: str, *, single: bool = False) -> NDArray[Any]:
    """Read an array of numbers as float64; with ``single`` one of float32 stays as it is.

    Parameters
    ----------
    given
        Anything that NumPy reads.
    name
        What it is called where it cannot be read.
    single
        Whether single precision is kept.

    Raises
    ------
    DataError
        What is no array of numbers.  Whether they are finite is for the caller to ask, who knows what to do about it.

    Examples
    --------
    >>> some = np.ones(2, dtype=np.float32)
    >>> [str(one.dtype) for one in (numbers([[1, 2]], "x"), numbers(some, "x"), numbers(some, "x", single=True))]
    ['float64', 'float64', 'float32']
    """
    try:
        x = np.asarray(given)
        return x if single and x.dtype == np.float32 else x.astype(np.float64, copy=False)
    except (TypeError, ValueError) as odd:
        raise DataError(f"{name} is no array of numbers: {' '.join(str(odd).split())}") from odd

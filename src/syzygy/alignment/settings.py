"""How every pair is compared: precision, place, memory, and what is drawn."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from syzygy.chance import half_samples, orders
from syzygy.errors import SpecificationError
from syzygy.linalg import Work
from syzygy.linalg.work import Precision
from syzygy.measures.measure import one_of

UNITS: Final = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
                "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """How every pair is compared.

    Attributes
    ----------
    dtype, device
        As :class:`~syzygy.linalg.Work`.
    memory
        Bytes for what is held at once, beside the interpreter itself.
    permutations
        Orders of the items that are drawn where chance has no closed form; 0 leaves it open.
    bootstrap
        Halves of the items that are drawn for intervals; 0 for none.
    seed
        Of both.

    Raises
    ------
    SpecificationError
        A precision, device or number that cannot be.
    """

    dtype: Precision = "float32"
    device: str | None = None
    memory: int = 4 * 10**9
    permutations: int = 100
    bootstrap: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        one_of("dtype", self.dtype, get_args(Precision))
        for what in ("permutations", "bootstrap"):
            number = getattr(self, what)
            if not isinstance(number, int) or number < 0 or number == 1:
                raise SpecificationError(f"{what} must be 0, for none, or at least 2; got {number!r}")
        if not isinstance(self.seed, int) or self.seed < 0:
            raise SpecificationError(f"seed must be a whole number from 0, got {self.seed!r}")
        if self.device is not None:
            _reached(self.device)

    @cached_property
    def work(self) -> Work:
        """Precision and place."""
        return Work(self.dtype, self.device)

    def draws(self, items: int) -> NDArray[np.intp] | None:
        """Give the orders of the items, ``(draw, item)``: the same for all pairs."""
        return orders(items, self.permutations, np.random.default_rng([self.seed, 0])) if self.permutations else None

    def samples(self, items: int) -> NDArray[np.intp] | None:
        """Give the halves of the items, ``(draw, item)``: the same for all pairs."""
        return half_samples(items, self.bootstrap, np.random.default_rng([self.seed, 1])) if self.bootstrap else None


def in_bytes(memory: str | int) -> int:
    """Read an amount of memory.

    Raises
    ------
    SpecificationError
        No amount.

    Examples
    --------
    >>> in_bytes("4GB"), in_bytes("1.5 GiB"), in_bytes(1000)
    (4000000000, 1610612736, 1000)
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?I?B?)\s*", str(memory).upper())
    unit = found and (found[2] if found[2].endswith("B") or not found[2] else found[2] + "B")
    if found is None or unit not in UNITS or float(found[1]) * UNITS[unit] < 1:
        raise SpecificationError(f"memory is an amount as in 4GB, 500MB or a number of bytes; got {memory!r}")
    return int(float(found[1]) * UNITS[unit])


def _reached(device: Any) -> None:
    """Refuse a device that is not there."""
    try:
        torch.zeros(1, dtype=torch.float64, device=device)
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as missing:
        why = str(missing).split("\n", maxsplit=1)[0]
        raise SpecificationError(f"device {device!r} cannot be used ({why}); leave it out for the processor") from None

"""The items at which a network is watched."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from syzygy.errors import DataError, ShapeError

#: What a network is called with: one tensor, several in order, or several by name.
Inputs = Tensor | tuple[Tensor, ...] | Mapping[str, Tensor]


@dataclass(frozen=True, eq=False)
class Probe:
    """Inputs of the watched items, and what is known of them.

    Parameters
    ----------
    inputs
        A tensor ``(item, …)``, a tuple of them (arguments in order), or a dictionary (arguments by name).
    items
        A name per item.
    targets
        ``(item, output)``, or None.
    mask
        Which tokens count, ``(item, position)``, or None.
    """

    inputs: Inputs
    items: tuple[str, ...]
    targets: NDArray[Any] | None = None
    mask: Tensor | None = None

    def __len__(self) -> int:
        return len(self.items)

    @classmethod
    def of(
        cls,
        given: Any,
        *,
        items: Sequence[str] | None = None,
        targets: Any = None,
        mask: Any = None,
    ) -> "Probe":
        """Make one of what a network is called with.

        Parameters
        ----------
        given
            A tensor or an array ``(item, …)``; a tuple or list of tensors, arguments in order; or a mapping, arguments
            by name.  Tensors are kept, not copied: who changes them changes the probe.
        items
            A name per item; ``item 0``, ``item 1``, … by default.
        targets
            ``(item, output)``, or ``(item,)`` for one output.
        mask
            Which tokens count, ``(item, position)``; ``attention_mask`` of a mapping by default, if it has two axes.

        Raises
        ------
        ShapeError
            No items, or inputs, names, targets and mask that are not of the same ones.
        DataError
            Two items of one name, one without a token that counts, or something that is no array of numbers.
        """
        inputs = _inputs(given)
        counts = {len(one) for one in _tensors(inputs) if one.ndim}
        if len(counts) != 1 or 0 in counts:
            raise ShapeError(
                f"a probe is tensors (item, …) of the same items, at least one; got {sorted(counts)} items"
            )
        count = counts.pop()
        names = tuple(map(str, items)) if items is not None else tuple(f"item {index}" for index in range(count))
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise DataError(f"two items of the probe are named {twice!r}; items are told apart by their names")
        if mask is None and isinstance(inputs, Mapping):
            found = inputs.get("attention_mask")
            mask = found if isinstance(found, Tensor) and found.ndim == 2 else None
        goal = None if targets is None else _tensor(targets).detach().cpu().double().numpy()
        mask = None if mask is None else _tensor(mask)
        for what, one in (("names", names), ("targets", goal), ("mask", mask)):
            if one is not None and (np.ndim(one) == 0 or len(one) != count):
                raise ShapeError(f"the probe has {count} items, and {what} for {len(one) if np.ndim(one) else 'none'}")
        if mask is not None:
            _check_mask(mask, names)
        return cls(inputs, names, None if goal is None else goal.reshape(count, -1), mask)

    def batches(self, size: int | None = None) -> Iterator[tuple[int, "Probe"]]:
        """Give parts of so many items (by default all), each with the place of its first."""
        step = size or len(self)
        for first in range(0, len(self), step):
            part = slice(first, first + step)
            goal, mask = (None if one is None else one[part] for one in (self.targets, self.mask))
            yield first, Probe(_part(self.inputs, part), self.items[part], goal, mask)  # type: ignore[arg-type]

    @property
    def tensors(self) -> list[Tensor]:
        """All tensors among its inputs."""
        return _tensors(self.inputs)

    @property
    def flat(self) -> NDArray[np.float32]:
        """Its inputs as numbers, ``(item, input)``; those that are no floating point (token numbers) are left out."""
        floating = [one.flatten(1) for one in _tensors(self.inputs) if one.is_floating_point() and one.ndim > 1]
        if not floating:
            return np.zeros((len(self), 0), np.float32)
        return torch.cat([one.detach().float().cpu() for one in floating], 1).numpy()

    def digest(self) -> str:
        """Hash inputs, names, targets and mask."""
        by_name = self.inputs if isinstance(self.inputs, Mapping) else dict(enumerate(_several(self.inputs)))
        total = hashlib.sha256(json.dumps(self.items).encode())
        for name, one in (*by_name.items(), ("targets", self.targets), ("mask", self.mask)):
            if not isinstance(one, Tensor | np.ndarray):
                total.update(f"{name}: {one!r}\n".encode())
                continue
            tensor = torch.as_tensor(one).detach().cpu().contiguous()
            total.update(f"{name}: {tensor.dtype} {tuple(tensor.shape)}\n".encode())
            total.update(tensor.flatten().view(torch.uint8).numpy().data)
        return total.hexdigest()


def _inputs(given: Any) -> Inputs:
    """Bring what a network is called with into one of three forms."""
    if isinstance(given, Mapping):
        return {str(name): torch.as_tensor(one) if _is_array(one) else one for name, one in given.items()}
    if isinstance(given, tuple | list) and any(isinstance(one, Tensor) or _is_array(one) for one in given):
        return tuple(torch.as_tensor(one) if _is_array(one) else one for one in given)
    return _tensor(given)


def _is_array(one: object) -> bool:
    return isinstance(one, np.ndarray) and one.dtype.kind in "biufc"


def _tensor(given: Any) -> Tensor:
    try:
        return torch.as_tensor(given)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"a probe is made of tensors or arrays of numbers; got {type(given).__name__}") from error


def _check_mask(mask: Tensor, names: Sequence[str]) -> None:
    if mask.ndim != 2:
        raise ShapeError(f"a mask is (item, position), got {tuple(mask.shape)}")
    if mask.device.type == "meta":
        return
    empty = (~mask.bool().any(1)).nonzero().flatten().tolist()
    if empty:
        raise DataError(
            f"item {names[empty[0]]!r} has no token that counts; leave it out of the probe, or change the mask"
        )


def _several(inputs: Inputs) -> Sequence[Any]:
    if isinstance(inputs, Tensor):
        return [inputs]
    return list(inputs.values()) if isinstance(inputs, Mapping) else inputs


def _tensors(inputs: Inputs) -> list[Tensor]:
    return [one for one in _several(inputs) if isinstance(one, Tensor)]


def _part(inputs: Inputs, part: slice) -> Inputs:
    def cut(one: Any) -> Any:
        return one[part] if isinstance(one, Tensor) and one.ndim else one

    if isinstance(inputs, Tensor):
        return inputs[part]
    if isinstance(inputs, Mapping):
        return {name: cut(one) for name, one in inputs.items()}
    return tuple(cut(one) for one in inputs)

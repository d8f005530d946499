"""What a training is made by, as far as its optimisers tell."""

from collections.abc import Iterable
from typing import Any

from torch.optim import Optimizer


def trained_by(optimisers: Iterable[Any]) -> dict[str, Any]:
    """Say what optimisers are: their class, and the learning rate and momentum that they begin with.

    Parameters
    ----------
    optimisers
        Of one training; those of accelerate are looked into, and what is none is passed over.

    Returns
    -------
    dict
        ``optimiser``, ``learning_rate``, and ``momentum`` where there is one; lists where groups of weights differ.
        Empty without an optimiser.

    Examples
    --------
    >>> import torch
    >>> trained_by([torch.optim.SGD([torch.zeros(1)], lr=0.1, momentum=0.9)])
    {'optimiser': 'SGD', 'learning_rate': 0.1, 'momentum': 0.9}
    """
    own = [_own(one) for one in optimisers if isinstance(one, Optimizer)]
    groups = [group for one in own for group in one.param_groups]
    told: dict[str, list[Any]] = {
        "optimiser": sorted({type(one).__name__ for one in own}),
        # A schedule keeps the rate that it began from, for a warm-up begins from none.
        "learning_rate": _numbers(group.get("initial_lr", group.get("lr")) for group in groups),
        "momentum": [one for one in _numbers(group.get("momentum") for group in groups) if one],
    }
    return {name: values[0] if len(values) == 1 else values for name, values in told.items() if values}


def _own(optimiser: Optimizer) -> Optimizer:
    """Give what another library has wrapped."""
    while isinstance(inner := getattr(optimiser, "optimizer", None), Optimizer):
        optimiser = inner
    return optimiser


def _numbers(values: Iterable[Any]) -> list[float]:
    return sorted({float(one) for one in values if one is not None})

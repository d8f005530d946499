"""Saved weights, given back to the network that they are of."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from syzygy.errors import DataError, reason

#: What others put before the names of weights.
PREFIXES: Final = ("module.", "_orig_mod.", "model.")

State = Mapping[str, Any]


def own_name(name: str, wanted: Collection[str]) -> str | None:
    """Strip what others put before the name of a weight until the network has it; None if it never does.

    Examples
    --------
    >>> own_name("model._orig_mod.head.weight", {"head.weight"})
    'head.weight'
    """
    while name not in wanted:
        prefix = next((prefix for prefix in PREFIXES if name.startswith(prefix)), None)
        if prefix is None:
            plain = name.replace("._orig_mod.", ".")  # a compiled module inside of one that is not
            return plain if plain in wanted else None
        name = name.removeprefix(prefix)
    return name


def fill(
    model: nn.Module,
    state: State,
    place: object,
    say: Callable[[str], None] | None = None,
    *,
    strict: bool = False,
) -> None:
    """Give a network saved weights; those of another network change nothing.

    Parameters
    ----------
    model
        Its weights are replaced.
    state
        As in ``model.state_dict()``, with :data:`PREFIXES` before names or without.
    place
        Of the state, for messages.
    say
        Told in a line what the state holds that the network lacks, as a training's loss may be.
    strict
        Refuse such a state instead.

    Raises
    ------
    DataError
        Weights that the state lacks, or has in another shape or twice; all are named in one line.
    """
    wanted = model.state_dict(keep_vars=True)
    found: dict[str, Any] = {}
    extra, wrong = [], []
    for name, value in state.items():
        own = own_name(name, wanted)
        if own is None:
            extra.append(name)
        elif own in found:
            wrong.append(f"has {own} twice")
        elif (odd := _other(value, wanted[own])) is not None:
            wrong.append(f"has {own} as {odd}")
        else:
            found[own] = value
    shared = {id(wanted[name]) for name in found}  # a tied weight is saved once
    lacking = [name for name, value in wanted.items()
               if isinstance(value, Tensor) and name not in found and id(value) not in shared]  # fmt: skip
    if lacking or wrong or (strict and extra):
        lacks = [f"lacks {len(lacking)} of {len(wanted)} weights ({_few(lacking)})"] if lacking else []
        has = [f"has {len(extra)} that the network lacks ({_few(extra)})"] if extra else []
        raise DataError(f"{place} does not fit the network: it {'; '.join((*lacks, *wrong[:4], *has))}")
    if extra and say:
        say(f"{place} holds {len(extra)} that the network lacks, passed over: {_few(extra)}")
    try:
        model.load_state_dict(found, strict=False)
    except Exception as failed:  # whatever a foreign module makes of its state
        raise DataError(f"{place} does not fit the network ({reason(failed)})") from failed


def _other(value: Any, wanted: Any) -> str | None:
    """Say how a value differs in shape from what is wanted; None where it does not."""
    if not isinstance(wanted, Tensor) or is_lazy(wanted):  # what a module keeps beside, or has not shaped yet
        return None
    if not isinstance(value, Tensor):
        return f"{type(value).__name__} instead of a tensor"
    return None if value.shape == wanted.shape else f"{tuple(value.shape)} instead of {tuple(wanted.shape)}"


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (", …" if len(names) > 4 else "")

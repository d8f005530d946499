"""Every measure by its name."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

from syzygy.errors import SpecificationError, UnknownName
from syzygy.measures.kernels import CKA
from syzygy.measures.measure import Measure

#: From its name to what makes it from its options.
MEASURES: Final[Mapping[str, type[Measure]]] = {kind.name: kind for kind in (CKA,)}

#: Options worth testing, by name: the properties of every one of these are held by the tests.
VARIANTS: Final[tuple[Measure, ...]] = (CKA(), CKA("biased"))


def measure(asked: str | Measure) -> Measure:
    """Give a measure by its name, with options if any, as in ``cka:estimator=biased``.

    Raises
    ------
    UnknownName
        No measure, or no option, of that name.
    SpecificationError
        A value that the option does not take.

    Examples
    --------
    >>> measure("cka:estimator=biased")
    CKA(estimator='biased')
    """
    if isinstance(asked, Measure):
        return asked
    name, *given = asked.split(":")
    if name not in MEASURES:
        raise UnknownName("measure", name, MEASURES)
    kind = MEASURES[name]
    known: dict[str, Any] = {field.name: field.default for field in fields(kind)}  # type: ignore[arg-type]
    options = {}
    for one in given:
        key, _, value = one.partition("=")
        if key not in known:
            raise UnknownName(f"option of {name}", key, known)
        options[key] = _read(value, known[key], f"{key} of {name}")
    return kind(**options)


def variants() -> tuple[Measure, ...]:
    """Give every measure with all options that change what is claimed of it."""
    return VARIANTS


def _read(value: str, default: Any, what: str) -> Any:
    if isinstance(default, str):
        return value
    try:
        return type(default)(value)
    except ValueError:
        raise SpecificationError(f"{what} must be a {type(default).__name__}, got {value!r}") from None

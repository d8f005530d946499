"""One result, one self-contained page.

The page needs no network, no script and no other file; it is readable on a phone and in print.  It opens with
the reasons to doubt the result.  It bears no date: the same result gives the same bytes.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from syzygy.files import write_text
from syzygy.page import embedded, filled
from syzygy.result import REFERENCES, Result, Table

#: Of a longer table, only so many rows are shown.
MOST_ROWS = 40

#: Of a finding with more lines, the others are folded away.
MOST_LINES = 3

#: How known quantities are written; what follows an underscore is set as a subscript.
SYMBOLS = {
    "h2": "‖dh‖²",
    "y2": "‖dy‖²",
    "dx2": "‖dx‖²",
    "dy2": "‖dy*‖²",
    "eta_h": "η_h",
    "eta_y": "η_y",
    "eta_y_mean": "η_ȳ",
    "a_low": "A_low",
    "a_high": "A_high",
    "kappa": "κ",
    "r2": "R²",
    "p": "p",
}

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class Cell(NamedTuple):
    """What stands in a table: a value, and an interval around it if it has one."""

    text: str
    interval: str = ""


@dataclass(frozen=True)
class Column:
    """A column as it is shown; numbers are set to the right."""

    header: str
    numeric: bool
    cells: tuple[Cell, ...]


def render(result: Result) -> str:
    """Give the page as text.

    Parameters
    ----------
    result
        What to show.

    Returns
    -------
    str
        HTML with its style and drawings inline.  Links to the numbers are relative to the folder that
        :func:`write_report` writes.
    """
    return filled(
        "report.html",
        result=result,
        most_lines=MOST_LINES,
        figures=[
            (figure, embedded(figure.svg(), figure.caption, f"f{n}-"))
            for n, figure in enumerate(result.figures, start=1)
        ],
        tables=[(table, shown(table), max(0, len(table.frame) - MOST_ROWS)) for table in result.tables],
        specification=list(as_asked(result.specification)),
        references=[REFERENCES[key] for key in result.references],
    )


def write_report(result: Result, folder: Path) -> Path:
    """Write a result and its page.

    Parameters
    ----------
    result
        What to write.
    folder
        Where: ``report.html``, ``result.json``, ``tables/`` and ``figures/`` come to lie in it.

    Returns
    -------
    Path
        The page.
    """
    text, path = render(result), folder / "report.html"
    result.save(folder)
    write_text(path, text)
    return path


def formatted(value: object) -> str:
    """Write a value of a table for a reader: numbers to three significant digits.

    Examples
    --------
    >>> [formatted(value) for value in (0.000678, 0.12345, -2.5, 1234, 1234.5, True, float("nan"), "rich")]
    ['6.78×10⁻⁴', '0.123', '−2.5', '1234', '1.23×10³', 'yes', '–', 'rich']
    """
    if _is_missing(value):
        return "–"
    if pd.api.types.is_bool(value):
        return "yes" if value else "no"
    if not isinstance(value, Real):
        return str(value)
    text = str(int(value)) if isinstance(value, Integral) else _rounded(float(value))
    return text.replace("-", "−")


def _rounded(number: float) -> str:
    """Write three significant digits, with a power of ten where there would be many zeros."""
    if math.isinf(number):
        return "∞" if number > 0 else "-∞"
    if number.is_integer() and abs(number) < 1e5:  # counts that missing values have made floats
        return str(int(number))
    mantissa, exponent = f"{number:.2e}".split("e")
    if -3 <= int(exponent) <= 2:
        return f"{number:.3g}"
    return f"{float(mantissa):g}×10{str(int(exponent)).translate(SUPERSCRIPTS)}"


def header(name: str) -> str:
    """Write the name of a column for a reader; the longest known quantity in it wins.

    Examples
    --------
    >>> [header(name) for name in ("eta_y_mean", "r2_h2", "last_h2", "half_time")]
    ['η_ȳ', 'R² ‖dh‖²', 'last ‖dh‖²', 'half time']
    """
    words, written = [word for word in name.split("_") if word], []
    while words:
        known = [stop for stop in range(1, len(words) + 1) if "_".join(words[:stop]) in SYMBOLS]
        stop = max(known, default=1)
        written.append(SYMBOLS.get("_".join(words[:stop]), words[0]))
        words = words[stop:]
    return " ".join(written)


def shown(table: Table) -> tuple[Column, ...]:
    """Give the columns of a table as they are shown, its first rows only.

    Columns ``X``, ``X_low`` and ``X_high`` become one: a value and its interval.
    """
    frame = table.frame.head(MOST_ROWS)
    names = [str(name) for name in frame.columns]
    values = [frame.iloc[:, index].tolist() for index in range(len(names))]
    bounded = {name for name in names if f"{name}_low" in names and f"{name}_high" in names}
    hidden = {f"{name}_{side}" for name in bounded for side in ("low", "high")}
    columns = []
    for name, column in zip(names, values, strict=True):
        if name in hidden:
            continue
        cells = tuple(Cell(formatted(value)) for value in column)
        if name in bounded:
            low, high = (values[names.index(f"{name}_{side}")] for side in ("low", "high"))
            cells = tuple(_with_interval(*row) for row in zip(column, low, high, strict=True))
        columns.append(Column(header(name), _is_numeric(column), cells))
    return tuple(columns)


def _with_interval(value: object, low: object, high: object) -> Cell:
    """Write a value and its interval; a missing bound is a dash, a missing interval nothing."""
    if _is_missing(low) and _is_missing(high):
        return Cell(formatted(value))
    return Cell(formatted(value), f"[{formatted(low)}, {formatted(high)}]")


def _is_missing(value: object) -> bool:
    """Whether a value of a table is not there."""
    absent = value is None or value is pd.NA or value is pd.NaT
    return absent or (isinstance(value, Real) and math.isnan(value))


def _is_numeric(values: Iterable[object]) -> bool:
    """Whether a column holds numbers, and nothing but numbers, where it holds anything."""
    there = [value for value in values if not _is_missing(value)]
    return all(isinstance(value, Real) and not pd.api.types.is_bool(value) for value in there)


def as_asked(specification: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Write a specification exactly, a line per key: text as it is, everything else as JSON.

    Examples
    --------
    >>> list(as_asked({"study": "pair", "training": {"rate": 0.01, "seeds": [0, 1]}}))
    [('study', 'pair'), ('training.rate', '0.01'), ('training.seeds', '[0, 1]')]
    """
    for key, value in specification.items():
        if isinstance(value, Mapping) and value:
            yield from ((f"{key}.{inner}", text) for inner, text in as_asked(value))
        elif isinstance(value, str):
            yield str(key), value
        else:
            yield str(key), json.dumps(value, ensure_ascii=False, default=str)

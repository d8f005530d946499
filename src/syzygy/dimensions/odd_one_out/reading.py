"""Choices of people, from a file."""

import csv
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from syzygy.errors import DataError, SpecificationError, UnknownName

Whole = NDArray[np.int64]

#: By the end of a file's name, what is between columns; None for any white space.
BETWEEN: Final[dict[str, str | None]] = {".csv": ",", ".tsv": "\t", ".txt": None}
#: Lines understood at a time.
LINES: Final = 200_000


def read(path: Path, names: Sequence[str] | None, odd: int | str) -> tuple[Whole, Whole]:
    """Read choices.

    Parameters
    ----------
    path
        A ``.csv``, ``.tsv`` or ``.txt`` file (columns between white space), a line for each choice; or ``.npy``.
    names
        Of the objects, if the file has names; None if it has numbers.
    odd
        The column of the odd object: its place, or its name in the first line.

    Returns
    -------
    Array, Array
        ``(triplet, 3)``, the odd object last, and the line of each (from 1; of ``.npy`` the row, from 1).

    Raises
    ------
    DataError
        A file that cannot be read or is empty, or a line without three columns, or with what is no object.
    SpecificationError
        Another kind of file, or a column that does not exist.
    """
    if path.suffix not in (*BETWEEN, ".npy"):
        raise UnknownName("kind of file with triplets", path.suffix or path.name, (*BETWEEN, ".npy"))
    if isinstance(odd, int) and odd not in range(3):
        raise SpecificationError(f"odd names one of the columns 0, 1 and 2, or one by its name; got {odd}")
    try:
        parts = list(_array(path, names, odd) if path.suffix == ".npy" else _text(path, names, odd))
    except (OSError, UnicodeDecodeError, csv.Error, EOFError) as wrong:
        raise DataError(f"{path} cannot be read: {wrong}") from wrong
    if not sum(len(lines) for _, lines in parts):
        raise DataError(f"{path} has no triplets; give a line for each, with three columns")
    return np.concatenate([numbers for numbers, _ in parts]), np.concatenate([lines for _, lines in parts])


def _text(path: Path, names: Sequence[str] | None, odd: int | str) -> Iterator[tuple[Whole, Whole]]:
    """Give numbers and lines, many lines at a time: memory is for numbers, not for words."""
    between = BETWEEN[path.suffix]
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = enumerate(
            (line.split() for line in file) if between is None else csv.reader(file, delimiter=between), start=1
        )
        place = odd if isinstance(odd, int) else _column(next(rows, (1, []))[1], odd, path)
        while some := list(islice(rows, LINES)):
            filled = [(line, row) for line, row in some if row]
            for line, row in filled:
                if len(row) != 3:
                    raise DataError(f"{path}, line {line}: a triplet has three columns, and here are {len(row)}")
            words = np.array([row for _, row in filled], dtype=str).reshape(-1, 3)
            lines = np.array([line for line, _ in filled], dtype=np.int64)
            yield _last(_numbers(words, lines, names, path), place), lines


def _array(path: Path, names: Sequence[str] | None, odd: int | str) -> Iterator[tuple[Whole, Whole]]:
    if isinstance(odd, str):
        raise SpecificationError(f"columns of {path} have no names; say which is odd by its place: 0, 1 or 2")
    try:
        given = np.load(path, allow_pickle=False)
    except ValueError as wrong:
        raise DataError(f"{path} is no plain array of numbers or names; nothing is unpickled") from wrong
    if given.ndim != 2 or given.shape[1] != 3:
        raise DataError(f"{path} has shape {given.shape}; triplets are (triplet, 3)")
    if given.dtype.kind not in ("U" if names is not None else "iu"):
        expected = "names" if names is not None else "whole numbers"
        raise DataError(f"{path} has entries of type {given.dtype}; {expected} were asked for")
    lines = np.arange(1, len(given) + 1)
    yield _last(_numbers(given, lines, names, path) if names is not None else given.astype(np.int64), odd), lines


def _numbers(words: NDArray[np.str_], lines: Whole, names: Sequence[str] | None, path: Path) -> Whole:
    """Turn words into the numbers of objects, or name the first that is none."""
    if names is not None:
        found = pd.Index(list(names)).get_indexer(pd.Index(np.char.strip(words).ravel())).reshape(-1, 3)
        if (found < 0).any():
            row, column = np.argwhere(found < 0)[0]
            near = UnknownName("object", str(words[row, column]), names)
            raise DataError(f"{path}, line {lines[row]}: {near}")
        return found.astype(np.int64)
    try:
        return words.astype(np.int64)
    except (ValueError, OverflowError):
        row, word = next((row, word) for row, three in enumerate(words) for word in three if not _whole(word))
        raise DataError(
            f"{path}, line {lines[row]}: {str(word)!r} is no whole number; give names=… of the objects if these are "
            "names, or odd='…' if this line names the columns"
        ) from None


def _whole(word: str) -> bool:
    try:
        np.array([word]).astype(np.int64)
    except (ValueError, OverflowError):
        return False
    return True


def _column(header: list[str], odd: str, path: Path) -> int:
    named = [name.strip() for name in header]
    if odd not in named:
        raise UnknownName(f"column of {path.name}", odd, named)
    if len(named) != 3:
        raise DataError(f"{path}, line 1: a triplet has three columns, and here are {len(named)}")
    return named.index(odd)


def _last(triplets: Whole, odd: int) -> Whole:
    return triplets[:, [*(column for column in range(3) if column != odd), odd]]

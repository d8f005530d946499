"""Texts, an item a line."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from syzygy.extraction.items import Items
from syzygy.representations.unchanged import reading

#: Names of items show so many characters of their texts.
SHOWN: Final = 80


def text_file(path: Path) -> Items:
    """Take the lines of a text file (UTF-8) that are not empty.

    Raises
    ------
    DataError
        No lines, or no text.
    """
    with reading(path):
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    return text_items([line for line in lines if line.strip()], str(path))


def text_items(texts: Sequence[str], place: str = "texts", names: Sequence[str] | None = None) -> Items:
    """Take texts, named by what they say: the first characters, with ``#2`` for the second of one name.

    Examples
    --------
    >>> text_items(["a cat", "a dog", "a cat"]).names
    ('a cat', 'a dog', 'a cat #2')
    """

    def raw(count: int, size: int, start: int) -> Iterator[list[str]]:
        for first in range(start, count, size):
            yield list(texts[first : min(first + size, count)])

    called = tuple(map(str, names)) if names is not None else _named(texts)
    return Items(called, "text", raw, lambda: hashlib.sha256("\0".join(texts).encode()).hexdigest(), place)


def _named(texts: Sequence[str]) -> tuple[str, ...]:
    seen: Counter[str] = Counter()
    names = []
    for text in texts:
        short = text.strip() if len(text.strip()) <= SHOWN else f"{text.strip()[: SHOWN - 1]}…"
        seen[short] += 1
        names.append(short if seen[short] == 1 else f"{short} #{seen[short]}")
    return tuple(names)

"""Triplets: of three objects two are alike, and one is the odd one out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import comb
from pathlib import Path
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from syzygy.dimensions.odd_one_out import choosing, combinations, reading
from syzygy.dimensions.odd_one_out.choosing import ORDERS, Choice, Similarity, chosen
from syzygy.dimensions.odd_one_out.given import Array, embedded, first_wrong, objects_of
from syzygy.dimensions.odd_one_out.sides import sides
from syzygy.errors import DataError, ShapeError, SpecificationError, UnknownName

Sampling = Literal["uniform", "balanced"]


@dataclass(frozen=True, eq=False)
class Triplets:
    """Choices: which two of three objects are alike.

    The same three objects may be there more than once, as where several people were asked.

    Attributes
    ----------
    choices
        ``(triplet, 3)``, numbers of objects from 0: the two that are alike first, the odd one last.
    objects
        How many there are, including those in no triplet.
    names
        Of the objects, or None.
    ties
        Triplets of which no pair came first, so that one was drawn by luck.

    Raises
    ------
    ShapeError
        Choices that are not three columns, or names that are not as many as the objects.
    DataError
        No choices, numbers that are not whole, an object that does not exist, or one that is in a triplet twice.

    Examples
    --------
    >>> some = Triplets(np.array([[0, 1, 2], [3, 1, 0]]), objects=4)
    >>> len(some), some.choices[:, 2].tolist()
    (2, [2, 0])
    """

    choices: NDArray[np.int32]
    objects: int
    names: tuple[str, ...] | None = None
    ties: int = 0

    def __post_init__(self) -> None:
        given = objects_of(self.choices, self.objects)
        if self.names is not None and len(self.names) != self.objects:
            raise ShapeError(f"{self.objects} objects have {len(self.names)} names; give one for each")
        object.__setattr__(self, "choices", given.astype(np.int32))

    def __len__(self) -> int:
        return len(self.choices)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.choices, dtype=dtype, copy=copy)

    @classmethod
    def of(cls, given: "Triplets | ArrayLike", objects: int | None = None) -> "Triplets":
        """Take triplets as they are, or numbers ``(triplet, 3)`` as choices, by default of the objects that they name.

        Raises
        ------
        ShapeError, DataError
            What are no triplets, or triplets of other objects.

        Examples
        --------
        >>> Triplets.of([[0, 1, 2], [4, 1, 0]]).objects
        5
        """
        if isinstance(given, Triplets):
            if objects not in (None, given.objects):
                raise ShapeError(f"triplets of {given.objects} objects do not fit those of {objects} that are learned")
            return given
        choices = np.asarray(given)
        named = int(choices.max()) + 1 if choices.size and choices.dtype.kind in "iu" else 0
        return cls(choices, named if objects is None else objects)

    @classmethod
    def drawn(
        cls,
        representations: ArrayLike,
        count: int,
        *,
        similarity: Similarity = "dot",
        choice: Choice = "argmax",
        temperature: float = 1.0,
        sampling: Sampling = "uniform",
        rectified: bool = False,
        names: Sequence[str] | None = None,
        seed: int = 0,
    ) -> Self:
        """Draw different triplets, and let representations choose the pair that is most alike.

        Parameters
        ----------
        representations
            ``(object, unit)``.
        count
            Of triplets: no three objects are drawn twice, in any order.
        similarity
            Of two objects: ``dot`` product, ``cosine``, or ``euclidean`` (minus the distance).
        choice
            ``argmax``, ties by luck; or ``sampled`` from the softmax of the three similarities.
        temperature
            By which similarities are divided before the softmax.
        sampling
            ``uniform``: every set of triplets is as likely; ``balanced``: objects occur equally often.
        rectified
            Whether negative values are taken as 0 before, as Mahner et al. (2025) do.
        names
            Of the objects.
        seed
            Of triplets, choices and luck, which do not depend on each other.

        Raises
        ------
        ShapeError
            What is not ``(object, unit)`` with at least 3 objects.
        DataError
            What is no finite number.
        SpecificationError
            More triplets than there are, none, or an option out of range.

        Examples
        --------
        >>> x = np.array([[3.0, 0.0], [2.0, 1.0], [0.0, 4.0], [0.0, 5.0]])
        >>> sorted(Triplets.drawn(x, 4).choices.tolist())
        [[0, 1, 2], [0, 1, 3], [2, 3, 0], [2, 3, 1]]
        """
        for name, value, kind in (
            ("similarity", similarity, Similarity), ("choice", choice, Choice), ("sampling", sampling, Sampling),
        ):  # fmt: skip
            if value not in get_args(kind):
                raise UnknownName(name, str(value), get_args(kind))
        if not 0 < temperature < np.inf:
            raise SpecificationError(f"temperature must be positive and finite, got {temperature}")
        x = embedded(representations, least=3, what="representations")
        if not 1 <= count <= comb(len(x), 3):
            raise SpecificationError(
                f"{len(x)} objects have {comb(len(x), 3):,} different triplets; ask for 1 to all of them, not {count:,}"
            )
        where = getattr(combinations, sampling)(len(x), count, np.random.default_rng([seed, 0]))
        triplets = combinations.unranked(where, len(x))
        values = choosing.similarities(np.maximum(x, 0) if rectified else x, triplets, similarity)
        pair, ties = chosen(values, choice, temperature, np.random.default_rng([seed, 1]))
        choices = np.take_along_axis(triplets, ORDERS[pair], axis=1)
        return cls(choices.astype(np.int32), len(x), tuple(names) if names is not None else None, ties)

    @classmethod
    def sampled(
        cls,
        embedding: ArrayLike,
        count: int,
        *,
        temperature: float = 1.0,
        names: Sequence[str] | None = None,
        seed: int = 0,
    ) -> Self:
        """Draw different triplets and sample choices from the softmax of an embedding's dot products.

        These are choices as the model of :class:`OddOneOut` makes them; as :meth:`drawn`, with its other defaults.
        """
        return cls.drawn(embedding, count, choice="sampled", temperature=temperature, names=names, seed=seed)

    @classmethod
    def read(
        cls, path: Path | str, *, objects: int | None = None, names: Sequence[str] | None = None, odd: int | str = 2
    ) -> Self:
        """Read choices from a file, a line for each; blank lines do not count.

        Parameters
        ----------
        path
            A ``.csv``, ``.tsv`` or ``.txt`` file (columns between white space) of three columns, or ``.npy`` of
            ``(triplet, 3)``.  Columns are the two objects that were alike, then the odd one.
        objects
            How many there are; by default as many as names, or the largest number and one.
        names
            Of the objects: then the file has these.  Without, it has numbers, from 0.
        odd
            The column of the odd object: its place, from 0, or its name; then the first line has the columns' names.

        Raises
        ------
        DataError
            A file that cannot be read, an empty one, or a line that is no triplet, named by its number.
        SpecificationError
            Another kind of file, a column that does not exist, or names that are not different.
        ShapeError
            Names that are not as many as the objects.
        """
        if names is not None and len(set(names)) < len(names):
            raise SpecificationError("names of objects must be different; some are there twice")
        choices, lines = reading.read(Path(path), names, odd)
        most = objects if objects is not None else len(names) if names is not None else int(choices.max()) + 1
        if (wrong := first_wrong(choices, most)) is not None:
            row, says = wrong
            raise DataError(f"{path}, line {lines[row]}: the triplet {says}")
        return cls(choices.astype(np.int32), most, tuple(names) if names is not None else None)

    def split(self, shares: Sequence[float] = (0.9, 0.1), seed: int = 0) -> tuple[Self, ...]:
        """Part triplets so that the same three objects are never on two sides, however often and in what order.

        Parameters
        ----------
        shares
            Of the different triplets, one for each side; together at most 1.
        seed
            Of which goes where.  Within a side triplets keep their order.

        Returns
        -------
        tuple of Triplets
            One for each share.  Of ``ties`` nothing is known: it is 0.

        Raises
        ------
        SpecificationError
            Shares that are not positive or exceed 1 together, or a side that would be empty.
        """
        every = sides(self.choices, shares, np.random.default_rng([seed, 2]))
        return tuple(replace(self, choices=self.choices[side], ties=0) for side in every)

    def similarities(self, embedding: ArrayLike) -> Array:
        """Give the dot products of the three pairs, ``(triplet, 3)``: chosen; first & odd; second & odd.

        Raises
        ------
        ShapeError
            An embedding that is not ``(object, dimension)`` of these objects.
        DataError
            What is no finite number.
        """
        x = embedded(embedding, least=3, dimensions=0)
        if len(x) != self.objects:
            raise ShapeError(f"the embedding has {len(x)} objects, and the triplets {self.objects}; give the same")
        return choosing.similarities(x, self.choices)

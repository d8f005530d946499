"""All pairs of one measure: each representation is prepared once, and tiles are computed one after the other."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final

from syzygy.alignment.calibration import compared, half_sampled
from syzygy.alignment.layout import Layout, formed, layout, widest
from syzygy.alignment.settings import Settings
from syzygy.alignment.shelf import Shelf
from syzygy.alignment.tiles import Answers, Tile, tiles
from syzygy.chance import false_discovery, intervals
from syzygy.files import write_text
from syzygy.measures import Measure
from syzygy.measures.measure import Array, Prepared
from syzygy.representations import Representations

#: Keeps the bytes of what is prepared of the widest, beside the finished tiles.
SIZE: Final = "size"

#: Called with the share of all work that was just done.
Progress = Callable[[float], None]


class Engine:
    """All pairs of one measure.

    Parameters
    ----------
    measure, representations, settings
        What is compared, by what, and how.
    measures
        How many measures' answers are held besides.
    scratch
        Where what was prepared waits, if memory does not hold it.
    kept
        Where finished tiles are kept; None keeps none.
    """

    def __init__(self, measure: Measure, representations: Representations, settings: Settings, *, measures: int = 1,
                 scratch: Path, kept: Path | None = None):  # fmt: skip
        self._first = widest([one.units for one in representations])
        self._shape = (len(representations), representations.item_count, representations[self._first].units)
        self.measure = formed(measure, self._shape, measures, settings)
        self.some, self.settings, self.measures, self.scratch = representations, settings, measures, scratch
        self.answers = Answers(len(representations), measure.symmetric, kept)
        self._made: Prepared | None = None
        self.draws, self.samples = (draw(representations.item_count) for draw in (settings.draws, settings.samples))

    def run(self, progress: Progress | None = None) -> dict[str, Array]:
        """Compute what is missing, and give everything, ``(representation, other representation)``."""
        report: Progress = progress or (lambda _: None)
        cut = self.cut()
        every = self.tiles(cut)
        missing = self.answers.missing(every)
        share = 0.5 / sum(tile.pairs for tile in every)
        report(share * sum(tile.pairs for tile in set(every) - set(missing)))
        needed = {index for tile in missing for index in (*tile.rows, *tile.columns)}
        shelf = self.prepared(needed, cut, report)
        for tile in missing:
            self.answers.put(tile, self._tile(tile, shelf))
            report(share * tile.pairs)
        shelf.clear()
        return self.answers.arrays | {"q": false_discovery(self.answers.arrays["p"], symmetric=self.measure.symmetric)}

    def cut(self) -> Layout:
        """Say how all pairs are cut: prepare the widest, and see how large that is, unless it has been seen."""
        seen = self.answers.folder and self.answers.folder / SIZE
        if seen and seen.is_file():
            return layout(self.measure, self._shape, int(seen.read_text()), self.measures, self.settings)
        self._made = self._prepare(self._first)
        size = sum(array.nbytes for array in self._made.values())
        cut = layout(self.measure, self._shape, size, self.measures, self.settings)
        if not cut.held:
            Shelf(len(self.some), self.scratch).put(self._first, self._made)
            self._made = None
        if seen:
            write_text(seen, str(size))
        return cut

    def tiles(self, cut: Layout) -> list[Tile]:
        """Give all tiles."""
        return tiles(len(self.some), cut.side, self.measure.symmetric)

    def prepared(self, needed: Collection[int], cut: Layout, report: Progress | None = None) -> Shelf:
        """Prepare what is needed and not yet there."""
        shelf = Shelf(len(self.some), None if cut.held else self.scratch)
        made, self._made = self._made, None
        for index in range(len(self.some)):
            if index in needed and index not in shelf:
                shelf.put(index, made if made and index == self._first else self._prepare(index))
            if report:
                report(0.5 / len(self.some))
        return shelf

    def _prepare(self, index: int) -> Prepared:
        return self.measure.prepare(self.some.values(index, self.measure), self.settings.work)

    def _tile(self, tile: Tile, shelf: Shelf) -> dict[str, Array]:
        left: list[Prepared] = shelf.some(tile.rows)
        right = None if tile.square else shelf.some(tile.columns)
        found = compared(self.measure, left, right, draws=self.draws, work=self.settings.work)
        if self.samples is not None:
            mine = self._values(tile.rows)
            others = None if tile.square else self._values(tile.columns)
            sampled = half_sampled(self.measure, mine, others, self.samples, self.settings.work)
            found["low"], found["high"] = intervals(found["score"], sampled)
        return found

    def _values(self, places: range) -> list[Array]:
        return [self.some.values(index, self.measure) for index in places]

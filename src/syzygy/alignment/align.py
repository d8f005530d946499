"""The one call: representations and measures in, every pair out."""

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from syzygy.alignment.alignment import ALIGNMENT, Alignment
from syzygy.alignment.engine import Engine, Progress
from syzygy.alignment.question import alone, asked
from syzygy.alignment.settings import Settings, in_bytes
from syzygy.errors import SpecificationError
from syzygy.linalg.work import Precision
from syzygy.measures import Measure, measure
from syzygy.representations import Representations

SCRATCH, TILES = "prepared", "tiles"


def align(
    representations: Any,
    measures: str | Measure | Iterable[str | Measure] = ("cka",),
    *,
    permutations: int = 100,
    bootstrap: int = 0,
    seed: int = 0,
    dtype: Precision = "float32",
    device: str | None = None,
    memory: str | int = "4GB",
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> Alignment:
    """Compare every two representations of the same items, against chance.

    Parameters
    ----------
    representations
        Whatever holds them: see :meth:`~syzygy.representations.Representations.of`.
    measures
        Names, with options as in ``cka:estimator=biased``, or measures.
    permutations
        So often items are shuffled where chance has no closed form; 0 leaves chance open there.
    bootstrap
        So many halves of the items are drawn for ``low`` and ``high``, the ends of an interval of 95%; 0 gives none.
    seed
        Of both.  The same seed draws the same items for every pair.
    dtype
        Precision of large products; their sums are accumulated in float64.
    device
        Of PyTorch, as in ``cuda``; by default NumPy computes.
    memory
        For what is held at once, as in ``4GB``, beside the interpreter's own 0.4 GB.  What does not fit waits on disk.
    out
        A folder.  What is finished is kept there; the same call goes on where it stopped, and ends with
        ``alignment.zarr`` in it (:meth:`Alignment.read`).  Without one nothing stays.
    progress
        Called with the share of the work that was just done; the shares add up to 1.

    Raises
    ------
    UnknownName
        A measure, an option or a precision that does not exist.
    SpecificationError
        Another argument that cannot be, or too little memory for a single pair.
    RunError
        A folder with another comparison, or one in use.
    ShapeError, DataError
        Representations that cannot be compared.

    Examples
    --------
    >>> import numpy as np
    >>> x, y, z = np.random.default_rng(0).normal(size=(3, 50, 8))
    >>> alignment = align({"x": x, "x turned": x[:, ::-1], "y": y, "x and y": x + y}, ["cka", "procrustes"])
    >>> alignment.score("cka").sel(representation="x").values.round(2)
    array([ 1.  ,  1.  , -0.01,  0.52])
    """
    some = Representations.of(representations)
    chosen = chosen_of(measures)
    settings = Settings(dtype, device, in_bytes(memory), permutations, bootstrap, seed)
    with _folder(out, chosen, some, settings) as folder:
        if out is not None and (folder / ALIGNMENT).is_dir():
            return Alignment.read(folder, some)
        found = []
        for place, one in enumerate(chosen):
            kept = None if out is None else folder / TILES / str(place)
            engine = Engine(one, some, settings, measures=len(chosen), scratch=folder / SCRATCH / str(place), kept=kept)
            found.append(engine.run(progress and _part(progress, len(chosen))))
        alignment = Alignment.of(chosen, some, found, settings)
        if out is not None:
            alignment.write(folder)
            for done in (TILES, SCRATCH):
                shutil.rmtree(folder / done, ignore_errors=True)
        return alignment


def chosen_of(measures: str | Measure | Iterable[str | Measure]) -> list[Measure]:
    """Find the measures, each once."""
    chosen = [measure(one) for one in ([measures] if isinstance(measures, str | Measure) else measures)]
    labels = [one.label for one in chosen]
    if not chosen:
        raise SpecificationError("no measure was given; give at least one, as in measures=['cka']")
    if twice := [label for label in labels if labels.count(label) > 1]:
        raise SpecificationError(f"measure {twice[0]} was given more than once")
    return chosen


@contextmanager
def _folder(out: str | Path | None, chosen: list[Measure], some: Representations, settings: Settings) -> Iterator[Path]:
    if out is None:
        with TemporaryDirectory(prefix="syzygy-", ignore_cleanup_errors=True) as folder:
            yield Path(folder)
    else:
        with alone(Path(out), asked(chosen, some, settings)):
            yield Path(out)


def _part(progress: Progress, parts: int) -> Progress:
    return lambda share: progress(share / parts)

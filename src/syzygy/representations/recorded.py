"""Trainings that were recorded: a trajectory in memory, or the folder of a run."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cache, partial
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from syzygy.axes import STEP
from syzygy.errors import DataError, SpecificationError, UnknownName
from syzygy.journal import counted
from syzygy.recording import Schedule
from syzygy.representations.formats import Found
from syzygy.representations.labelled import joined
from syzygy.representations.representation import Representation
from syzygy.representations.unchanged import Read, reading, unchanged
from syzygy.representations.zarrs import opened
from syzygy.trajectory import LAYERS, Trajectory

#: Steps that are wanted: ``last``, ``first``, ``all``, ``log N``, ``every N``, or numbers.
Steps = str | Sequence[int]

#: Where a run keeps what was trained, and what says that it is a run.
TRAJECTORIES, SPECIFICATION = "trajectories", "specification.json"
TREES: Final = "*.zarr"


@dataclass(frozen=True)
class Record:
    """Networks of one architecture, recorded while they learned.

    ``items(layer)`` names a layer's items, ``units(layer)`` counts its units, ``read(layer, network, place)`` gives
    what was seen at a place among the steps, and ``watched(layer, place)`` makes that refuse files that have changed.
    """

    name: str
    layers: tuple[str, ...]
    steps: NDArray[np.int64]
    seeds: tuple[int, ...]
    gains: tuple[float, ...]
    fates: tuple[str, ...]
    items: Callable[[str], tuple[str, ...]]
    loss: NDArray[Any]
    units: Callable[[str], int]
    read: Callable[[str, int, int], NDArray[Any]]
    file: Path | None = None
    watched: Callable[[str, int], Callable[[Read], Read]] = lambda _layer, _place: lambda read: read

    @classmethod
    def of(cls, trajectory: Trajectory, name: str = "") -> Self:
        """Take a trajectory in memory, or one that is read when it is asked."""
        return cls(
            name or _called(trajectory.about),
            trajectory.layers,
            trajectory.steps,
            tuple(trajectory.seeds.tolist()),
            tuple(trajectory.gains.tolist()),
            trajectory.fates,
            cache(trajectory.items_of),
            trajectory.loss,
            trajectory.units_of,
            trajectory.seen,
        )

    @classmethod
    def growing(cls, path: Path, name: str = "") -> Self:
        """Open a journal's trajectory, which may be growing: steps that are there stay as they are."""
        tree = counted(path)

        def watched(layer: str, place: int) -> Callable[[Read], Read]:
            return unchanged(path, tree.files_of(layer, place))

        found = cls.of(tree.trajectory, name)
        return replace(found, loss=np.full_like(found.loss, np.nan), file=path, watched=watched)

    @classmethod
    def at(cls, folder: Path, name: str = "") -> Self:
        """Open a trajectory on disk; representations are read when they are asked for."""
        group, watched = opened(folder), unchanged(folder)
        with reading(folder):
            layers = tuple(json.loads(group.attrs[LAYERS]))
            arrays = {layer: group[f"{LAYERS}/{layer}/representation"] for layer in layers}
            items = tuple(json.loads(group.attrs["items"]))
            return cls(
                name or _called(json.loads(group.attrs["about"])),
                layers,
                group[STEP][:],
                tuple(group["seed"][:].tolist()),
                tuple(group["gain"][:].tolist()),
                tuple(json.loads(group.attrs["fates"])),
                lambda _layer: items,
                group["loss"][:],
                lambda layer: int(arrays[layer].shape[-1]),
                lambda layer, network, step: np.asarray(arrays[layer][network, step]),
                folder,
                lambda _layer, _place: watched,
            )


def recorded(records: Sequence[Record], layers: Sequence[str] | None = None, steps: Steps = "last") -> Found:
    """Give every network, layer and step of recorded trainings.

    Parameters
    ----------
    records
        What was recorded.
    layers
        Names of layers, or patterns as in ``hidden.*``; all by default.
    steps
        ``last`` (of each network), ``first``, ``all``, ``log N`` or ``every N`` (the nearest that were recorded), or
        numbers of steps that were.

    Returns
    -------
    tuple
        Representations, and a line for each network that is left out because it diverged.

    Raises
    ------
    UnknownName
        A layer that no network has.
    SpecificationError
        Steps that were not recorded.
    DataError
        No network is left.
    """
    known = tuple(dict.fromkeys(layer for record in records for layer in record.layers))
    wanted = known if layers is None else [layer for one in layers for layer in _matching(one, known)]
    found: list[Representation] = []
    left_out = []
    for record, names in zip(records, _names(records), strict=True):
        for network, (name, fate) in enumerate(zip(names, record.fates, strict=True)):
            if fate == "diverged":
                left_out.append(f"{name} diverged")
                continue
            found += _of_network(record, network, name, wanted, steps)
    if not found:
        raise DataError(f"no network is left to compare; {'; '.join(left_out[:3]) or 'none was recorded'}")
    return found, left_out


def stored(folder: Path) -> list[Record] | None:
    """Open what a run, or a folder of trajectories, holds; None if the folder is neither.

    Raises
    ------
    DataError
        A run in which nothing has been trained, or whose trajectories lie elsewhere.
    """
    run = (folder / SPECIFICATION).is_file()
    place = folder / TRAJECTORIES if run else folder
    trees = sorted(place.glob(TREES)) if place.is_dir() else []
    if run and not trees:
        shared = folder.resolve().parent / TRAJECTORIES
        remedy = f"; runs beside it share {shared}, which can be compared" if shared.is_dir() else "; run it first"
        raise DataError(f"{folder} holds no finished trajectories{remedy}")
    return [Record.at(tree) for tree in trees] or None


def picked(recorded_at: NDArray[np.int64], asked: Steps) -> Iterator[int]:
    """Give the places of the steps that were asked for among those that were recorded, rising.

    Examples
    --------
    >>> list(picked(np.array([0, 10, 100, 1000]), "log 4"))
    [0, 1, 3]
    """
    if not isinstance(asked, str):
        wanted = [int(step) for step in asked]
        if missing := [step for step in wanted if step not in recorded_at]:
            shown = ", ".join(map(str, recorded_at[:8])) + (" …" if len(recorded_at) > 8 else "")
            raise SpecificationError(f"step {missing[0]} was not recorded; recorded are {shown}")
    elif asked in ("last", "first", "all"):
        last = len(recorded_at) - 1
        yield from {"last": [last], "first": [0], "all": range(last + 1)}[asked]
        return
    else:
        wanted = Schedule.parse(asked).at(int(recorded_at[-1])).tolist()
    yield from sorted({int(np.abs(recorded_at - step).argmin()) for step in wanted})


def _of_network(
    record: Record, network: int, name: str, layers: Sequence[str], steps: Steps
) -> Iterator[Representation]:
    # What a network did not live to see has no loss; where nobody told any, all of it is there.
    told = np.flatnonzero(np.isfinite(record.loss[network]))
    there = np.arange(told[-1] + 1 if len(told) else len(record.steps))
    for layer in (layer for layer in layers if layer in record.layers):
        items = record.items(layer)
        for place in there[list(picked(record.steps[there], steps))]:
            read = partial(record.read, layer, network, int(place))
            where = {
                "network": record.name,
                "seed": record.seeds[network],
                "gain": record.gains[network],
                "layer": layer,
                "step": int(record.steps[place]),
            } | ({} if record.file is None else {"file": str(record.file)})
            yield Representation(
                joined(name, layer, f"step {record.steps[place]}"),
                record.watched(layer, int(place))(read),
                (len(items), record.units(layer)),
                items,
                where,
            )


def _names(records: Sequence[Record]) -> list[list[str]]:
    """Name every network by its kind and seed; by its gain and its file too where that is not enough."""
    plain = [[joined(one.name, f"seed {seed}") for seed in one.seeds] for one in records]
    gained = [
        [joined(one.name, f"gain {gain:g}", f"seed {seed}") for seed, gain in zip(one.seeds, one.gains, strict=True)]
        for one in records
    ]
    filed = [
        [joined(one.file.stem if one.file else str(index), name) for name in names]
        for index, (one, names) in enumerate(zip(records, gained, strict=True))
    ]
    for names in (plain, gained):
        if max(Counter(name for some in names for name in some).values(), default=1) == 1:
            return names
    return filed


def _matching(pattern: str, known: Sequence[str]) -> list[str]:
    matching = [layer for layer in known if fnmatchcase(layer, pattern)]
    if not matching:
        raise UnknownName("layer", pattern, known)
    return matching


def _called(about: Any) -> str:
    """Give the name of the network in what a trajectory says it was made by."""
    network = about.get("network") if isinstance(about, dict) else None
    return str(network.get("name", "network")) if isinstance(network, dict) else "network"

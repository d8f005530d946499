"""What is asked of which recording: checked before anything is fitted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from syzygy.errors import DataError, SpecificationError
from syzygy.explanation.question import Asked, Places, chosen_layers, chosen_pairs
from syzygy.explanation.seen import Seen
from syzygy.trajectory import Trajectory

Given = Trajectory | Mapping[str, Trajectory]


@dataclass(frozen=True)
class Part:
    """One recording: its name, what of it can be asked about, and the places of each pair's items."""

    name: str
    seen: Seen
    pairs: Places

    @property
    def layers(self) -> tuple[str, ...]:
        """Layers that are asked about."""
        return self.seen.layers

    @property
    def work(self) -> int:
        """Curves to fit."""
        return len(self.layers) * len(self.seen.networks) * len(self.pairs)


@dataclass(frozen=True)
class Inquiry:
    """All recordings, and a line for everything that must be left out."""

    parts: tuple[Part, ...]
    left_out: tuple[str, ...]


def inquiry(given: Given, layers: Sequence[str] | None, pairs: Asked, fitted: float, seed: int) -> Inquiry:
    """Check what is asked, and see what can be.

    Raises
    ------
    SpecificationError
        A share, a number or a seed that cannot be.
    UnknownName
        A layer or an item that nobody recorded.
    DataError
        Nothing is left to ask about; why, if there is one recording.
    """
    if not (isinstance(fitted, int | float) and 0.1 <= fitted <= 0.9):
        raise SpecificationError(f"rates are fitted to a share of the steps from 0.1 to 0.9, got {fitted!r}")
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise SpecificationError(f"seed must be a whole number from 0, got {seed!r}")
    trajectories = {_name(given): given} if isinstance(given, Trajectory) else dict(given)
    if not trajectories:
        raise DataError("no recording was given")
    known = tuple(dict.fromkeys(layer for one in trajectories.values() for layer in one.layers))
    wanted = chosen_layers(layers, known)
    parts, left_out, alone = [], [], len(trajectories) == 1
    for name, one in trajectories.items():
        some = [layer for layer in wanted if layer in one.layers]
        if not some:
            left_out.append(f"{name} has none of the layers asked for")
            continue
        try:
            seen = Seen.of(one, some, fitted)
        except DataError as why:
            if alone:
                raise
            left_out.append(f"{name}: {why}")
            continue
        left_out += seen.left_out if alone else [f"{name}: {line}" for line in seen.left_out]
        chosen = chosen_pairs(pairs, one.items, one.targets, seen.items, seed)
        if not chosen:
            raise DataError("no two items differ in their targets; ask about all pairs")
        number = len(seen.items) * (len(seen.items) - 1) // 2
        if pairs is None and len(chosen) < number:
            left_out.append(f"{len(chosen)} of {number} pairs were drawn; ask for all, or for another number")
        parts.append(Part(name, seen, chosen))
    if not parts:
        raise DataError(f"nothing is left to ask about: {'; '.join(left_out[:3])}")
    return Inquiry(tuple(parts), tuple(left_out))


def _name(trajectory: Trajectory) -> str:
    network = trajectory.about.get("network")
    return str(network.get("name", "network")) if isinstance(network, Mapping) else "network"

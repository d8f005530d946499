"""What can be trained: known by what was asked, found in a store or put there."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from syzygy.store import Store

#: Called with the work done since the last call, in the units of :attr:`Trainable.work`.
Progress = Callable[[float], None]


class Trainable(Protocol):
    """What a study needs trained: networks of the catalogue, or what only this study has."""

    @property
    def seeds(self) -> tuple[int, ...]:
        """One network, or fit, each."""

    @property
    def work(self) -> float:
        """About how long it takes, in multiplications."""

    @property
    def needs(self) -> Sequence["Trainable"]:
        """Others, whose trajectories must be in the store before it can begin."""

    def asked(self) -> dict[str, Any]:
        """Give what identifies the numbers, fit for JSON."""

    def parts(self) -> Sequence["Trainable"]:
        """Split it into those that train best apart."""

    def there(self, store: Store) -> bool:
        """Whether a store has what came of it."""

    def into(self, store: Store, progress: Progress | None = None) -> None:
        """Train, from where the last attempt stopped, and put into the store what came of it."""

"""Everything Syzygy raises on purpose, as a tree.

.. code-block:: text

    SyzygyError
    ├── SpecificationError     what was asked cannot be: an unknown name or key, a value out of range
    │   ├── UnknownName        a name that does not exist, with the names that do
    │   └── CannotSplit        a network that a layer does not cut in two
    ├── DataError              what was given cannot be used: missing, truncated or non-finite data
    ├── ShapeError             arrays that do not fit together
    ├── SingularStart          a start from which the theory is undefined
    ├── RunError               a run folder that cannot be used: another run's, unfinished, in use
    └── Diverged               every network left the finite numbers

A message says what was asked, what was given, and what to do.  The command line turns each of these
into one line and exit status 2.
"""

import difflib
from collections.abc import Iterable


class SyzygyError(Exception):
    """Base of everything raised on purpose."""


class SpecificationError(SyzygyError):
    """What was asked cannot be: an unknown key, or a value out of range."""


class UnknownName(SpecificationError):
    """A name that does not exist.

    Parameters
    ----------
    kind
        What was looked for: ``"network"``, ``"study"``, ``"layer"``…
    name
        The name that was given.
    known
        The names that exist; the near ones are shown first, and all of them if they are few.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]):
        self.kind, self.name, self.known = kind, name, tuple(known)
        # All arguments, so that the error survives the way back from another process.
        super().__init__(kind, name, self.known)

    def __str__(self) -> str:
        return f"unknown {self.kind} {self.name!r}; {self._suggest()}"

    def _suggest(self) -> str:
        if not self.known:
            return "there are none"
        near = difflib.get_close_matches(str(self.name), self.known, n=4, cutoff=0.5)
        near_text = f"did you mean {', '.join(near)}? " if near else ""
        shown = ", ".join(self.known[:24]) + (" …" if len(self.known) > 24 else "")
        return f"{near_text}known: {shown}"


class CannotSplit(SpecificationError):
    """A network that a layer does not cut into an encoder and a decoder."""


class DataError(SyzygyError):
    """What was given cannot be used: missing, truncated or non-finite data."""


class ShapeError(SyzygyError):
    """Arrays that do not fit together."""


class SingularStart(SyzygyError):
    """A start from which the theory is undefined, such as two items with one representation."""


class RunError(SyzygyError):
    """A run folder that cannot be used: another run's, unfinished, or in use."""


class Diverged(SyzygyError):
    """Every network of a run left the finite numbers."""


def reason(failed: BaseException) -> str:
    r"""Give the first line of what someone else's code raised, or its name where it said nothing.

    Examples
    --------
    >>> reason(OSError("no such place\ntry another")), reason(KeyError())
    ('no such place', 'KeyError')
    """
    return next((line.strip() for line in str(failed).splitlines() if line.strip()), type(failed).__name__)

"""A model that others made, and how it is called."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import nn

from syzygy.errors import SpecificationError
from syzygy.recording.probe import Inputs

#: What a model reads: images and texts are prepared for it, arrays are given as they are.
Kind = Literal["image", "text", "array"]
Prepare = Callable[[Sequence[Any]], Inputs]
#: Called with one line before code of a file, or the program of an archive, is run; None runs neither.
Allow = Callable[[str], None] | None


@dataclass(frozen=True)
class Source:
    """A model that others made.

    Attributes
    ----------
    name
        As it was asked for.
    model
        In evaluation mode, on the CPU, outside of ``DataParallel`` and ``compile``.
    prepare
        From images (of Pillow) or texts to what the model is called with; None where nothing is known of it.  Texts
        are padded to the longest of those given at once.
    kind
        What it reads.
    example
        A batch of two items with which its layers can be probed; None where nothing is known of its shape.
    about
        Library, version and class; ``weights``, their hash or ``random``; whether they are ``pretrained``, None where
        only the code of a file knows.
    """

    name: str
    model: nn.Module
    prepare: Prepare | None
    kind: Kind
    example: Inputs | None
    about: Mapping[str, Any] = field(default_factory=dict)


def announce(allow_code: Allow, what: str) -> None:
    """Say that code is about to run.

    Raises
    ------
    SpecificationError
        Code was not allowed.
    """
    if allow_code is None:
        raise SpecificationError(f"this {what}; allow it by allow_code=print, if you trust who wrote it")
    allow_code(what)

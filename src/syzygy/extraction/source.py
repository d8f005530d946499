"""From a string to a model that others made."""

import re
from collections.abc import Sequence
from pathlib import Path

from syzygy.errors import DataError, SpecificationError
from syzygy.extraction.sources.factory import factory_source, names_in
from syzygy.extraction.sources.source import Allow, Source
from syzygy.extraction.sources.timm import timm_source
from syzygy.extraction.sources.torchscript import torchscript_source
from syzygy.extraction.sources.torchvision import torchvision_source
from syzygy.extraction.sources.transformers import transformers_source

__all__ = ["FORMS", "LIBRARIES", "Source", "source"]

FORMS = "hf:path/or/name, timm:NAME, torchvision:NAME, torchscript:FILE, path/to/file.py:factory"
LIBRARIES = {"hf": transformers_source, "timm": timm_source, "torchvision": torchvision_source}
ARCHIVES = (".ts", ".pt", ".pth", ".jit", ".torchscript")


def source(
    text: str,
    *,
    random_weights: bool = False,
    seed: int = 0,
    allow_code: Allow = None,
    shape: Sequence[int] | None = None,
) -> Source:
    """Make the model that a string names.

    Parameters
    ----------
    text
        ``hf:path/or/name``, ``timm:NAME``, ``torchvision:NAME``, ``torchscript:FILE`` (or a file that ends in ``.ts``
        or ``.pt``), or ``path/to/file.py:factory``.  What each takes is told by ``docs/extracting.md``.
    random_weights
        An untrained control of the same architecture: no weights are read.
    seed
        Of random weights.
    allow_code
        Called with one line before code of a file, or the program of an archive, is run, as in ``allow_code=print``.
        Without it neither is run.
    shape
        Of one item, for a model whose inputs nothing else tells, as in ``(3, 32, 32)``.

    Raises
    ------
    SpecificationError
        A string of another form; a library that is not installed; code that was not allowed; a control that cannot be
        made; :class:`~syzygy.errors.UnknownName` for a name that a library or a file lacks.
    DataError
        A file that is missing, damaged or of something else; a hub that cannot be reached; code that raises.

    Examples
    --------
    >>> source("bert")
    Traceback (most recent call last):
    ...
    syzygy.errors.SpecificationError: a source is one of hf:path/or/name, timm:NAME, torchvision:NAME, \
torchscript:FILE, path/to/file.py:factory; got 'bert'
    """
    if shape is not None and (not shape or min(shape) < 1):
        raise SpecificationError(f"shape is that of one item, as in 3,32,32; got {','.join(map(str, shape))}")
    asked = {"random_weights": random_weights, "seed": seed, "shape": shape}
    prefix, _, rest = text.partition(":")
    if prefix in LIBRARIES and rest:
        return LIBRARIES[prefix](rest, **asked)  # type: ignore[arg-type]
    code = re.fullmatch(r"(.+\.py):(\w+)", text)
    if code:
        return factory_source(Path(code[1]), code[2], allow_code=allow_code, **asked)  # type: ignore[arg-type]
    if text.endswith((".py", ".py:")):
        file = Path(text.rstrip(":"))
        known = f": {', '.join(names_in(file))}" if file.is_file() else ""
        raise SpecificationError(f"{text} is code; name what makes the model in it, as {file}:factory{known}")
    archive = rest if prefix == "torchscript" else text if text.endswith(ARCHIVES) else ""
    if archive:
        return torchscript_source(Path(archive), allow_code=allow_code, random_weights=random_weights, shape=shape)
    raise _unknown(text)


def _unknown(text: str) -> SpecificationError | DataError:
    if (Path(text) / "config.json").is_file():
        return SpecificationError(f"{text} is a folder; say who shall read it: hf:{text} or timm:{text}")
    if Path(text).is_file():
        return DataError(f"{text} holds no network; name what makes it, and give the file as its checkpoint or data")
    return SpecificationError(f"a source is one of {FORMS}; got {text!r}")

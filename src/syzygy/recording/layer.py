"""Layers by name: a module's path, how its output is pooled, and which of its calls is meant."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from torch import nn

from syzygy.errors import SpecificationError, UnknownName
from syzygy.recording.modules import OUTPUT, modules_of
from syzygy.recording.pooling import POOLINGS, Pooling, checked

AXES = r"(?:@([A-Za-z]+))?"
WRITTEN = re.compile(rf"(?:({'|'.join(POOLINGS)})\((.+?){AXES}\)|(.*?){AXES})(?:#(\d+))?")
#: What a name must not have: names become folders of a store, and these have a meaning there or in :class:`Layer`.
UNSAFE = re.compile(r"[/\\#@()\x00-\x1f\x7f]|^\.|\.\.|\.$")
LONGEST = 200


@dataclass(frozen=True)
class Layer:
    """A watched layer.

    Parameters
    ----------
    path
        As in ``dict(network.named_modules())``; ``output`` is what the network itself gives.
    pooling
        How its output becomes ``(item, unit)``.
    call
        Which of its calls in a forward pass, counted from 1, where a module is called more than once.
    axes
        Order of the axes of its output, a letter each: ``N`` the items, ``C`` the units, any others positions.  By
        default ``NC``, tokens ``NLC``, and maps ``NCHW``, ``NCDHW``, ….  Others must be told: ``NHWC`` for maps with
        channels last, ``TNC`` for tokens before items, ``NCL`` for maps of one dimension.

    Examples
    --------
    >>> Layer.parse("mean(body.layer4)")
    Layer(path='body.layer4', pooling='mean', call=None, axes=None)
    >>> str(Layer.parse("mean(stages.0@NHWC)")), str(Layer.parse("rnn#2"))
    ('mean(stages.0@NHWC)', 'rnn#2')
    """

    path: str
    pooling: Pooling = "flatten"
    call: int | None = None
    axes: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Layer":
        """Read ``path`` and ``mean(path)``, each with ``@NHWC`` behind the path, and with ``#2`` for the second call.

        Raises
        ------
        SpecificationError
            Something that is not written so, or axes without ``N`` or ``C``.
        """
        match = WRITTEN.fullmatch(text.strip())
        if not match or match[6] == "0":
            raise SpecificationError(
                f"a layer is written path, {', '.join(f'{pooling}(path)' for pooling in POOLINGS[1:])}, "
                f"each with #2 for a second call; got {text!r}"
            )
        pooling: Pooling = match[1] or "flatten"  # type: ignore[assignment]  # the pattern has no other
        axes = match[3] or match[5]
        call = int(match[6]) if match[6] else None
        return cls(match[2] or match[4] or "", pooling, call, None if axes is None else checked(axes))

    def __str__(self) -> str:
        path = self.path if self.axes is None else f"{self.path}@{self.axes}"
        pooled = path if self.pooling == "flatten" else f"{self.pooling}({path})"
        return pooled if self.call is None else f"{pooled}#{self.call}"


def layers_of(network: nn.Module, patterns: Sequence[str]) -> list[Layer]:
    """Find the layers that patterns name, in the order of the patterns and then of the network.

    Parameters
    ----------
    network
        Any module.  Paths are those of the network inside of ``DataParallel`` and ``torch.compile``.
    patterns
        As :meth:`Layer.parse` reads them.  In a path ``*``, ``?`` and ``[0-3]`` stand within one name and do not
        cross dots, as in the paths of a shell: ``encoder.layer.*`` are the blocks, and not all that is in them.
        ``**`` stands for any number of names: ``encoder.layer.**`` is all that is in there, ``**.attention`` every
        attention at any depth.  A module in two places is found by patterns once, under its first path; written in
        full, any path does.

    Raises
    ------
    UnknownName
        A pattern that no module's path matches; the near ones are listed.
    SpecificationError
        No pattern, one that cannot be read, or a module whose name could not be a name in a store.

    Examples
    --------
    >>> network = nn.Sequential(nn.Sequential(nn.Linear(2, 2), nn.Tanh()), nn.Linear(2, 1))
    >>> [str(layer) for layer in layers_of(network, ["*", "mean(0.**)"])]
    ['0', '1', 'mean(0.0)', 'mean(0.1)']
    """
    if isinstance(patterns, str) or not patterns:
        raise SpecificationError(
            f"name at least one layer to watch, as in layers=['blocks.3'] or ['blocks.*']; got {patterns!r}"
        )
    modules = modules_of(network)
    first: dict[nn.Module, str] = {}
    for path, module in modules.items():
        first.setdefault(module, path)
    found: dict[Layer, None] = {}
    for pattern in patterns:
        asked = Layer.parse(pattern)
        matching = [asked.path] if asked.path in modules else []
        if not matching:
            names = asked.path.split(".")
            matching = [path for path in first.values() if path != OUTPUT and _matches(path.split("."), names)]
        if not matching:
            raise UnknownName("layer", asked.path, modules)
        found |= dict.fromkeys(replace(asked, path=_safe(path)) for path in matching)
    return list(found)


def path_of(layer: str) -> str:
    """Give the module path of a watched layer, ``path`` or ``mean(path)``.

    Examples
    --------
    >>> path_of("hidden.3"), path_of("mean(body.layer4)")
    ('hidden.3', 'body.layer4')
    """
    return Layer.parse(layer).path


def _matches(names: Sequence[str], patterns: Sequence[str]) -> bool:
    """Whether names match patterns one by one; ``**`` takes any number of names, at its end at least one."""
    if not (names and patterns):
        return not (names or patterns)
    if patterns[0] == "**":
        return len(patterns) == 1 or any(_matches(names[skip:], patterns[1:]) for skip in range(len(names)))
    return fnmatchcase(names[0], patterns[0]) and _matches(names[1:], patterns[1:])


def _safe(path: str) -> str:
    if UNSAFE.search(path) or len(path.encode()) > LONGEST:
        raise SpecificationError(
            f"layer {path!r} cannot be kept under its name, which must have no / \\ # @ ( ), empty parts or control "
            f"characters, and {LONGEST} bytes at most; rename the module, or watch one around it"
        )
    return path

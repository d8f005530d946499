"""How the arrays of a recording are cut into chunks, and how those are stored."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numcodecs import get_codec  # type: ignore[import-untyped]

from syzygy.axes import ITEM, NETWORK, STEP
from syzygy.journal.manifest import Precision
from syzygy.trajectory import Trajectory

#: Most bytes of a chunk, and of one chunk of every layer: what is held while a step is written.
CHUNK_BYTES: Final = 16_000_000
HELD_BYTES: Final = 64_000_000

#: Numbers of one axis lie together: steps and losses.
STEPS_TOGETHER: Final = 1024


def encoded_as(empty: Trajectory, precision: Precision) -> dict[str, dict[str, Any]]:
    """Say how each array of a trajectory is cut and stored, in the words of xarray.

    Parameters
    ----------
    empty
        A trajectory of no steps, which has everything else.
    precision
        Of representations on disk; whoever reads gets float32.
    """
    items, encoding = chunk_items(empty), {}
    for node in empty.tree.subtree:
        encoding[node.path] = {
            str(name): {
                "chunks": _chunks(dict(variable.sizes), items),
                "compressors": None,
                "filters": [*_narrowed(str(name), precision), get_codec({"id": "crc32"})],
                "_FillValue": np.nan if variable.dtype.kind == "f" else None,
            }
            for name, variable in node.to_dataset(inherit=False).variables.items()
        }
    return encoding


def chunk_items(empty: Trajectory) -> int:
    """Say how many items lie in a chunk, the same at every layer, so that batches fill all layers' chunks at once."""
    count = len(empty.items)
    widths = [4 * int(np.prod(empty.watched(layer).shape[3:])) for layer in empty.layers]
    widths.append(4 * empty.outputs.shape[-1])
    most = max(1, min(CHUNK_BYTES // max(1, *widths), HELD_BYTES // max(1, sum(widths))))
    return -(-count // -(-count // most))


def _chunks(sizes: Mapping[Any, int], items: int) -> tuple[int, ...]:
    """Cut an array: one step and so many items of what items give, and many steps of what they do not."""
    cut = {str(dim): max(1, size) for dim, size in sizes.items()}
    if STEP in sizes:
        cut |= {STEP: 1, ITEM: items} if ITEM in sizes else {STEP: STEPS_TOGETHER}
    elif ITEM in sizes:
        row = 8 * int(np.prod([size for dim, size in cut.items() if dim != ITEM]))
        cut[ITEM] = max(1, min(cut[ITEM], CHUNK_BYTES // row))
    return tuple(1 if dim == NETWORK else cut[dim] for dim in map(str, sizes))


def _narrowed(name: str, precision: Precision) -> list[Any]:
    """Narrow representations on their way to disk; whoever reads gets float32."""
    narrow = {"id": "astype", "encode_dtype": "<f2", "decode_dtype": "<f4"}
    return [get_codec(narrow)] if name == "representation" and precision == "float16" else []

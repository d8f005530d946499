"""What several rooms compute: products at a stated precision, matrices of items."""

from syzygy.linalg.gram import centred, double_centred, pack, u_centred, unpack
from syzygy.linalg.work import FLOAT32, FLOAT64, Work

__all__ = ["FLOAT32", "FLOAT64", "Work", "centred", "double_centred", "pack", "u_centred", "unpack"]

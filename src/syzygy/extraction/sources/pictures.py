"""Images as an image network wants them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from syzygy.errors import ShapeError


@dataclass(frozen=True)
class Pictures:
    """Prepare images one by one, and stack them.

    Parameters
    ----------
    transform
        From one image of Pillow to ``(channel, height, width)``.
    channels
        1 for a network of grey images; all others see colour.
    """

    transform: Callable[[Image.Image], Tensor]
    channels: int = 3

    def __call__(self, images: Sequence[Any]) -> Tensor:
        """Give ``(item, channel, height, width)``."""
        made = [self.transform(converted(image, self.channels)) for image in images]
        if len({one.shape for one in made}) > 1:
            raise ShapeError(
                f"images became {sorted({tuple(one.shape) for one in made})}, which is more than one shape"
            )
        return torch.stack(made)


def converted(image: Image.Image, channels: int = 3) -> Image.Image:
    """Give an image in as many channels as a network sees, whatever its file held."""
    return image.convert("L" if channels == 1 else "RGB")


def noise_images(count: int = 2, side: int = 64) -> list[Image.Image]:
    """Draw images of noise, always the same ones, to probe a network with."""
    pixels = np.random.default_rng(0).integers(0, 256, (count, side, side, 3), np.uint8)
    return [Image.fromarray(one) for one in pixels]


def noise(shape: Sequence[int], count: int = 2) -> Tensor:
    """Draw normal numbers ``(item, …)``, always the same ones, to probe a network with."""
    return torch.randn(count, *shape, generator=torch.Generator().manual_seed(0))

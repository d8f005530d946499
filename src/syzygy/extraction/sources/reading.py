"""What prepares texts and images for networks of transformers."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from syzygy.errors import reason
from syzygy.extraction.sources.pictures import converted
from syzygy.extraction.sources.source import Kind, Prepare


@dataclass(frozen=True)
class Texts:
    """Prepare texts: tokens padded on the right to the longest, and a mask of those that count.

    Parameters
    ----------
    tokenizer
        Of transformers.
    model
        That reads the tokens.  A decoder beside an encoder reads the same text, moved right by one after its start
        token, so that all layers see the same positions.
    longest
        Tokens beyond this number are cut off; None for no end.
    """

    tokenizer: Any
    model: nn.Module
    longest: int | None

    def __call__(self, texts: Sequence[str]) -> dict[str, Tensor]:
        """Give ``input_ids``, ``attention_mask`` and what else the model takes, each ``(item, position)``."""
        given = self.tokenizer(
            list(texts), padding=True, truncation=self.longest is not None, max_length=self.longest, return_tensors="pt"
        )
        return self.with_decoder(self.model, _taken(self.model, given))

    @staticmethod
    def with_decoder(model: Any, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Add what a decoder reads, if the model has one beside its encoder."""
        config = model.config
        if not getattr(config, "is_encoder_decoder", False) or "decoder_input_ids" not in _arguments(model):
            return inputs
        tokens = inputs["input_ids"]
        starts = (getattr(config, f"{name}_token_id", None) for name in ("decoder_start", "bos", "pad"))
        start = torch.full_like(tokens[:, :1], next((one for one in starts if one is not None), 0))
        return inputs | {"decoder_input_ids": torch.cat([start, tokens[:, :-1]], 1)}


@dataclass(frozen=True)
class ProcessedPictures:
    """Prepare images with a processor of transformers."""

    processor: Any
    model: nn.Module

    def __call__(self, images: Sequence[Any]) -> dict[str, Tensor]:
        """Give ``pixel_values (item, channel, height, width)`` and what else the model takes."""
        channels = getattr(self.model.config, "num_channels", 3)
        rows = [converted(image, channels) for image in images]
        return _taken(self.model, self.processor(images=rows, return_tensors="pt"))


def as_read_by(transformers: Any, folder: str, model: Any, kind: Kind) -> tuple[Prepare | None, str]:
    """Find what prepares a model's inputs, or why there is nothing.

    Parameters
    ----------
    transformers
        The library.
    folder
        A folder, or a name on the hub.
    model
        That reads what is prepared.
    kind
        ``text`` or ``image``.
    """
    try:
        if kind == "image":
            processor = transformers.AutoImageProcessor.from_pretrained(folder, trust_remote_code=False, backend="pil")
            return ProcessedPictures(processor, model), ""
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except Exception as failed:  # whatever a hub, and a folder without such files, may raise
        return None, f"nothing prepares its {kind}s: {reason(failed)}"
    # Without its files a tokenizer is made all the same, one that knows no words.
    if len(tokenizer) <= len(set(tokenizer.all_special_tokens)):
        return None, "nothing prepares its texts: its tokenizer was not saved with it"
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if tokenizer.pad_token is None:
        return None, "nothing prepares its texts: its tokenizer has no token to pad with"
    tokenizer.padding_side = "right"  # so that positions are those of a text alone
    ends = (tokenizer.model_max_length, getattr(model.config, "max_position_embeddings", None))
    return Texts(tokenizer, model, min((end for end in ends if end and 0 < end < 10**6), default=None)), ""


def _arguments(model: nn.Module) -> Mapping[str, Any]:
    return inspect.signature(model.forward).parameters


def _taken(model: nn.Module, given: Mapping[str, Any]) -> dict[str, Tensor]:
    taken = _arguments(model)
    return {name: value for name, value in given.items() if name in taken}

"""The small encoder–decoder transformer: it reads one sequence, and writes another."""

from typing import Any

import torch
from torch import Tensor, nn

from syzygy.errors import SpecificationError

#: Number of the symbol that fills shorter sequences.
PADDING = 0
#: Units between the two maps of a block's perceptron, for each of its width.
EXPANSION = 2


class EncoderDecoder(nn.Module):
    """Words attend to one another; then actions attend to those before them, and to the words.

    After Vaswani et al. (2017), with normalisation before each part, places that are learned, and no dropout.

    Parameters
    ----------
    words, actions
        Number of symbols read and written; 0 is padding in both.
    longest
        Most positions of what is read, and of what is written.
    width, depth, heads
        Units of a position, blocks of the encoder and of the decoder each, heads of each attention.

    Raises
    ------
    SpecificationError
        Heads that do not divide the width, or a number below 1.

    Examples
    --------
    >>> network = EncoderDecoder(5, 4, longest=(3, 6), width=8, depth=1, heads=2)
    >>> words, before = torch.tensor([[1, 4, 2], [3, 0, 0]]), torch.tensor([[1, 2], [1, 0]])
    >>> network.encode(words).shape, network(words, before).shape
    (torch.Size([2, 3, 8]), torch.Size([2, 2, 4]))
    """

    def __init__(
        self, words: int, actions: int, *, longest: tuple[int, int], width: int = 64, depth: int = 2, heads: int = 4
    ):
        super().__init__()
        if min(words, actions, *longest, width, depth, heads) < 1 or width % heads:
            raise SpecificationError(
                f"an encoder–decoder needs numbers of 1 or more, and heads that divide its width; got width {width}, "
                f"depth {depth}, {heads} heads, {words} words, {actions} actions, longest {longest}"
            )
        self.word, self.action = nn.Embedding(words, width), nn.Embedding(actions, width)
        self.word_place, self.action_place = nn.Embedding(longest[0], width), nn.Embedding(longest[1], width)
        block: dict[str, Any] = {
            "d_model": width, "nhead": heads, "dim_feedforward": EXPANSION * width, "dropout": 0.0,
            "batch_first": True, "norm_first": True,
        }  # fmt: skip
        self.encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(**block), depth, nn.LayerNorm(width), enable_nested_tensor=False
        )
        self.decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(**block), depth, nn.LayerNorm(width))
        self.readout = nn.Linear(width, actions)

    def encode(self, words: Tensor) -> Tensor:
        """Read: ``(item, position)`` to ``(item, position, unit)``; what stands at padding means nothing."""
        out: Tensor = self.encoder(_placed(words, self.word, self.word_place), src_key_padding_mask=words == PADDING)
        return out

    def decode(self, read: Tensor, words: Tensor, before: Tensor) -> Tensor:
        """Write: from what was read, and the symbols before each position, to ``(item, position, symbol)``.

        Parameters
        ----------
        read
            What :meth:`encode` gave for ``words``.
        words
            ``(item, position)``
        before
            The symbol before each position that is written, ``(item, position)``.
        """
        later = torch.ones(before.shape[1], before.shape[1], dtype=torch.bool, device=before.device).triu(1)
        inside = self.decoder(
            _placed(before, self.action, self.action_place),
            read,
            tgt_mask=later,
            memory_key_padding_mask=words == PADDING,
        )
        out: Tensor = self.readout(inside)
        return out

    def forward(self, words: Tensor, before: Tensor) -> Tensor:
        """Map ``(item, position)``, twice, to scores of the symbol at each position, ``(item, position, symbol)``."""
        return self.decode(self.encode(words), words, before)


def _placed(symbols: Tensor, meaning: nn.Embedding, place: nn.Embedding) -> Tensor:
    """Add to each symbol's own vector that of its place."""
    out: Tensor = meaning(symbols) + place.weight[: symbols.shape[1]]
    return out

"""One encoder–decoder that learns to answer commands, an update at a time."""

import math
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from syzygy.networks.encoder_decoder import EncoderDecoder
from syzygy.seeds import generator
from syzygy.tasks.commands import ACTIONS, END, PADDING, WORDS

#: The layer that is watched.
LAYER: Final = "encoder"

#: Numbers of words, and of their actions, ``(item, position)`` each.
Pairs = tuple[Tensor, Tensor]
Rows = dict[str, NDArray[Any]]


class SequenceLearner:
    """A network, what it learns, and where it stands.

    Parameters
    ----------
    network
        On its device, with its initial weights.
    seed
        Fixes the order of commands.
    learned, watched
        What it learns, and where it is watched.
    scored
        The loss is that of the first so many of what is watched.
    batch_size, learning_rate, weight_decay
        Of its updates, by Adam with decay apart from the gradient (Loshchilov & Hutter 2019); without decay that is
        Adam.
    """

    def __init__(
        self, network: EncoderDecoder, seed: int, learned: Pairs, watched: Pairs, *, scored: int, batch_size: int,
        learning_rate: float, weight_decay: float,
    ):  # fmt: skip
        # It is never put into evaluation mode: without dropout that would change nothing but the path PyTorch takes.
        self.network, self.seed = network, seed
        self.learned, self.watched, self.scored, self.batch_size = learned, watched, scored, batch_size
        self.optimiser = torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=weight_decay)

    def update(self, step: int) -> None:
        """Learn from the commands of a step: its share of an epoch, shuffled by seed and epoch."""
        epoch, place = divmod(step, len(self.learned[0]) // self.batch_size)
        order = torch.randperm(len(self.learned[0]), generator=generator(self.seed, "order", epoch))
        chosen = order[place * self.batch_size : (place + 1) * self.batch_size].to(self.learned[0].device)
        words, actions = (part[chosen] for part in self.learned)
        self.optimiser.zero_grad()
        _loss(self.network(words, before(actions)), actions).backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()

    @torch.no_grad()
    def see(self) -> Rows:
        """See the watched commands: the loss of those that are scored, likeliest actions, the encoder's outputs."""
        words, actions = self.watched
        read = self.network.encode(words)
        scores = self.network.decode(read, words, before(actions))
        at_words = read.masked_fill((words == WORDS.index(PADDING))[..., None], math.nan)
        return {
            "loss": _loss(scores[: self.scored], actions[: self.scored]).cpu().numpy(),
            "outputs": scores.argmax(-1).cpu().numpy().astype(np.float32),
            LAYER: at_words.cpu().numpy(),
        }

    def state(self) -> dict[str, Tensor]:
        """Give everything that the next update depends on."""
        moments = self.optimiser.state_dict()["state"]
        kept = {f"optimiser.{index}.{name}": value for index, one in moments.items() for name, value in one.items()}
        return kept | {f"network.{name}": value for name, value in self.network.state_dict().items()}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Set what :meth:`state` gave; other names are left alone."""
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in state.items():
            kind, _, rest = name.partition(".")
            if kind == "optimiser":
                index, _, what = rest.partition(".")
                moments.setdefault(int(index), {})[what] = value
        own = {name.removeprefix("network."): v for name, v in state.items() if name.startswith("network.")}
        self.network.load_state_dict(own)
        self.optimiser.load_state_dict(self.optimiser.state_dict() | {"state": moments})


def before(actions: Tensor) -> Tensor:
    """Give the action before each, ``(item, position)``: the end tells to begin.

    Examples
    --------
    >>> before(torch.tensor([[5, 3, 1, 0]]))
    tensor([[1, 5, 3, 1]])
    """
    begin = torch.full_like(actions[:, :1], ACTIONS.index(END))
    return torch.cat([begin, actions[:, :-1]], dim=1)


def _loss(scores: Tensor, actions: Tensor) -> Tensor:
    return nn.functional.cross_entropy(scores.flatten(0, 1), actions.flatten(), ignore_index=ACTIONS.index(PADDING))

"""Dynamics of a latent that stands still: learned once more, when the encoder no longer moves."""

from typing import Final

import torch
from torch import Tensor

from syzygy.dimensions.latent_dynamics.prior import Langevin
from syzygy.seeds import generator

#: Pairs of a batch, and how much larger steps are than those of the encoder.
BATCH: Final = 1024
FASTER: Final = 5.0


def updates_of(pairs: int) -> int:
    """Count the batches of so many pairs."""
    return max(1, pairs // BATCH)


def learn_dynamics(prior: Langevin, first: Tensor, second: Tensor, epochs: int, rate: float, seed: int) -> None:
    """Fit dynamics to pairs of latents by ``-log r``, with steps that fall evenly to 0.

    While the encoder learns, batches are of one region each and the latent moves; dynamics that are learned from them
    lag behind, and forget one region in another.  Here batches are of pairs in any order.

    Parameters
    ----------
    prior
        Goes on from where it is.
    first, second
        ``(pair, coordinate)``.
    epochs, rate, seed
        So often all pairs, the step of the encoder, and what orders them.

    Examples
    --------
    >>> draw = torch.Generator().manual_seed(0)
    >>> z = torch.randn(4096, 1, generator=draw)
    >>> pulled = z - 0.5 * z + 2**0.5 * torch.randn(z.shape, generator=draw)
    >>> with torch.random.fork_rng():
    ...     _ = torch.manual_seed(0)
    ...     prior = Langevin(1, (8,), "fixed")
    >>> learn_dynamics(prior, z, pulled, epochs=40, rate=0.002, seed=0)
    >>> prior.force(torch.ones(1, 1)).item() < -0.3
    True
    """
    prior.refer(first)
    batch = min(BATCH, len(first))
    updates = updates_of(len(first))
    optimiser = torch.optim.Adam(prior.parameters(), lr=FASTER * rate, fused=True)
    for epoch in range(epochs):
        order = torch.randperm(len(first), generator=generator(seed, "probe", 1 + epoch)).to(first.device)
        for update, places in enumerate(torch.split(order[: updates * batch], batch)):
            optimiser.param_groups[0]["lr"] = FASTER * rate * (1 - (epoch + update / updates) / epochs)
            optimiser.zero_grad()
            prior.surprise(first[places], second[places]).mean().backward()  # type: ignore[no-untyped-call]
            optimiser.step()

"""How likely choices are under an embedding, and where that pulls it: both in closed form.

Of three objects a pair is chosen with the softmax of the three dot products.  With p the probabilities of the pairs
(i, j), (i, k) and (j, k), and (i, j) chosen, the loss −log p_ij pulls the dot products by ``(p_ij − 1, p_ik, p_jk)``,
and each object by that times the other two.  No graph is kept, and nothing as wide as the number of objects.
"""

from typing import Final

import torch
from torch import Tensor

#: A triplet in rows costs as much as this many entries of the matrix of all pairs (measured, ``benchmarks``).
ROWS: Final = 100
#: Numbers gathered at a time for each place of a triplet: what is made of them stays in the cache.
GATHERED: Final = 1 << 17


def pulled(embedding: Tensor, triplets: Tensor) -> tuple[Tensor, Tensor]:
    """Give the loss of some choices, summed, and its gradient.

    Parameters
    ----------
    embedding
        ``(object, dimension)``.
    triplets
        ``(triplet, 3)``: the chosen pair first, the odd object last.

    Returns
    -------
    Tensor, Tensor
        A number, and ``(object, dimension)``.
    """
    way = _in_a_matrix if multiplied(len(embedding), len(triplets)) else _in_rows
    return way(embedding, triplets)


def multiplied(objects: int, triplets: int) -> bool:
    """Whether triplets are so many that all objects are multiplied with all, and no rows are gathered."""
    return objects**2 <= ROWS * triplets


def _in_rows(embedding: Tensor, triplets: Tensor) -> tuple[Tensor, Tensor]:
    """Gather the three rows of each triplet: what costs grows with the number of triplets alone."""
    gradient = torch.zeros_like(embedding)
    losses = []
    for some in torch.split(triplets, max(1, GATHERED // embedding.shape[1])):
        places = some.T.reshape(-1)
        first, second, odd = embedding.index_select(0, places).view(3, len(some), -1)
        loss, pull = _pull(torch.stack([(first * second).sum(1), (first * odd).sum(1), (second * odd).sum(1)]))
        a, b, c = pull[:, :, None]
        rows = torch.empty((3, *first.shape), dtype=embedding.dtype, device=embedding.device)
        torch.mul(a, second, out=rows[0]).addcmul_(b, odd)
        torch.mul(a, first, out=rows[1]).addcmul_(c, odd)
        torch.mul(b, first, out=rows[2]).addcmul_(c, second)
        gradient.index_add_(0, places, rows.view(len(places), -1))
        losses.append(loss)
    return torch.stack(losses).sum(), gradient


def _in_a_matrix(embedding: Tensor, triplets: Tensor) -> tuple[Tensor, Tensor]:
    """Multiply all objects with all, once for many triplets: of each only three numbers are gathered."""
    first, second, odd = triplets.T
    pairs = torch.stack([first, first, second]) * len(embedding) + torch.stack([second, odd, odd])
    every = embedding @ embedding.T
    loss, pull = _pull(every.view(-1)[pairs])
    every.zero_().view(-1).index_add_(0, pairs.view(-1), pull.view(-1))
    return loss, (every @ embedding).addmm_(every.T, embedding)


def _pull(products: Tensor) -> tuple[Tensor, Tensor]:
    """Give the summed loss and its derivative by the products, both of ``(pair, triplet)``."""
    logs = products.log_softmax(0)
    pull = logs.exp()
    pull[0] -= 1
    return -logs[0].sum(), pull

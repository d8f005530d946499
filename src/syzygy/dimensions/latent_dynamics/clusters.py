"""Regions of the latent, from each of which batches are drawn.

A constraint on the law of all increments can be met on average by a latent that is stretched here and squeezed there.
Batches of one region ask it of every region.  Regions are those of regular-space clustering (Prinz et al. 2011):
centres at least a distance apart, every frame within it.  Here their number is given, and the distance follows.
"""

from typing import Final

import torch
from torch import Tensor

#: Among so many frames centres are chosen, and so many at once are given to them.
CHOSEN_AMONG: Final = 5000
AT_ONCE: Final = 65536


def spread(z: Tensor, count: int) -> tuple[Tensor, float]:
    """Choose centres one by one, each the frame that is farthest from those before it (Gonzalez 1985).

    Parameters
    ----------
    z
        ``(frame, coordinate)``.
    count
        At most so many; fewer if frames coincide.

    Returns
    -------
    Tensor, float
        Centres, ``(centre, coordinate)``, and the distance d: no frame is farther from a centre than d, no two
        centres are nearer than d.

    Examples
    --------
    >>> spread(torch.tensor([[0.0], [1.0], [5.0], [9.0]]), 3)
    (tensor([[0.],
            [9.],
            [5.]]), 1.0)
    """
    chosen = [0]
    nearest = (z - z[0]).square().sum(dim=1)
    while len(chosen) < count:
        farthest = int(nearest.argmax())
        if nearest[farthest] == 0:
            break
        chosen.append(farthest)
        nearest = torch.minimum(nearest, (z - z[farthest]).square().sum(dim=1))
    return z[chosen], float(nearest.max().sqrt())


def labels(z: Tensor, count: int, least: int) -> tuple[Tensor, float]:
    """Give each frame its region, ``(frame,)`` counted from 0, and the distance of the centres.

    Regions with fewer than ``least`` frames fall to their neighbours: one batch would see the same frames again and
    again.  There is always one.

    Parameters
    ----------
    z
        ``(frame, coordinate)``.
    count
        Centres.
    least
        Frames of a region; at most as many as there are.
    """
    centres, distance = spread(z[:: max(1, len(z) // CHOSEN_AMONG)], count)
    while True:
        nearest = torch.cat([torch.cdist(part, centres).argmin(dim=1) for part in torch.split(z, AT_ONCE)])
        sizes = torch.bincount(nearest, minlength=len(centres))
        if len(centres) == 1 or bool((sizes >= least).all()):
            return nearest, distance
        small = sizes < least
        centres = centres[~small] if not bool(small.all()) else centres[:1]


def allotted(sizes: Tensor, updates: int, bias_factor: float) -> list[int]:
    """Share out updates to regions in proportion to ``size^(1/bias_factor)``, by largest remainders.

    Examples
    --------
    >>> allotted(torch.tensor([900, 100]), 8, 2.0)
    [6, 2]
    """
    wanted = sizes.double() ** (1 / bias_factor)
    wanted = wanted / wanted.sum() * updates
    given = wanted.floor().long()
    last = (wanted - given).argsort(descending=True, stable=True)[: updates - int(given.sum())]
    given[last] += 1
    return [int(one) for one in given]


def batches(regions: Tensor, updates: int, batch: int, bias_factor: float, generator: torch.Generator) -> Tensor:
    """Draw batches, each from one region, in random order: places of frames, ``(update, item)``.

    A region is gone through in random order, again and again, so that a batch repeats as few frames as it can.

    Examples
    --------
    >>> regions = torch.tensor([0] * 6 + [1] * 2)
    >>> drawn = batches(regions, 4, 2, 2.0, torch.Generator().manual_seed(0))
    >>> regions[drawn].tolist()  # of the square roots 2.4 and 1.4 of 4 updates
    [[1, 1], [0, 0], [0, 0], [0, 0]]
    """
    there, sizes = torch.unique(regions, return_counts=True)
    drawn = []
    for region, size, share in zip(there, sizes, allotted(sizes, updates, bias_factor), strict=True):
        frames, needed = torch.nonzero(regions == region)[:, 0], share * batch
        rounds = [torch.randperm(int(size), generator=generator) for _ in range(-(-needed // int(size)))]
        if rounds:
            drawn.append(frames[torch.cat(rounds)[:needed]].view(share, batch))
    every = torch.cat(drawn)
    return every[torch.randperm(len(every), generator=generator)]

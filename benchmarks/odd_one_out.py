"""Time updates of an odd-one-out embedding against a plain implementation with one-hot triplets.

Both draw the whole posterior once, take the divergence of all of it from the prior, and have Adam, in every update:
the mathematics is the same.  The plain one makes a batch of one-hot rows (triplet, 3, object), multiplies them with the
embedding, and lets autograd go back; ours gathers three rows for each triplet, and has the gradient in closed form.

The floor is what an update cannot do without: to draw as many normal numbers as the embedding has entries (timed
alone), to read and write values and Adam's moments, and to read a row for each place of a triplet and add to another
(bytes, at the speed of a copy of as many).

The second part prints what ``cost`` says of a whole fit beforehand, and times epochs of it.

Run: ``python benchmarks/odd_one_out.py [--batches 256 1024 4096] [--epochs 3] [--threads 1]``.
"""

import argparse
import platform
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from syzygy.dimensions.odd_one_out import OddOneOut, Triplets
from syzygy.dimensions.odd_one_out.learner import Variational
from syzygy.dimensions.odd_one_out.prior import SpikeSlab
from syzygy.seeds import generator


class Plain:
    """An update the plain way."""

    def __init__(self, objects: int, dimensions: int, weight: float):
        self.mean = torch.randn(objects, dimensions).mul_(0.1).requires_grad_()
        self.log = torch.full((objects, dimensions), -1.4).requires_grad_()
        self.adam = torch.optim.Adam([self.mean, self.log], lr=1e-3)
        self.eye, self.weight = torch.eye(objects), weight
        self.narrow, self.wide = (torch.distributions.Normal(0.0, scale) for scale in (0.25, 1.0))

    def update(self, triplets: Tensor) -> None:
        """Learn from a batch."""
        self.adam.zero_grad()
        deviation = self.log.exp()
        z = self.mean + deviation * torch.randn_like(self.mean)
        rows = self.eye[triplets].view(-1, len(self.eye)) @ z.relu()
        first, second, odd = rows.view(len(triplets), 3, -1).unbind(1)
        products = torch.stack([(first * second).sum(1), (first * odd).sum(1), (second * odd).sum(1)], 1)
        likely = -torch.log_softmax(products, 1)[:, 0].mean()
        posterior = torch.distributions.Normal(self.mean, deviation).log_prob(z)
        prior = torch.log(0.5 * self.narrow.log_prob(z).exp() + 0.5 * self.wide.log_prob(z).exp())
        (likely + self.weight * (posterior.sum() - prior.sum())).backward()
        self.adam.step()


def best(call: Callable[[], object], least: float = 1.5) -> float:
    """Seconds of the fastest of many calls."""
    call()
    times, begun = [], time.perf_counter()
    while time.perf_counter() - begun < least or len(times) < 5:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def floor(objects: int, dimensions: int, batch: int) -> float:
    """Seconds that no update can do without."""
    noise, draw = torch.empty(objects, dimensions), torch.Generator()
    # Six arrays are read and written; three rows are read, three more read and written.
    numbers = 12 * objects * dimensions + 9 * batch * dimensions
    one = torch.ones(numbers // 2)
    other = torch.empty_like(one)
    return best(lambda: noise.normal_(generator=draw), 0.5) + best(lambda: other.copy_(one), 0.5)


def throughput(objects: int, dimensions: int, batch: int) -> None:
    """Print triplets per second of both."""
    drawn = np.random.default_rng(0).permuted(np.tile(np.arange(objects), (batch, 1)), axis=1)
    triplets = torch.from_numpy(drawn[:, :3].copy())
    ours, draw = Variational(objects, dimensions, SpikeSlab(), 1e-6, 1e-3, 0, "cpu"), generator(0, "noise")
    plain = Plain(objects, dimensions, 1e-6)
    fast, slow = best(lambda: ours.update(triplets, draw)), best(lambda: plain.update(triplets))
    least = floor(objects, dimensions, batch)
    print(
        f"batch {batch:6,}: syzygy {fast * 1e3:6.2f} ms, {batch / fast:9,.0f} triplets/s; plain {slow * 1e3:6.1f} ms, "
        f"{batch / slow:7,.0f}/s; {slow / fast:4.1f} times; floor {least * 1e3:5.2f} ms, {least / fast:.0%}"
    )


def whole(objects: int, dimensions: int, count: int, batch: int, epochs: int) -> None:
    """Print what a fit is said to take, and what some epochs of it take."""
    x = np.random.default_rng(0).gamma(0.5, 0.5, (objects, 40))
    triplets = Triplets.sampled(x, count)
    told = OddOneOut(dimensions=dimensions, batch=batch, epochs=1000).cost(triplets)
    print(
        f"{objects:,} objects, {count:,} triplets, {dimensions} dimensions, batch {batch:,}: 1,000 epochs are said to "
        f"take {told.seconds / 60:.0f} minutes and {told.bytes / 1e6:.0f} MB"
    )
    begun = time.perf_counter()
    OddOneOut(dimensions=dimensions, batch=batch, epochs=epochs).fit(triplets)
    took = (time.perf_counter() - begun) / epochs
    print(f"    an epoch: said {told.seconds / 1000:.2f} s, took {took:.2f} s ({took * 1000 / told.seconds - 1:+.0%})")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=1854)
    parser.add_argument("--dimensions", type=int, default=100)
    parser.add_argument("--batches", type=int, nargs="+", default=[256, 1024, 4096])
    parser.add_argument("--triplets", type=int, default=1_000_000)
    parser.add_argument("--epochs", type=int, default=3, help="of the whole fit that are timed; 0 for none")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    print(f"{platform.machine()}, {given.threads} threads: {given.objects:,} objects, {given.dimensions} dimensions")
    for batch in given.batches:
        throughput(given.objects, given.dimensions, batch)
    for batch in (given.batches[0], given.batches[-1]) if given.epochs else ():
        whole(given.objects, given.dimensions, given.triplets, batch, given.epochs)


if __name__ == "__main__":
    main()

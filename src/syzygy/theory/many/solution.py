"""The theory of many items followed from a start, to any step and to the end of learning.

On the way an explicit integrator of high order interpolates between its steps, so that thousands of steps may be asked
for; to the end an implicit one takes steps as long as learning is slow (:mod:`syzygy.theory.many.ending`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from syzygy.errors import ShapeError, SingularStart, SpecificationError
from syzygy.theory.many.ending import settle
from syzygy.theory.many.theory import SLACK, ManyState, ManyTheory
from syzygy.theory.many.two_layers import Flow, Layers, directions, smallest
from syzygy.theory.runge_kutta import follow

Array = NDArray[np.float64]

#: Relative error of a step on the way, and of one to the end.
RTOL, END_RTOL = 1e-10, 1e-9
#: Below this share of what it will be, a weight is as good as zero.
NOTHING = 1e-12
#: Numbers of states that are held at once, before the curves are taken from them.
BLOCK = 4_000_000


@dataclass(frozen=True)
class ManySolution:
    """The theory of many items followed from a start.

    Attributes
    ----------
    theory, initial
        What was solved, and from where.
    steps
        Times in steps, ``(step,)``.
    pairs
        Positions of the two items of each pair, ``(pair, 2)``.
    h2
        Squared distances of the representations of these pairs, ``(..., pair, step)``.
    outputs
        What the network says, ``(..., step, item, output)``.
    last
        The whole state at the last of ``steps``; its ``distances`` are the matrix at the end.
    """

    theory: ManyTheory
    initial: ManyState
    steps: Array
    pairs: NDArray[np.intp]
    h2: Array
    outputs: Array
    last: ManyState

    @property
    def y2(self) -> Array:
        """Squared distances of the outputs, ``(..., pair, step)``."""
        return np.asarray((self._between(self.outputs) ** 2).sum(-1))

    @property
    def w(self) -> Array:
        """Output alignments ``dy·(dy − dy*)``, ``(..., pair, step)``."""
        dy = self._between(self.outputs)
        return np.asarray((dy * (dy - self._between(self.theory.targets[..., None, :, :]))).sum(-1))

    @property
    def mean_error(self) -> Array:
        """Squared error of the mean output of each pair, ``(..., pair, step)``."""
        error = self.outputs - self.theory.targets[..., None, :, :]
        first, second = self.pairs.T
        return np.moveaxis((0.25 * (error[..., first, :] + error[..., second, :]) ** 2).sum(-1), -1, -2)

    @property
    def loss(self) -> Array:
        """Half the squared error, averaged over items, summed over outputs, ``(..., step)``."""
        error = self.outputs - self.theory.targets[..., None, :, :]
        return np.asarray(0.5 * (error**2).sum(-1).mean(-1))

    def _between(self, outputs: Array) -> Array:
        """Differences of outputs, ``(..., pair, step, output)``."""
        first, second = self.pairs.T
        return np.moveaxis(outputs[..., second, :] - outputs[..., first, :], -2, -3)


def solve_many(
    theory: ManyTheory,
    initial: ManyState,
    steps: ArrayLike,
    *,
    pairs: Sequence[tuple[int, int]] | None = None,
    rtol: float = RTOL,
) -> ManySolution:
    """Follow many items from their start.

    Parameters
    ----------
    theory
        Rates and data; leading axes broadcast against those of ``initial``.
    initial
        The state at step 0.
    steps
        Times at which to evaluate, in steps from the start, rising, ``(step,)``.  The last may be ``inf``, the end of
        learning: where one endless step more would change the weights by less than 1e-9 of them.
    pairs
        Pairs whose distances to keep at every step; by default all.  The matrix at the last step is there in any case.
    rtol
        Relative error of a step on the way.

    Returns
    -------
    ManySolution
        NaN from where a system runs away, or cannot be followed.

    Raises
    ------
    SingularStart
        Representations and readout are all zero, and there is something to learn.
    SpecificationError
        A start that no network has, inputs that are all zero, or a pair of items that are not there.
    ShapeError
        A start of other items or outputs than the theory's, or steps that do not rise from zero.

    Examples
    --------
    Exclusive or is not linear: a linear network makes all its outputs ½, whatever a pair of its items would learn.

    >>> theory = ManyTheory.of([[0, 0], [0, 1], [1, 0], [1, 1]], [[0], [1], [1], [0]], 0.05, 0.05, output_bias=True)
    >>> start = ManyState.of(hidden=[[0.0, 0.0], [0.3, 0.0], [0.0, 0.3], [0.3, 0.3]], readout=[[0.2, -0.1]])
    >>> solution = solve_many(theory, start, steps=[0, 100, np.inf])
    >>> solution.loss.round(4).tolist()
    [0.2432, 0.1256, 0.125]
    """
    times = np.asarray(steps, dtype=np.float64)
    if times.ndim != 1 or not len(times) or not np.all(times >= 0) or np.any(times[1:] < times[:-1]):
        raise ShapeError(f"steps must be one rising row of numbers, zero or more; got shape {times.shape}")
    items, outputs = theory.targets.shape[-2:]
    if initial.outputs.shape[-2:] != (items, outputs):
        raise ShapeError(f"the theory is of {items} items and {outputs} outputs, the start {initial.outputs.shape}")
    chosen = np.array(list(combinations(range(items), 2)) if pairs is None else pairs, dtype=np.intp).reshape(-1, 2)
    if np.any((chosen < 0) | (chosen >= items)) or np.any(chosen[:, 0] == chosen[:, 1]):
        raise SpecificationError(f"pairs are two different positions among the {items} items; got {pairs}")
    packed = _Packed.of(theory, initial)
    h2, said, now = [], [], packed.start
    for block in _followed(packed.flow, packed.start, times, rtol):
        states = [packed.start.like(one) for one in block]
        h2 += [packed.distances(one, chosen) for one in states]
        said += [packed.outputs(one) for one in states]
        now = states[-1]
    return ManySolution(theory, initial, times, chosen, np.stack(h2, -1), np.stack(said, -3), packed.state(now))


@dataclass(frozen=True)
class _Packed:
    """Systems in one row, each as the smallest network in as few directions of the items as move."""

    flow: Flow
    start: Layers
    basis: Array
    leading: tuple[int, ...]

    @classmethod
    def of(cls, theory: ManyTheory, initial: ManyState) -> "_Packed":
        kernel, targets, (a, b, c), now = theory.kernel, theory.targets, theory.speeds, initial
        shapes = [one.shape[:-2] for one in (kernel, targets, now.gram, now.outputs, now.decoder_gram)]
        leading = np.broadcast_shapes(a.shape, b.shape, c.shape, now.bias.shape[:-1], *shapes)

        def row(one: Array, own: int = 2) -> Array:
            shape = one.shape[one.ndim - own :]
            return np.broadcast_to(one, leading + shape).reshape(-1, *shape)

        bare = now.outputs - now.bias[..., None, :]
        _given(now, bare, kernel)
        items = targets.shape[-2]
        seen = [*kernel.reshape(-1, items, items), *now.gram.reshape(-1, items, items)]
        basis = directions(seen + [np.ones((items, items))] * theory.output_bias)
        gram, outputs = basis.T @ now.gram @ basis, basis.T @ bare
        network = smallest(row(gram), row(outputs), row(now.decoder_gram), row(bare - basis @ outputs))
        start = Layers(*network, row(now.bias, 1))
        speed = (row(one[..., None, None]) for one in (b, c))
        seen_inputs = row(a[..., None, None] * (basis.T @ kernel @ basis))
        flow = Flow(seen_inputs, row(basis.T @ targets), basis.sum(0), *speed)
        _movable(flow, start)
        return cls(flow, start, basis, leading)

    def distances(self, now: Layers, pairs: NDArray[np.intp]) -> Array:
        """Squared distances of pairs, ``(..., pair)``."""
        places, parts = self.basis @ now.hidden, np.array_split(pairs, 1 + len(pairs) // 100_000)
        apart = [((places[:, some[:, 1]] - places[:, some[:, 0]]) ** 2).sum(-1) for some in parts]
        return np.concatenate(apart, -1).reshape(*self.leading, len(pairs))

    def outputs(self, now: Layers) -> Array:
        """Give what the network says, ``(..., item, output)``."""
        said = self.basis @ (now.hidden @ np.swapaxes(now.readout, -1, -2)) + now.bias[:, None]
        return said.reshape(*self.leading, *said.shape[1:])

    def state(self, now: Layers) -> ManyState:
        """Give the state of all items."""
        whole = ManyState.of(self.basis @ now.hidden, now.readout, now.bias)
        parts = (whole.gram, whole.outputs, whole.decoder_gram, whole.bias)
        return ManyState(*(one.reshape(*self.leading, *one.shape[1:]) for one in parts))


def _followed(flow: Flow, start: Layers, times: Array, rtol: float) -> Iterator[Array]:
    """Give the states at some times in blocks that fit in memory, ``(step, number, system)`` each."""
    systems = len(start.bias)

    def rate(state: Array, rows: NDArray[np.intp]) -> Array:
        now, own = start.like(state), flow if len(rows) == systems else flow.only(rows)
        return own.change(now, own.error(now)).flat

    begun, state, length = 0.0, start.flat, max(1, BLOCK // start.flat.size)
    finite = times[np.isfinite(times)]
    for first in range(0, len(finite), length):
        some = finite[first : first + length]
        found = follow(rate, state, some - begun, rtol=rtol, atol=_least(flow, start, rtol), groups=start.sizes)
        yield found
        begun, state = some[-1], found[-1]
    if len(finite) < len(times):
        end = settle(flow, start, END_RTOL).flat
        yield np.broadcast_to(end, (len(times) - len(finite), *end.shape))


def _least(flow: Flow, start: Layers, rtol: float) -> Array:
    """Give the errors below which a number is as good as exact, ``(number, system)``."""
    balance = (np.einsum("sii->s", flow.kernel) / flow.decoder[:, 0, 0]) ** 0.25
    size = np.sqrt((flow.targets**2).sum((-1, -2)) + (start.hidden**2).sum((-1, -2)) * (start.readout**2).sum((-1, -2)))
    scales = np.stack([NOTHING * np.sqrt(size) * balance, NOTHING * np.sqrt(size) / balance, size])
    return np.repeat(rtol * scales + 1e-300, start.sizes, axis=0)


def _given(now: ManyState, bare: Array, kernel: Array) -> None:
    """Refuse numbers that are no inner products, before they are taken apart."""
    if not all(np.all(np.isfinite(one)) for one in (now.gram, bare, now.decoder_gram)):
        raise SpecificationError("the start must be finite; got NaN or infinity")
    for name, matrix in (("inputs_gram", kernel), ("gram", now.gram), ("decoder_gram", now.decoder_gram)):
        values = np.linalg.eigvalsh(matrix)
        if np.any(values[..., 0] < -SLACK * np.abs(values).max(-1)):
            raise SpecificationError(f"{name} holds inner products, and cannot have negative eigenvalues")
    if not np.all(np.abs(kernel).max((-1, -2)) > 0):
        raise SpecificationError("inputs are all zero, and there is no hidden bias: nothing can be told apart")


def _movable(flow: Flow, start: Layers) -> None:
    """Refuse starts from which nothing moves."""
    error = flow.error(start)
    if flow.bias.any():  # the output's bias learns the mean by itself
        error = error - np.outer(flow.ones, flow.ones) @ error / (flow.ones @ flow.ones)
    size = np.abs(flow.kernel).max((-1, -2)) * np.abs(flow.targets).max((-1, -2))
    wanted = np.abs(flow.kernel @ error).max((-1, -2)) > SLACK * size
    if np.any(wanted & ~start.hidden.any((-1, -2)) & ~start.readout.any((-1, -2))):
        raise SingularStart("representations and readout are all zero: nothing moves; take another layer, seed or step")

"""Members of joint fits: many problems in a row, each in a group that shares one pair of rates."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from syzygy.fitting.certainty.intervals import moments
from syzygy.fitting.fit import Fit
from syzygy.fitting.joint.groups import Labels
from syzygy.fitting.least_squares import Minimum, Residuals, jacobian, levenberg_marquardt
from syzygy.fitting.problems import CURVES, Problems, Rows

Array = NDArray[np.float64]

#: So many members' own rates are tried as starts, and from so many of the best is searched.
TRIED, SEARCHED = 16, 3


class Team:
    """The members of all groups, in a row: first those of the first curves, then of the second, and so on.

    Parameters
    ----------
    problems, groups, separate
        Of each curves: the problems, the group of each ``(network, pair)`` or −1, and the fit with rates of their own.

    Attributes
    ----------
    group, network
        Of each member, ``(member,)``.
    theta, cost
        Log rates of its own, ``(member, 2)``, and the sum of squares with them, ``(member,)``.
    """

    def __init__(self, problems: Sequence[Problems], groups: Sequence[Labels], separate: Sequence[Fit]):
        rows = [np.flatnonzero(group.ravel() >= 0) for group in groups]
        cuts = np.cumsum([0, *map(len, rows)])
        # Curves without members have no part in anything.
        having = [number for number, chosen in enumerate(rows) if len(chosen)]
        self._slices = [slice(cuts[number], cuts[number + 1]) for number in having]
        self._there = [problems[number].there[rows[number]] for number in having]
        self._residuals = [problems[number].residuals(rows[number]) for number in having]

        def row(values: Sequence[NDArray[np.generic]]) -> NDArray[np.generic]:
            return np.concatenate([each.ravel()[chosen] for each, chosen in zip(values, rows, strict=True)])

        self.group = row(groups).astype(np.intp)
        self.network = row([np.indices(group.shape)[0] for group in groups]).astype(np.intp)
        own = [row([getattr(fit, name).value for fit in separate]) for name in ("eta_h", "eta_y")]
        self.theta = np.log(np.stack(own, axis=1).astype(np.float64))
        self.cost = row([fit.objective for fit in separate]).astype(np.float64)
        # Where a member stands in its group, so that the residuals of a group are a row of one width.
        order = np.argsort(self.group, kind="stable")
        self._place = np.empty(len(order), dtype=np.intp)
        self._place[order] = np.arange(len(order)) - np.searchsorted(self.group[order], self.group[order])

    def search(self, filled: Rows) -> Minimum:
        """Search for the rates of these groups from the best few of the starts, and keep the lowest."""
        starts = np.stack([self._start(group) for group in filled], axis=1)  # (start, group, parameter)
        position, count = np.searchsorted(filled, self.group), len(filled)
        costs = np.stack([summed(self.costs(start[position]), position, count) for start in starts])
        order = np.argsort(np.nan_to_num(costs, nan=np.inf), axis=0)[:SEARCHED]
        best = Minimum(starts[0].copy(), np.full(count, np.inf), np.zeros(count, dtype=bool))
        residuals = self._together(position, count)
        for start in np.take_along_axis(starts, order[..., None], axis=0):
            found = levenberg_marquardt(residuals, start)
            better = found.cost < best.cost
            best.theta[better], best.cost[better] = found.theta[better], found.cost[better]
            best.converged[better] = found.converged[better]
        return best

    def costs(self, theta: Array) -> Array:
        """Give each member's sum of squares with some log rates ``(member, 2)``."""
        return np.concatenate(
            [
                np.sum(of(theta[some], np.arange(some.stop - some.start)) ** 2, axis=1)
                for some, of in zip(self._slices, self._residuals, strict=True)
            ]
        )

    def moments(self, theta: Array) -> tuple[Array, Array, Array]:
        """Give each member's :func:`syzygy.fitting.certainty.intervals.moments` at some log rates ``(member, 2)``."""
        found = [
            moments(of, theta[some], there, len(CURVES))
            for some, of, there in zip(self._slices, self._residuals, self._there, strict=True)
        ]
        bread, filling, effective = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return bread, filling, effective

    def scores(self, theta: Array) -> Array:
        """Give half the slope of each member's sum of squares at some log rates, ``(member, 2)``."""
        found = []
        for some, of in zip(self._slices, self._residuals, strict=True):
            rows = np.arange(some.stop - some.start)
            found.append(np.einsum("mpr,mr->mp", jacobian(of, theta[some], rows), of(theta[some], rows)))
        return np.concatenate(found)

    def _start(self, group: int) -> Array:
        """Give rates to begin with: the median of a group, and those of members spread over its ratios."""
        own = self.theta[self.group == group]
        spread = np.linspace(0, len(own) - 1, TRIED).round().astype(np.intp)
        return np.concatenate([np.median(own, axis=0)[None], own[np.argsort(own[:, 0] - own[:, 1])[spread]]])

    def _together(self, position: Rows, count: int) -> Residuals:
        """Residuals of whole groups, ``(group, member × curve × step)``; zero where a group has fewer members."""
        width = max(len(CURVES) * there.shape[1] for there in self._there)
        places = int(self._place.max()) + 1

        def residuals(theta: Array, rows: Rows) -> Array:
            where = np.full(count, -1)
            where[rows] = np.arange(len(rows))
            row, found = where[position], np.zeros((len(rows), places, width))
            for some, of in zip(self._slices, self._residuals, strict=True):
                chosen = some.start + np.flatnonzero(row[some] >= 0)
                if len(chosen):
                    values = of(theta[row[chosen]], chosen - some.start)
                    found[row[chosen], self._place[chosen], : values.shape[1]] = values
            return found.reshape(len(rows), -1)

        return residuals


def summed(values: Array, groups: Labels, count: int) -> Array:
    """Sum over the members of each group, ``(group, …)``."""
    total = np.zeros((count, *values.shape[1:]))
    np.add.at(total, groups, values)
    return total

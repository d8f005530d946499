"""Joint fits: one pair of rates for several pairs, layers or networks, and whether they may share it.

What one pair cannot tell, several can; but only if their rates are the same, and that is tested.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from syzygy.errors import SpecificationError
from syzygy.fitting.certainty.intervals import Interval, sandwich
from syzygy.fitting.fit import Fit, fit_pairs
from syzygy.fitting.joint.groups import Labels, labels_of
from syzygy.fitting.joint.sharing import Sharing
from syzygy.fitting.joint.team import Team, summed
from syzygy.fitting.least_squares import Minimum
from syzygy.fitting.pairs import PairCurves
from syzygy.fitting.problems import Problems, Rows, Scaling

Array = NDArray[np.float64]

Independent = Literal["members", "seeds"]


@dataclass(frozen=True)
class JointFit:
    """Rates that several members share.  A member is one pair of one network of one of the curves.

    Attributes
    ----------
    eta_h, eta_y
        Rates of each group per step, with 95% intervals, ``(group,)``; NaN for a group without usable members, and
        intervals without end for one of a single network whose seeds are to be independent.
    groups
        The group of each member, one array ``(network, pair)`` per curves; −1 for members that were left out.
    members
        How many each group has, ``(group,)``.
    left_out
        Members that were asked for but start from one representation, do not move, or have too few records: one
        array ``(network, pair)`` per curves.
    objective
        Sum of squares of each group, ``(group,)``.
    converged
        Whether the search ended in a minimum, ``(group,)``.
    fits
        Per curves, every member with its group's rates: predictions and R².
    separate
        Per curves, every member with rates of its own, as :func:`syzygy.fitting.fit_pairs` finds them.
    sharing
        The test of whether the members of a group may share their rates.
    """

    eta_h: Interval
    eta_y: Interval
    groups: tuple[Labels, ...]
    members: Labels
    left_out: tuple[NDArray[np.bool_], ...]
    objective: Array
    converged: NDArray[np.bool_]
    fits: tuple[Fit, ...]
    separate: tuple[Fit, ...]
    sharing: Sharing


def fit_jointly(
    curves: PairCurves | Sequence[PairCurves],
    share: str | Collection[str] | Sequence[Labels] = "all",
    *,
    scaling: Scaling = "curve",
    independent: Independent = "members",
) -> JointFit:
    """Fit rates that several pairs, layers or networks share.

    The sum of the members' sums of squares is minimised, each in its own scaling.  Starts are rates of single members
    and their median.

    Parameters
    ----------
    curves
        What was measured; several of them are several layers, or settings.
    share
        Over what rates are common, any of ``"seeds"`` (networks share), ``"pairs"`` and ``"layers"`` (the curves of
        the list share), or ``"all"``; else a group for every member, in integers: one array that broadcasts to
        ``(network, pair)`` per curves, negative for members to leave out.
    scaling
        As in :func:`syzygy.fitting.fit_pairs`.
    independent
        What intervals take to be independent of each other.  ``"members"``: each member's deviations, whose
        correlation in time is corrected for as in :func:`syzygy.fitting.fit_pairs`; too narrow where deviations of
        pairs or layers of one network go together.  ``"seeds"``: whole networks, whatever goes together within each;
        it takes several, and speaks of other seeds too.

    Returns
    -------
    JointFit
        Groups in rising order of their labels; by name, of curves, network and pair.

    Raises
    ------
    SpecificationError
        Another name, no curves, no member in any group, or something else to be independent.
    ShapeError
        Labels that do not fit the curves, or layers that share and differ in networks or pairs.

    Examples
    --------
    >>> from syzygy.fitting import pair_curves
    >>> from syzygy.tasks import two_points
    >>> from syzygy.training import train
    >>> joint = fit_jointly(pair_curves(train(two_points(), "two_layer", steps=1000)), "seeds")
    >>> len(joint.members), bool(joint.converged.all())
    (1, True)
    """
    if independent not in ("members", "seeds"):
        raise SpecificationError(f"independent is 'members' or 'seeds', got {independent!r}")
    every = (curves,) if isinstance(curves, PairCurves) else tuple(curves)
    if not every:
        raise SpecificationError("there are no curves to fit; give one or more")
    labels = labels_of(every, share)
    known = np.unique(np.concatenate([label[label >= 0] for label in labels]))
    if not len(known):
        raise SpecificationError("every member is left out (its group is negative); give a group to at least one")
    separate = tuple(fit_pairs(one, scaling=scaling) for one in every)
    asked = [np.where(label >= 0, np.searchsorted(known, label), -1) for label in labels]
    groups = tuple(np.where(fit.fitted, group, -1) for group, fit in zip(asked, separate, strict=True))
    left_out = tuple((one >= 0) & ~fit.fitted for one, fit in zip(asked, separate, strict=True))
    team = Team([Problems(one, scaling) for one in every], groups, separate)
    rates, minimum, sharing = _fit(team, len(known), independent)
    fits = tuple(
        fit.with_rates(*(np.where(group >= 0, rate.value[group], np.nan) for rate in rates))
        for fit, group in zip(separate, groups, strict=True)
    )
    members = np.bincount(team.group, minlength=len(known))
    return JointFit(
        rates[0], rates[1], groups, members, left_out, minimum.cost, minimum.converged, fits, separate, sharing
    )


def _fit(team: Team, count: int, independent: Independent) -> tuple[list[Interval], Minimum, Sharing]:
    """Fit every group: rates, where the search ended, and the test of sharing; NaN for groups without members."""
    filled = np.unique(team.group)
    minimum = Minimum(np.full((count, 2), np.nan), np.full(count, np.nan), np.zeros(count, dtype=bool))
    variance, freedom = np.full((count, 2), np.nan), np.full(count, np.nan)
    nothing = np.full(count, np.nan)
    sharing = Sharing(nothing, nothing, nothing, nothing)
    if len(filled):
        found = team.search(filled)
        minimum.theta[filled], minimum.cost[filled] = found.theta, found.cost
        minimum.converged[filled] = found.converged
        shared = minimum.theta[team.group]
        bread, filling, effective = (summed(each, team.group, count)[filled] for each in team.moments(shared))
        freedom[filled] = effective - 2
        if independent == "seeds":
            filling, freedom[filled] = _between_seeds(team, shared, count, filled)
        variance[filled] = np.einsum("gpp->gp", sandwich(bread, filling))
        rise = team.costs(shared) - team.cost
        sharing = Sharing.of(team.group, count, rise, *team.moments(team.theta))
    return [Interval.of_log(minimum.theta[:, i], variance[:, i], freedom) for i in range(2)], minimum, sharing


def _between_seeds(team: Team, theta: Array, count: int, filled: Rows) -> tuple[Array, Array]:
    """Covariance of the summed scores of the members of one network, and its degrees of freedom, ``(group, …)``."""
    networks = int(team.network.max()) + 1
    cluster = team.group * networks + team.network
    score = summed(team.scores(theta), cluster, count * networks).reshape(count, networks, 2)
    clusters = np.bincount(np.unique(cluster) // networks, minlength=count)
    with np.errstate(divide="ignore", invalid="ignore"):
        correction = np.where(clusters > 1, clusters / (clusters - 1), np.inf)
        found = correction[:, None, None] * np.einsum("gnp,gnq->gpq", score, score)
    ends = np.where(clusters[:, None, None] > 1, found, np.inf)
    return np.asarray(ends[filled]), np.asarray(clusters[filled] - 1.0)

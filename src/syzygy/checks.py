"""Reasons not to believe a result, each with a stable code that ``docs/checks.md`` explains.

A check looks at the evidence of a study and gives a line per case; a report opens with what fired.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from syzygy.fitting import Fit
from syzygy.fitting.score import last_finite
from syzygy.linearisation import NEARBY
from syzygy.result import Finding
from syzygy.trajectory import Trajectory

Array = NDArray[np.float64]

POOR_R2 = 0.9
UNLEARNED = 0.05
STILL_MOVING = 0.02
COARSE = 5
FEW_SEEDS = 3
#: Largest over smallest measured rate up to which a rate counts as constant.
CONSTANT_FACTOR = 2.0
MANY_CASES = 6


@dataclass(frozen=True)
class Evidence:
    """What a study knows of one network of the catalogue.

    Attributes
    ----------
    name
        The network's name.
    trajectory, fit
        What was seen, and the theory fitted to it; none if nothing has been trained yet.
    asked
        Seeds that were asked for.
    """

    name: str
    trajectory: Trajectory | None
    fit: Fit | None
    asked: tuple[int, ...]


Check = Callable[[Evidence], Iterator[str]]

#: Every check by its code, with its title.
CHECKS: dict[str, tuple[str, Check]] = {}


def check(code: str, title: str) -> Callable[[Check], Check]:
    """Register a check under a stable code."""

    def register(function: Check) -> Check:
        assert code not in CHECKS, f"{code} is taken"
        CHECKS[code] = title, function
        return function

    return register


def findings(evidence: Sequence[Evidence]) -> tuple[Finding, ...]:
    """Run every check on every network's evidence."""
    found = []
    for code, (title, function) in sorted(CHECKS.items()):
        details = tuple(f"{one.name}: {line}" for one in evidence for line in function(one))
        if details:
            found.append(Finding(code, title, details))
    return tuple(found)


@check("SZ001", "The run is not complete")
def incomplete(evidence: Evidence) -> Iterator[str]:
    """Networks that were asked for have not been trained; the numbers are of those that have."""
    there = set(evidence.trajectory.seeds.tolist()) if evidence.trajectory else set()
    missing = [seed for seed in evidence.asked if seed not in there]
    if missing:
        yield f"{len(missing)} of {len(evidence.asked)} networks are missing (seeds {_some(missing)})"


@check("SZ002", "A network diverged")
def diverged(evidence: Evidence) -> Iterator[str]:
    """Report networks whose loss left the finite numbers; they were stopped, and are not fitted past that."""
    if evidence.trajectory is None:
        return
    fates, seeds = evidence.trajectory.fates, evidence.trajectory.seeds
    lost = [int(seed) for seed, fate in zip(seeds, fates, strict=True) if fate == "diverged"]
    if lost:
        yield f"{len(lost)} of {len(fates)} networks (seeds {_some(lost)}); lower the learning rate"


@check("SZ003", "A network did not learn its task, or was still learning")
def unlearned(evidence: Evidence) -> Iterator[str]:
    """Report a last loss of more than 5% of the first, or an ‖dh‖² still moving in the last tenth of the records."""
    if evidence.trajectory is None or evidence.fit is None:
        return
    loss = evidence.trajectory.loss
    with np.errstate(invalid="ignore"):
        left = last_finite(loss.astype(np.float64)) / loss[:, 0]
    slow = [int(seed) for seed, share in zip(evidence.trajectory.seeds, left, strict=True) if share > UNLEARNED]
    if slow:
        yield f"loss above {UNLEARNED:.0%} of its start at the end (seeds {_some(slow)})"
    h2 = evidence.fit.curves.h2
    tail = h2[..., -max(2, h2.shape[-1] // 10) :]
    with np.errstate(invalid="ignore"):
        moved = np.abs(tail[..., -1] - tail[..., 0]) > STILL_MOVING * np.max(h2, axis=-1)
    if moved.any():
        yield f"‖dh‖² of {_share(moved)} still moved by over {STILL_MOVING:.0%} in the last tenth of the steps"


@check("SZ004", "The theory does not explain what was seen")
def unexplained(evidence: Evidence) -> Iterator[str]:
    """R² of ‖dh‖², ‖dy‖² or w is below 0.9 with the fitted rates."""
    if evidence.fit is None:
        return
    for name, label in (("h2", "‖dh‖²"), ("y2", "‖dy‖²"), ("w", "w")):
        values = evidence.fit.r2[name]
        poor = values < POOR_R2
        if poor.any():
            yield f"R² of {label} below {POOR_R2} for {_share(poor)}; lowest {np.nanmin(values):.3g}"


@check("SZ005", "A fit failed")
def unfitted(evidence: Evidence) -> Iterator[str]:
    """Report searches that did not end in a minimum, and pairs that could not be fitted at all."""
    if evidence.fit is None:
        return
    without = ~evidence.fit.fitted
    if without.any():
        yield f"no rates for {_share(without)}: diverged at once, one representation at the start, or no movement"
    astray = evidence.fit.fitted & ~evidence.fit.converged
    if astray.any():
        yield f"the search did not converge for {_share(astray)}"


@check("SZ006", "The rates are not identified")
def unidentified(evidence: Evidence) -> Iterator[str]:
    """Report rates whose 95% interval spans more than a factor of two either way: others fit as well."""
    if evidence.fit is None:
        return
    vague = evidence.fit.converged & ~evidence.fit.identified
    if vague.any():
        yield f"a rate is uncertain by more than a factor of two for {_share(vague)}"


@check("SZ007", "One pair only")
def one_pair(evidence: Evidence) -> Iterator[str]:
    """Two items make one pair: nothing here says that other pairs would behave alike."""
    if evidence.fit is not None and len(evidence.fit.curves.pairs) == 1:
        yield "two items, one pair"


@check("SZ008", "Few seeds")
def few_seeds(evidence: Evidence) -> Iterator[str]:
    """With fewer than three networks the scatter between seeds is unknown."""
    count = len(evidence.trajectory.seeds) if evidence.trajectory else 0
    if 0 < count < FEW_SEEDS:
        yield f"{count} of the {FEW_SEEDS} or more that a scatter needs"


@check("SZ009", "Recorded too coarsely")
def coarse(evidence: Evidence) -> Iterator[str]:
    """‖dy‖² rises from a tenth to nine tenths of its largest value within fewer than five recorded steps."""
    if evidence.fit is None:
        return
    y2 = evidence.fit.curves.y2
    peak = np.max(np.where(np.isfinite(y2), y2, 0.0), axis=-1)
    share = y2 / np.where(peak > 0, peak, np.nan)[..., None]
    rising = np.sum((share > 0.1) & (share < 0.9), axis=-1)
    fast = (rising < COARSE) & (peak > 0) & (share[..., 0] < 0.1)
    if fast.any():
        yield f"the rise of {_share(fast)} takes fewer than {COARSE} recorded steps; record more often"


@check("SZ011", "Too far apart for a linearisation")
def far_apart(evidence: Evidence) -> Iterator[str]:
    """Second order is more than a tenth of first order of the encoder or the decoder about the middle of a pair."""
    for side in ("encoder", "decoder"):
        shares = _measured(evidence).get(f"{side}_share")
        if shares is None:
            continue
        most = np.max(shares, axis=1, initial=0.0, where=np.isfinite(shares))
        far = most > NEARBY
        if far.any():
            yield f"second-order share of the {side} above {NEARBY:g} for {_share(far)}; largest {most.max():.3g}"


@check("SZ012", "The measured rates are not constant")
def inconstant(evidence: Evidence) -> Iterator[str]:
    """Report effective learning rates measured in the network that change by more than a factor of two."""
    for name in ("eta_h", "eta_y"):
        rates = _measured(evidence).get(name)
        if rates is None:
            continue
        there = np.isfinite(rates) & (rates > 0)
        most = np.max(rates, axis=1, initial=0.0, where=there)
        least = np.min(rates, axis=1, initial=np.inf, where=there)
        factor = np.where(there.any(axis=1), most / least, 1.0)
        if (factor > CONSTANT_FACTOR).any():
            yield f"{name} of {_share(factor > CONSTANT_FACTOR)}; largest over smallest up to {factor.max():.3g}"


@check("SZ013", "No rates could be measured")
def unmeasured(evidence: Evidence) -> Iterator[str]:
    """Rates were asked for, and the network cannot be split after the layer, or learns by something else than SGD."""
    if evidence.trajectory is not None and evidence.trajectory.about.get("measure") and not _measured(evidence):
        layer = evidence.trajectory.layers[0]
        adam = evidence.trajectory.about.get("optimiser") != "sgd"
        yield "SGD alone has effective learning rates" if adam else f"the network cannot be split after {layer}"


def _measured(evidence: Evidence) -> dict[str, NDArray[np.floating]]:
    """Give what was measured of the networks at their first watched layer, if rates were."""
    if evidence.trajectory is None:
        return {}
    found = evidence.trajectory.measured(evidence.trajectory.layers[0])
    return found if "eta_h" in found else {}


def _share(where: NDArray[np.bool_]) -> str:
    kind = "networks" if where.shape[1] == 1 else "pairs of a network"
    return f"{int(where.sum())} of {where.size} {kind}"


def _some(seeds: Sequence[int]) -> str:
    return ", ".join(str(seed) for seed in seeds[:MANY_CASES]) + (" …" if len(seeds) > MANY_CASES else "")

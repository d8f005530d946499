"""Where a fit ended, as the problems that it solved: what profiles and replicates start from."""

from dataclasses import dataclass

import numpy as np

from syzygy.errors import SpecificationError
from syzygy.fitting.fit import Array, Fit
from syzygy.fitting.problems import Problems, Rows, Scaling


@dataclass(frozen=True)
class Optimum:
    """The minimum that a fit found.

    Attributes
    ----------
    problems
        All of them, one per network and pair, in a row.
    rows
        Those with rates, ``(problem,)``.
    theta
        Their log rates, ``(problem, 2)``.
    cost
        Their sums of squares, ``(problem,)``.
    """

    problems: Problems
    rows: Rows
    theta: Array
    cost: Array

    @classmethod
    def of(cls, fit: Fit, scaling: Scaling) -> "Optimum":
        """Set the problems of a fit up again, and make sure that its rates solve them.

        Raises
        ------
        SpecificationError
            Rates from elsewhere (:meth:`syzygy.fitting.Fit.with_rates`), or a fit with another scaling.
        """
        problems, rows = Problems(fit.curves, scaling), np.flatnonzero(fit.fitted)
        log = np.log(np.stack([fit.eta_h.value.ravel()[rows], fit.eta_y.value.ravel()[rows]], axis=1))
        cost = np.sum(problems.residuals(rows)(log, np.arange(len(rows))) ** 2, axis=1) if len(rows) else np.empty(0)
        if not np.allclose(cost, fit.objective.ravel()[rows], rtol=1e-3, atol=1e-12):
            raise SpecificationError(
                f"these rates are no minimum with scaling {scaling!r}; give a fit of fit_pairs, and the scaling it "
                "was made with"
            )
        return cls(problems, rows, log, cost)

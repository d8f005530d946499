"""What is claimed, written down before it is measured, and what came out.

An :class:`Expectation` stands in a study's code: the statement, where it comes from, the quantity and the bounds
that decide.  A :class:`Claim` is an expectation that has been measured, case by case (a network, a layer, a pair
of settings); its verdict follows from the bounds, and from nothing else.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self, get_args

import numpy as np
import pandas as pd

from syzygy.errors import SpecificationError

#: Where a claim comes from.  The paper's body text was not at hand, so no figure or equation of it is named.
Source = Literal["abstract", "code", "follow-up", "derived", "literature"]
SOURCES: Mapping[Source, str] = {
    "abstract": "the paper's abstract",
    "code": "the paper's published code",
    "follow-up": "the follow-up, arXiv:2507.09897",
    "derived": "derived, in docs/",
    "literature": "earlier studies, named in docs/",
}

#: Whether the numbers that decide were predicted with rates from elsewhere, fitted to what they explain, or not
#: fitted at all.
Sample = Literal["out of sample", "in sample", "no fit"]

Verdict = Literal["holds", "holds in part", "not reproduced", "undecided"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

#: So many cases are named in a condition, then they are counted.
MOST_NAMED = 8


@dataclass(frozen=True)
class Expectation:
    """A claim before it is measured.

    Attributes
    ----------
    name
        Stable, unique in its study.
    statement
        What is claimed, in a sentence.
    source
        Who claims it: the paper's abstract, its published code, the follow-up, a derivation in ``docs/theory/``, or
        earlier studies.
    sample
        Where the numbers that decide come from.
    quantity
        What is measured, with its unit, and over what it is taken.
    low, high
        The claim holds in a case whose value lies between them.

    Raises
    ------
    SpecificationError
        Bounds that nothing, or everything, meets.
    """

    name: str
    statement: str
    source: Source
    sample: Sample
    quantity: str
    low: float = -math.inf
    high: float = math.inf

    def __post_init__(self) -> None:
        if not self.low <= self.high or (math.isinf(self.low) and math.isinf(self.high)):
            raise SpecificationError(f"claim {self.name!r} needs bounds that decide; got {self.low:g} … {self.high:g}")

    @property
    def expected(self) -> str:
        """The bounds in words.

        Examples
        --------
        >>> Expectation("fit", "…", "abstract", "no fit", "R²", low=0.9).expected
        'at least 0.9'
        """
        if math.isinf(self.high):
            return f"at least {self.low:g}"
        if math.isinf(self.low):
            return f"at most {self.high:g}"
        return f"{self.low:g} to {self.high:g}"

    def holds(self, value: float) -> bool:
        """Whether a value meets the bounds; nothing that is not finite does."""
        return math.isfinite(value) and self.low <= value <= self.high


@dataclass(frozen=True)
class Claim:
    """A claim, measured.

    Attributes
    ----------
    expectation
        What was written down before.
    cases
        The measured value by case; NaN where nothing could be measured, which counts as not holding.
    seeds
        Of the networks that it was measured on.
    published
        What the paper's published code gives, by case, where it is known.
    note
        How it was measured, and what a reader should know.
    complete
        Whether everything that was asked for has been trained; a part decides nothing.

    Examples
    --------
    >>> expected = Expectation("fit", "One theory fits.", "abstract", "out of sample", "R²", low=0.9)
    >>> claim = Claim(expected, {"default": 0.97, "tanh": 0.6}, seeds=(0, 1, 2))
    >>> claim.verdict, claim.condition, claim.measured
    ('holds in part', 'only for default', '0.6 to 0.97 (median 0.785, 2 cases)')
    """

    expectation: Expectation
    cases: Mapping[str, float]
    seeds: Sequence[int] = ()
    published: Mapping[str, float] = field(default_factory=dict)
    note: str = ""
    complete: bool = True

    @property
    def holding(self) -> tuple[str, ...]:
        """Names of the cases in which it holds."""
        return tuple(name for name, value in self.cases.items() if self.expectation.holds(value))

    @property
    def verdict(self) -> Verdict:
        """What follows from the bounds."""
        if not self.complete or not self.cases:
            return "undecided"
        if len(self.holding) == len(self.cases):
            return "holds"
        return "holds in part" if self.holding else "not reproduced"

    @property
    def condition(self) -> str:
        """Where it holds, if it holds in part: the shorter of the two lists."""
        if self.verdict != "holds in part":
            return ""
        others = [name for name in self.cases if name not in self.holding]
        if len(others) < len(self.holding):
            return f"but not for {_listed(others)}"
        return f"only for {_listed(self.holding)}"

    @property
    def measured(self) -> str:
        """The measured values in words."""
        return ranged(self.cases.values())

    def to_json(self) -> dict[str, Any]:
        """Give everything, and what follows from it, as JSON can hold it: what is not finite is null."""
        expected = {name: _plain(value) for name, value in vars(self.expectation).items()}
        return expected | {
            "cases": {name: _plain(value) for name, value in self.cases.items()},
            "published": dict(self.published),
            "seeds": list(self.seeds),
            "note": self.note,
            "complete": self.complete,
            "verdict": self.verdict,
            "condition": self.condition,
            "value": _plain(self.value),
        }

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_json` gave.

        Raises
        ------
        KeyError, TypeError, ValueError
            It was something else.
        """
        bounds = {name: told[name] if told[name] is not None else default for name, default in _BOUNDS.items()}
        words = {name: str(told[name]) for name in ("name", "statement", "source", "sample", "quantity")}
        return cls(
            Expectation(**words, **bounds),  # type: ignore[arg-type]
            {str(name): math.nan if value is None else float(value) for name, value in told["cases"].items()},
            tuple(int(seed) for seed in told["seeds"]),
            {str(name): float(value) for name, value in told["published"].items()},
            str(told["note"]),
            bool(told["complete"]),
        )

    @property
    def value(self) -> float:
        """The median over the cases that could be measured, NaN if there are none."""
        there = [value for value in self.cases.values() if math.isfinite(value)]
        return float(np.median(there)) if there else math.nan


def to_pandas(claims: Mapping[str, Sequence[Claim]]) -> pd.DataFrame:
    """Give one row per claim, for programs.

    Parameters
    ----------
    claims
        By study.
    """
    rows = [
        {
            "study": study,
            "claim": claim.expectation.name,
            "verdict": claim.verdict,
            "condition": claim.condition,
            "statement": claim.expectation.statement,
            "source": claim.expectation.source,
            "sample": claim.expectation.sample,
            "quantity": claim.expectation.quantity,
            "expected_low": claim.expectation.low,
            "expected_high": claim.expectation.high,
            "value": claim.value,
            "lowest": min(there, default=math.nan),
            "highest": max(there, default=math.nan),
            "cases": len(claim.cases),
            "holding": len(claim.holding),
            "published": float(np.median(list(claim.published.values()))) if claim.published else math.nan,
            "seeds": " ".join(map(str, claim.seeds)),
            "note": claim.note,
        }
        for study, some in claims.items()
        for claim in some
        for there in [[value for value in claim.cases.values() if math.isfinite(value)]]
    ]
    return pd.DataFrame(rows)


def ranged(values: Iterable[float]) -> str:
    """Write numbers as their range, median and count.

    Examples
    --------
    >>> ranged([0.5, 0.25, float("nan")]), ranged([2])
    ('0.25 to 0.5 (median 0.375, 3 cases, 1 without a value)', '2')
    """
    listed = list(values)
    there = [value for value in listed if math.isfinite(value)]
    if not there:
        return "nothing"
    missing = f", {len(listed) - len(there)} without a value" if len(there) < len(listed) else ""
    if len(there) == 1:
        return f"{there[0]:.3g}{missing}"
    median, count = np.median(there), len(listed)
    return f"{min(there):.3g} to {max(there):.3g} (median {median:.3g}, {count} cases{missing})"


def ranges(seeds: Sequence[int]) -> str:
    """Write seeds shortly.

    Examples
    --------
    >>> ranges((0, 1, 2, 5))
    '0–2, 5'
    """
    runs: list[list[int]] = []
    for seed in seeds:
        if runs and seed == runs[-1][-1] + 1:
            runs[-1].append(seed)
        else:
            runs.append([seed])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs)


_BOUNDS = {"low": -math.inf, "high": math.inf}


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} others" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more

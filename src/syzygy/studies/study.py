"""What every study has in common: a specification in, a result out."""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

import pandas as pd
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, ValidationError

from syzygy import checks
from syzygy.checks import Evidence
from syzygy.claims import Claim, Expectation
from syzygy.errors import SpecificationError, UnknownName
from syzygy.figures import Figure
from syzygy.fitting import fit_pairs, pair_curves
from syzygy.networks import Setting, setting
from syzygy.published import published
from syzygy.recording import Schedule
from syzygy.result import Finding, Result, Table
from syzygy.training import Job, Trainable
from syzygy.trajectory import Trajectory
from syzygy.versions import versions


def parse_seeds(value: object) -> object:
    """Read seeds from ``"0..7"``, ``"3"``, ``"0,2,5"`` or a list.

    Examples
    --------
    >>> parse_seeds("0..3")
    (0, 1, 2, 3)
    """
    if isinstance(value, int):
        return (value,)
    if not isinstance(value, str):
        return value
    seeds: list[int] = []
    for part in value.split(","):
        match = re.fullmatch(r"\s*(\d{1,9})\s*(?:\.\.\s*(\d{1,9})\s*)?", part)
        if not match or (match[2] and int(match[2]) < int(match[1])) or int(match[2] or 0) - int(match[1]) > 10_000:
            raise SpecificationError(f"seeds are '0..7', '3' or '0,2,5'; got {value!r}")
        seeds.extend(range(int(match[1]), int(match[2] or match[1]) + 1))
    return tuple(seeds)


def _setting(value: object) -> object:
    """Read a network: a name of the catalogue, a table that changes one, or a whole table."""
    return setting(value) if isinstance(value, str) or (isinstance(value, Mapping) and "like" in value) else value


def _settings(value: object) -> object:
    one = isinstance(value, str | Mapping | Setting)
    listed = [value] if one else value
    return tuple(map(_setting, listed)) if isinstance(listed, Sequence) else value


Seeds = Annotated[tuple[Annotated[int, Field(ge=0)], ...], BeforeValidator(parse_seeds), Field(min_length=1)]
Network = Annotated[Setting, BeforeValidator(_setting)]
Networks = Annotated[tuple[Setting, ...], BeforeValidator(_settings), Field(min_length=1)]
Recorded = Annotated[
    Schedule,
    BeforeValidator(lambda value: Schedule.parse(value) if isinstance(value, str) else value),
    PlainSerializer(str),
]
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]


class Study(BaseModel, ABC):
    """A question, as a specification.  Every field is a choice that the numbers depend on.

    Attributes
    ----------
    study
        The study's name.
    seeds
        One network of each setting per seed.
    precision
        Of the training.
    note
        What is smaller than in the paper, for the page; changes no number.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    about: ClassVar[str]
    title: ClassVar[str]
    question: ClassVar[str]
    references: ClassVar[tuple[str, ...]]
    #: What is claimed, with the bounds that decide, before anything is measured.
    expectations: ClassVar[tuple[Expectation, ...]] = ()

    study: str
    seeds: Seeds
    precision: Literal["float32", "float64"] = "float32"
    note: str = ""

    @classmethod
    def of(cls, asked: Mapping[str, Any]) -> Self:
        """Make a study from a table, as a TOML file gives it.

        Raises
        ------
        SpecificationError
            An unknown key or a value out of range; the message names all of them.
        """
        try:
            study = cls.model_validate(asked)
        except ValidationError as invalid:
            raise SpecificationError("; ".join(_said(cls, error) for error in invalid.errors())) from None
        if len(set(study.seeds)) != len(study.seeds):
            raise SpecificationError(f"seeds of [{study.study}] must differ; got {study.seeds}")
        return study

    @abstractmethod
    def jobs(self) -> Mapping[str, Trainable]:
        """Give what must be trained, by the network's name.

        Raises
        ------
        SpecificationError
            Something that cannot be trained.
        """

    @abstractmethod
    def analyse(self, trajectories: Mapping[str, Trajectory]) -> Result:
        """Answer the question from what has been trained, which may be less than was asked."""

    def specification(self) -> dict[str, Any]:
        """Give everything that was asked, fit for JSON and TOML, so that it can be asked again."""
        return self.model_dump(mode="json", exclude_none=True)

    def answer(
        self,
        trajectories: Mapping[str, Trajectory],
        *,
        summary: Sequence[str],
        findings: Sequence[Finding] = (),
        tables: Sequence[Table] = (),
        figures: Sequence[Figure] = (),
        claims: Sequence[Claim] = (),
        detail: str = "",
        references: Sequence[str] = (),
    ) -> Result:
        """Put a result together: what came out, with what was asked and what it was made with.

        Claims that are expected and were not measured stand in it without a value.  ``detail`` is added to the title,
        ``references`` to the study's own.
        """
        measured = {claim.expectation.name: claim for claim in claims}
        return Result(
            study=self.study,
            title=f"{self.title}: {detail}" if detail else self.title,
            question=self.question,
            summary=tuple(summary),
            specification=self.specification(),
            findings=tuple(findings),
            tables=tuple(tables),
            figures=tuple(figures),
            references=(*self.references, *references),
            versions=self.versions(trajectories),
            claims=tuple(measured.get(one.name, Claim(one, {})) for one in self.expectations),
            note=self.note,
        )

    def nothing(self, trajectories: Mapping[str, Trajectory], why: str) -> Result:
        """Answer when nothing can be analysed: why, in the first line, and what became of each network."""
        jobs = {name: job for name, job in self.jobs().items() if isinstance(job, Job)}
        evidence = [Evidence(name, trajectories.get(name), None, job.seeds) for name, job in jobs.items()]
        rows = [
            {"network": name, "seed": int(seed), "fate": fate}
            for name, seen in trajectories.items()
            for seed, fate in zip(seen.seeds, seen.fates, strict=True)
        ]
        fates = (Table("fates", "What became of each network.", pd.DataFrame(rows)),) if rows else ()
        return self.answer(trajectories, summary=[why], findings=checks.findings(evidence), tables=fates)

    def claim(
        self, name: str, cases: Mapping[str, float], *, seeds: Sequence[int] | None = None, note: str = ""
    ) -> Claim:
        """Give an expectation of this study with what was measured, and beside it what the published code gives."""
        (expected,) = (one for one in self.expectations if one.name == name)
        known = published(self.study, name)
        return Claim(expected, dict(cases), self.seeds if seeds is None else seeds, known, note)

    def evidence(self, trajectories: Mapping[str, Trajectory], layer: str | None = None) -> list[Evidence]:
        """Fit the theory to every pair of every network."""
        found = []
        for name, job in self.jobs().items():
            trajectory = trajectories.get(name)
            fit = fit_pairs(pair_curves(trajectory, layer)) if trajectory else None
            found.append(Evidence(name, trajectory, fit, job.seeds))
        return found

    def versions(self, trajectories: Mapping[str, Trajectory]) -> dict[str, str]:
        """Give the versions that trained, and where they differ those that analysed."""
        now = versions()
        seen = [trajectory.about.get("versions", {}) for trajectory in trajectories.values()]
        return {name: " and ".join(sorted({now[name], *(one[name] for one in seen if name in one)})) for name in now}


def _said(study: type[Study], error: Any) -> str:
    *path, key = [str(part) for part in error["loc"]] or ["?"]
    place = ".".join(path)
    if error["type"] == "extra_forbidden":
        known = Setting.model_fields if path else study.model_fields
        return str(UnknownName(f"key in [{place or study.model_fields['study'].default}]", key, known))
    what = ".".join([*path, key])
    return f"{what} = {error['input']!r}: {error['msg'][0].lower()}{error['msg'][1:]}"

"""The arms of the study of feature bias: what is learned, and how."""

from dataclasses import replace
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from syzygy.errors import SpecificationError
from syzygy.networks import Setting
from syzygy.networks.catalogue import Name
from syzygy.recording import every
from syzygy.training import Job
from syzygy.training.start import Readout

Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(gt=0, lt=1)]


class Arm(BaseModel):
    """One setting of the sweep.

    Attributes
    ----------
    name
        Of the setting.
    easy, hard
        The easy feature is the majority of so many bits, the hard one the parity of so many others.
    easy_prevalence, hard_prevalence
        Share of the learned items in which each is present.
    learned
        ``both``, or one alone.
    first
        Learned before both are, with the same learning rate, for ``first_steps`` steps.
    optimiser, learning_rate, steps, depth
        Of the network; other values are the study's.
    loss
        ``logistic`` or ``squared``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    easy: Count = 1
    hard: Count = 4
    easy_prevalence: Share = 0.5
    hard_prevalence: Share = 0.5
    learned: Literal["both", "easy", "hard"] = "both"
    first: Literal["easy", "hard"] | None = None
    first_steps: Count | None = None
    optimiser: Literal["sgd", "adam"] = "adam"
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1e-3
    steps: Count = 4000
    depth: Count = 4
    loss: Literal["logistic", "squared"] = "logistic"

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if (self.first is None) != (self.first_steps is None) or (self.first and self.learned != "both"):
            raise SpecificationError(
                f"arm {self.name!r}: first and first_steps go together, and lead to learning both; got first = "
                f"{self.first}, first_steps = {self.first_steps}, learned = {self.learned}"
            )
        return self

    @property
    def control(self) -> bool:
        """Whether both features are equally easy: one bit each."""
        return self.easy == self.hard == 1

    @property
    def layers(self) -> tuple[str, ...]:
        """Every hidden layer."""
        return tuple(f"hidden.{index}" for index in range(self.depth))

    def job(
        self,
        network: Setting,
        options: dict[str, Any],
        *,
        seeds: tuple[int, ...],
        records: int,
        readout: Readout,
        **how: Any,
    ) -> Job:
        """Say what must be trained, and what it starts from.

        Parameters
        ----------
        network
            Gives all that the arm does not.
        options
            Of the task, beside the arm's own.
        seeds
            One network each.
        records
            About so many steps are recorded.
        readout
            ``kept`` or ``new`` after what is learned first.
        how
            ``batch_size`` and ``precision``.
        """
        own = {"easy": self.easy, "hard": self.hard, "easy_prevalence": self.easy_prevalence,
               "hard_prevalence": self.hard_prevalence}  # fmt: skip

        def learns(what: str, steps: int) -> Job:
            changed = {"optimiser": self.optimiser, "learning_rate": self.learning_rate, "steps": steps,
                       "depth": self.depth, "layer": self.layers[-1]}  # fmt: skip
            return Job(
                task="bits",
                options=options | own | {"learned": what},
                network=network.model_copy(update=changed),
                seeds=seeds,
                record=every(max(1, steps // records)),
                layers=self.layers,
                loss=self.loss,
                keep=what != "both",  # others may start from it
                **how,
            )

        job = learns(self.learned, self.steps)
        if self.first is None or self.first_steps is None:
            return job
        return replace(job, start=learns(self.first, self.first_steps), readout=readout)


SLOW: Final[dict[str, Any]] = {"learning_rate": 2e-4, "steps": 12000}
#: Difficulty, learning rate, optimiser, depth, order, prevalence and loss: one thing changed at a time.
ARMS: Final = (
    Arm(name="control", hard=1, steps=2000),
    Arm(name="control_slow", hard=1, learning_rate=2e-4, steps=4000),
    Arm(name="xor2", hard=2, steps=3000),
    Arm(name="xor4"),
    Arm(name="xor4_slow", **SLOW),
    Arm(name="xor4_squared", loss="squared", **SLOW),
    Arm(name="majority5_xor4", easy=5),
    Arm(name="xor4_shallow", depth=1, steps=6000),
    Arm(name="xor2_sgd", hard=2, optimiser="sgd", learning_rate=0.1, steps=5000),
    Arm(name="xor4_sgd", optimiser="sgd", learning_rate=0.1, steps=5000),
    Arm(name="easy_alone", learned="easy", steps=1000),
    Arm(name="hard_alone", learned="hard", steps=3000),
    Arm(name="easy_first", first="easy", first_steps=1000),
    Arm(name="hard_first", first="hard", first_steps=3000, steps=2000),
    Arm(name="rare_easy", easy_prevalence=0.1),
    Arm(name="rare_hard", hard_prevalence=0.1, steps=8000),
)

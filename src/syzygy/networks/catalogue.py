"""The catalogue: every network of the paper's settings table, a transformer, and how to build one."""

import math
import re
import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from torch import nn

from syzygy.errors import SpecificationError, UnknownName
from syzygy.networks.convolutional import Convolutional
from syzygy.networks.layers import ACTIVATIONS, initialise
from syzygy.networks.mlp import MLP, DropoutMLP
from syzygy.networks.residual import Residual
from syzygy.networks.timm import PREFIX, Timm
from syzygy.networks.transformer import Transformer
from syzygy.seeds import generator, stream

#: Every type of network by the name that specifications use.
TYPES: Final = MappingProxyType[str, Callable[..., nn.Module]](
    {
        "mlp": MLP,
        "residual": Residual,
        "convolutional": Convolutional,
        "dropout": DropoutMLP,
        "transformer": Transformer,
    }
)

#: What a published architecture has settled, and stands in its setting only to fill the place.
SETTLED: Final = MappingProxyType[str, Any]({"activation": "none", "width": 1, "depth": 1})

Count = Annotated[int, Field(ge=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]  # it becomes part of file names
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Setting(BaseModel):
    """One row of the settings table: a network, how it starts, and how it is trained.

    Attributes
    ----------
    name
        The row's name.
    type
        A key of :data:`TYPES`; or ``timm:`` and the name of an architecture of timm, as in
        ``timm:resnet18.a1_in1k``, whose activation, width and depth are its own.
    activation
        A key of :data:`syzygy.networks.layers.ACTIVATIONS`.
    gain
        Factor of the initial weights' standard deviation.
    learning_rate
        Step size of the optimiser.
    width, depth
        Units per hidden layer, and number of hidden layers (convolutions less one).
    layer
        Module path of the layer whose representations are watched.
    steps
        Number of updates.
    optimiser
        ``sgd`` (no momentum, the theory's gradient flow) or ``adam``.
    about
        One line on what the row is for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    type: str
    activation: str
    gain: Positive
    learning_rate: Positive
    width: Count
    depth: Count
    layer: str
    steps: Count
    optimiser: Literal["sgd", "adam"] = "sgd"
    about: str = ""

    @model_validator(mode="before")
    @classmethod
    def _settled(cls, values: Any) -> Any:
        """Leave to a published architecture what is its own."""
        if not isinstance(values, Mapping) or not str(values.get("type")).startswith(PREFIX):
            return values
        for name, value in SETTLED.items():
            if values.get(name, value) != value:
                raise SpecificationError(f"{name} of {values['type']} is the architecture's own; leave it out")
        return {**values, **SETTLED}

    @field_validator("type")
    @classmethod
    def _known_type(cls, value: str) -> str:
        if re.fullmatch(rf"{PREFIX}[A-Za-z0-9][A-Za-z0-9._-]*", value):  # timm is asked when it is built
            return value
        return _known("network type", value, TYPES)

    @field_validator("activation")
    @classmethod
    def _known_activation(cls, value: str) -> str:
        return _known("activation", value, ACTIVATIONS)

    def build(self, input_dim: int, output_dim: int, seed: int, gain: float | None = None) -> nn.Module:
        """Make the network in float64 with the initial weights of a seed.

        Parameters
        ----------
        input_dim, output_dim
            Numbers of inputs (after flattening) and outputs.
        seed
            Seed of the initial weights.
        gain
            In place of the row's own.
        """
        with torch.random.fork_rng(devices=[]):  # published architectures draw from the one global generator
            torch.default_generator.manual_seed(stream(seed, "weights"))
            network = self._architecture(input_dim, output_dim).double()
        ours = network.readout if isinstance(network, Timm) else network
        initialise(ours, self.gain if gain is None else gain, generator(seed, "weights"))
        return network

    def size(self, input_dim: int, output_dim: int) -> int:
        """Count the parameters.

        Examples
        --------
        >>> catalogue()["default"].size(1, 1)
        4761001
        """
        with torch.device("meta"):
            return sum(p.numel() for p in self._architecture(input_dim, output_dim).parameters())

    def matrices(self, input_dim: int, output_dim: int) -> tuple[int, int]:
        """Count the weight matrices up to and with the watched ``layer``, and all of them.

        Examples
        --------
        >>> catalogue()["default"].matrices(1, 1)
        (11, 21)
        """
        with torch.device("meta"):
            names = [name for name, p in self._architecture(input_dim, output_dim).named_parameters() if p.ndim > 1]
        inside = [index for index, name in enumerate(names) if name.startswith(f"{self.layer}.")]
        return max(inside, default=-1) + 1, len(names)

    def operations(self, input_dim: int, output_dim: int) -> int:
        """Count the multiplications of one item's forward pass: at every position of a map, and at every token.

        Raises
        ------
        UnknownName
            The network lacks the watched ``layer``; the near ones are listed.
        """
        counted: list[int] = []

        def count(module: nn.Module, _inputs: object, output: torch.Tensor) -> None:
            positions = 1
            if isinstance(module, nn.Conv1d | nn.Conv2d):
                positions = math.prod(output.shape[2:])
            elif isinstance(module, nn.Linear):
                positions = math.prod(output.shape[1:-1])
            counted.append(sum(p.numel() for p in module.parameters(recurse=False)) * positions)

        with torch.device("meta"):
            network = self._architecture(input_dim, output_dim).eval()
            for module in network.modules():
                module.register_forward_hook(count)
            _known("layer", self.layer, {path: module for path, module in network.named_modules() if path})
            network(torch.empty(1, input_dim))
        return sum(counted)

    def _architecture(self, input_dim: int, output_dim: int) -> nn.Module:
        if self.type.startswith(PREFIX):
            return Timm(input_dim, output_dim, model=self.type.removeprefix(PREFIX))
        return TYPES[self.type](input_dim, output_dim, width=self.width, depth=self.depth, activation=self.activation)


@cache
def catalogue() -> Mapping[str, Setting]:
    """Every row of the settings table by name.

    Examples
    --------
    >>> len(catalogue()), catalogue()["default"].width
    (20, 500)
    """
    table = tomllib.loads((files("syzygy.networks") / "catalogue.toml").read_text(encoding="utf-8"))
    return MappingProxyType({name: Setting(name=name, **row) for name, row in table.items()})


def setting(asked: str | Mapping[str, Any]) -> Setting:
    """Find a row by its name, or change some of a row's values.

    Parameters
    ----------
    asked
        A name in the catalogue, or a table of values, of which ``like`` names the row that gives the
        others.  A changed row gets a ``name`` of its own.

    Raises
    ------
    UnknownName
        No row of that name.
    pydantic.ValidationError
        A key that does not exist, or a value out of range.

    Examples
    --------
    >>> setting({"like": "default", "name": "wider", "width": 1000}).depth
    20
    """
    if isinstance(asked, str):
        return catalogue()[_known("network", asked, catalogue())]
    values = dict(asked)
    like = values.pop("like", None)
    base = {} if like is None else catalogue()[_known("network", like, catalogue())].model_dump()
    return Setting.model_validate({**base, **values})


def _known(kind: str, name: str, table: Mapping[str, object]) -> str:
    if not isinstance(name, str) or name not in table:
        raise UnknownName(kind, str(name), table)
    return name

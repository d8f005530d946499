"""The networks of the published exclusive-or experiment: one architecture in four regimes."""

from collections.abc import Mapping
from typing import Final, Literal

from syzygy.networks import Setting

Regime = Literal["rich", "intermediate", "lazy", "shallow"]

#: What the published notebook does, or what the settings table beside it says.
Origin = Literal["notebook", "table"]

#: The settings table: gain, learning rate, number of hidden layers (0: as asked), updates.
ROWS: Final[Mapping[Regime, tuple[float, float, int, int]]] = {
    "rich": (0.85, 0.015, 0, 3000),
    "intermediate": (1.25, 0.002, 0, 1000),
    "lazy": (2.0, 3e-9, 0, 1000),
    "shallow": (0.0015, 0.03, 1, 2000),
}


def network(regime: Regime, activation: Origin, loss: Origin, width: int, depth: int, steps: int | None) -> Setting:
    """Give a row of the table as a network, its middle layer watched.

    Parameters
    ----------
    regime
        The row.
    activation
        ``notebook``: rectifiers, which the notebook forces.  ``table``: leaky ones.
    loss
        ``notebook``: the mean square without the half that is taken everywhere else, so twice the learning rate.
        ``table``: with the half.
    width, depth
        Units per hidden layer, and hidden layers; ``shallow`` always has one.
    steps
        Number of updates, in place of the row's.

    Examples
    --------
    >>> made = network("lazy", "notebook", "notebook", width=500, depth=20, steps=None)
    >>> made.activation, made.learning_rate, made.layer, made.steps
    ('relu', 6e-09, 'hidden.10', 1000)
    """
    gain, rate, layers, updates = ROWS[regime]
    return Setting(
        name=regime,
        type="mlp",
        activation="relu" if activation == "notebook" else "leaky_relu",
        gain=gain,
        learning_rate=rate * (2 if loss == "notebook" else 1),
        width=width,
        depth=layers or depth,
        layer=f"hidden.{(layers or depth) // 2}",
        steps=steps or updates,
    )

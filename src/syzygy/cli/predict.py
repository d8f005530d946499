"""The theory alone."""

from typing import Annotated

import typer

from syzygy.cli.command import Json, command
from syzygy.console import print_json
from syzygy.errors import SpecificationError
from syzygy.theory import PairState, PairTheory, solve


@command("predict", "syzygy predict --eta-h .3 --eta-y .6 --dx2 1.2 --dy2 .5 --h .4 --y .3 --w .1")
def predict(
    eta_h: Annotated[float, typer.Option(help="Effective learning rate of the encoder, per step.")],
    eta_y: Annotated[float, typer.Option(help="Effective learning rate of the decoder, per step.")],
    dx2: Annotated[float, typer.Option(help="Squared distance of the inputs.")],
    dy2: Annotated[float, typer.Option(help="Squared distance of the targets.")],
    h: Annotated[float, typer.Option("--h", help="Squared distance ‖dh‖² of the representations at the start.")],
    y: Annotated[float, typer.Option("--y", help="Squared distance ‖dy‖² of the outputs at the start.")],
    w: Annotated[float, typer.Option("--w", help="Output alignment dy·(dy − dy*) at the start.")],
    steps: Annotated[float | None, typer.Option(help="Last step shown; by default ten relaxation times.")] = None,
    as_json: Json = False,
) -> None:
    """Follow the theory alone: where two representations go, how fast, and why."""
    theory, start = PairTheory(eta_h, eta_y, dx2, dy2), PairState(h, y, w)
    solve(theory, start, [0.0])  # refuses a start that no pair has
    rate = float(theory.relaxation_rate(start))
    last = steps if steps is not None else 10 / rate if rate > 0 else 1e3
    if not 0 < last < float("inf"):
        raise SpecificationError(f"--steps must be a positive number, got {last:g}")
    solution = solve(theory, start, [last * i / 10 for i in range(11)])
    numbers = {
        "final_h2": float(solution.final_h2),
        "relaxation_rate": rate,
        "a_high": float(theory.a_high(start)),
        "a_low": float(theory.a_low),
        "regime": str(theory.regime(start)),
        "conserved": float(theory.conserved(start)),
    }
    curves = {"step": solution.steps, "h2": solution.state.h2, "y2": solution.state.y2, "w": solution.state.w}
    if as_json:
        print_json(numbers | {"curves": {name: curve.tolist() for name, curve in curves.items()}})
        return
    for name, value in numbers.items():
        print(f"{name:<16} {value if isinstance(value, str) else f'{value:.6g}'}")
    print("\n" + "".join(f"{name:>12}" for name in curves))
    for row in zip(*curves.values(), strict=True):
        print("".join(f"{value:>12.5g}" for value in row))

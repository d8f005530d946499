"""What is measured of the networks themselves: rates and kernels now and then, and how far weights travel."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from syzygy.errors import CannotSplit, DataError, SingularStart
from syzygy.linearisation import linearise, tangent_kernel
from syzygy.linearisation.split import evaluating
from syzygy.linearisation.travel import gone
from syzygy.recording import path_of, watched
from syzygy.training.plan import Plan

Array = NDArray[np.floating[Any]]
Weights = Mapping[str, Tensor]

#: By layer and name, of one network.
Measured = dict[tuple[str, str], Array]

#: Fields of a linearisation that are kept, each ``(pair, …)``.
KEPT = (
    "h2",
    "dy",
    "y_mean",
    "eta_h",
    "eta_y",
    "encoder_share",
    "decoder_share",
    "encoder_coupling",
    "decoder_coupling",
)


class Measure:
    """Looks into networks while they learn.

    Rates, shares and kernels are those of the pairs of probe items, at the steps of ``plan.measure``, by plain gradient
    descent alone.  A layer at which a network cannot be cut has none.
    """

    def __init__(self, plan: Plan, networks: Sequence[nn.Module], inputs: Tensor, targets: Tensor):
        self._plan, self._inputs, self._targets = plan, inputs, targets
        asked = plan.measure is not None and plan.optimiser == "sgd"
        self.due = frozenset(plan.measure.at(plan.steps).tolist()) if asked and plan.measure else frozenset[int]()
        # Training may put other functions into a module; a copy has its own.
        self._template = deepcopy(networks[0]) if self.due else networks[0]
        self._sides = {layer: _sides(networks[0], path_of(layer), inputs) for layer in plan.layers}
        self._cut = [layer for layer in plan.layers if layer == path_of(layer)]
        self._first = [{name: weight.detach().clone() for name, weight in n.named_parameters()} for n in networks]

    def of(self, network: int, weights: Weights, *, inside: bool, ending: bool) -> Measured:
        """Measure one network.

        Parameters
        ----------
        network
            Its number.
        weights
            Its weights and buffers.
        inside
            Whether it is time to measure rates, shares and kernels.
        ending
            Whether its training ends here; then they are measured too, and in any case how far its weights travelled.
        """
        found: Measured = {}
        if inside or ending:
            for layer, (encoder, decoder) in self._sides.items():
                for name, side in (("encoder_travel", encoder), ("decoder_travel", decoder)):
                    found[layer, name] = np.array(gone(self._first[network], weights, side))
        for layer in self._cut if inside or (ending and self.due) else ():
            found |= {(layer, name): values for name, values in self._inside(layer, weights).items()}
        return found

    def _inside(self, layer: str, weights: Weights) -> dict[str, Array]:
        try:
            seen = linearise(
                self._template,
                layer,
                self._inputs,
                self._targets,
                learning_rate=self._plan.learning_rate,
                weights=weights,
            )
            encoder, decoder = tangent_kernel(self._template, layer=layer, inputs=self._inputs, weights=weights)
        except (CannotSplit, SingularStart, DataError):  # no cut, one representation for two items, or it is diverging
            return {}
        # The state's, for rounding may have left to the other what no Jacobian has.
        kept = {name: getattr(seen, name) for name in KEPT} | {"gram": seen.state.gram}
        return kept | {"encoder_kernel": encoder, "decoder_kernel": decoder}


def _sides(network: nn.Module, path: str, inputs: Tensor) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Name the parameters that a representation depends on, and the others; also where a path leads around it."""
    named = {name: weight for name, weight in network.named_parameters() if weight.requires_grad}
    with evaluating(network), watched(network, [path]) as seen, torch.enable_grad():
        network(inputs)
    if not seen[path].requires_grad:  # nothing before the layer learns
        return (), tuple(named)
    reached = torch.autograd.grad(seen[path].sum(), list(named.values()), allow_unused=True)
    before = tuple(name for name, gradient in zip(named, reached, strict=True) if gradient is not None)
    return before, tuple(name for name in named if name not in before)

"""What the study of transfer claims, and the number that decides each claim at each layer."""

from typing import Final

import numpy as np
import pandas as pd

from syzygy.claims import Expectation
from syzygy.studies.tables.pair_scores import EXPLAINED

PRETRAINED, RANDOM = "pretrained", "random"

#: Largest change of a distance, as a factor, that an encoder-lazy pair without output distance can have:
#: A_low = A_high = H₀ makes the final distance ½H₀ + sqrt(¼H₀² + H₀²).
LAZY: Final = (1 + np.sqrt(5)) / 2

PAIRS: Final = "of the pairs of different classes of all pretrained networks, by layer,"

EXPECTATIONS: Final[tuple[Expectation, ...]] = (
    Expectation(
        "second_half",
        "In a pretrained network the theory, fitted to the first half of fine-tuning, explains the second.",
        "abstract",
        "out of sample",
        f"share {PAIRS} with R² of ‖dh‖² above {EXPLAINED} over the second half of the recorded steps",
        low=0.5,
    ),
    Expectation(
        "second_half_beats_logistic",
        "There it is closer than a logistic curve with as many constants, for most pairs.",
        "abstract",
        "out of sample",
        f"share {PAIRS} whose error is smaller",
        low=0.5,
    ),
    Expectation(
        "final_distance",
        "The rates of other pairs predict how far apart two images end in a pretrained network.",
        "abstract",
        "out of sample",
        f"median, {PAIRS} of |predicted/measured − 1| of the last ‖dh‖²",
        high=0.25,
    ),
    Expectation(
        "final_beats_start",
        "That prediction is better than to leave every distance as it was before fine-tuning.",
        "derived",
        "out of sample",
        f"median, {PAIRS} of |predicted/measured − 1|, over the same for the first ‖dh‖² as the prediction",
        high=1.0,
    ),
    Expectation(
        "encoder_lazy",
        "Pretrained distances are large, so the theory calls most pairs encoder-lazy: A_high > A_low.",
        "derived",
        "out of sample",
        f"share {PAIRS} in that regime with the rates of other pairs",
        low=0.5,
    ),
    Expectation(
        "lazier",
        "It calls more pairs encoder-lazy in pretrained networks than in those from random weights.",
        "derived",
        "out of sample",
        "difference of these shares, pretrained − random, by layer",
        low=0.1,
    ),
    Expectation(
        "stays",
        "Pretrained representations stay within the change that an encoder-lazy pair can make.",
        "derived",
        "no fit",
        f"median, {PAIRS} of |ln(last/first)| of ‖dh‖²; the bound is the logarithm of the golden ratio",
        high=round(float(np.log(LAZY)), 3),
    ),
    Expectation(
        "stays_more",
        "They change less than those of networks from random weights.",
        "derived",
        "no fit",
        "median |ln(last/first)| of ‖dh‖² over pairs of different classes, pretrained over random, by layer",
        high=0.5,
    ),
)


def measured(layers: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Measure every claim, layer by layer; what is compared with networks from random weights needs both.

    Parameters
    ----------
    layers
        The table of :func:`syzygy.studies.tables.transfer.by_layer`.

    Returns
    -------
    dict
        From claim to the value at each layer, without any where nothing was trained.
    """
    own, control = (layers[layers["start"] == start].set_index("layer") for start in (PRETRAINED, RANDOM))
    both = own.index.intersection(control.index)
    cases = {
        "second_half": own["second_half"],
        "second_half_beats_logistic": own["beats_logistic"],
        "final_distance": own["final_error"],
        "final_beats_start": own["final_error"] / own["start_error"],
        "encoder_lazy": own["encoder_lazy"],
        "lazier": (own["encoder_lazy"] - control["encoder_lazy"])[both],
        "stays": own["moved"],
        "stays_more": (own["moved"] / control["moved"])[both],
    }
    return {name: {str(layer): float(value) for layer, value in values.items()} for name, values in cases.items()}

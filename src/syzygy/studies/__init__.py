"""One question per file: a specification in, a result out."""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from syzygy.errors import SpecificationError, UnknownName
from syzygy.studies.alternatives import Alternatives
from syzygy.studies.context import Context
from syzygy.studies.convergence import Convergence
from syzygy.studies.depth import Depth
from syzygy.studies.expressivity import Expressivity
from syzygy.studies.feature_bias import FeatureBias
from syzygy.studies.forecast import Forecasting
from syzygy.studies.initialisation import Initialisation
from syzygy.studies.language import Language
from syzygy.studies.latent_dynamics import LatentDynamics
from syzygy.studies.mnist_pair import MnistPair
from syzygy.studies.mnist_structure import MnistStructure
from syzygy.studies.odd_one_out import OddOneOutDimensions
from syzygy.studies.perfect_fitting import PerfectFitting
from syzygy.studies.product_law import ProductLaw
from syzygy.studies.rivals import ModelComparison
from syzygy.studies.study import Study
from syzygy.studies.transfer import Transfer
from syzygy.studies.two_points import TwoPoints
from syzygy.studies.universal_dimensions import SharedDimensions
from syzygy.studies.universality import Universality
from syzygy.studies.xor import Xor

#: Every study by the name that the command line and specifications use.
STUDIES: Final = MappingProxyType[str, type[Study]](
    {
        "two-points": TwoPoints,
        "universality": Universality,
        "alternatives": Alternatives,
        "depth": Depth,
        "product-law": ProductLaw,
        "xor": Xor,
        "context": Context,
        "expressivity": Expressivity,
        "initialisation": Initialisation,
        "mnist-pair": MnistPair,
        "mnist-structure": MnistStructure,
        "transfer": Transfer,
        "forecast": Forecasting,
        "rivals": ModelComparison,
        "convergence": Convergence,
        "perfect-fitting": PerfectFitting,
        "universal-dimensions": SharedDimensions,
        "language": Language,
        "latent-dynamics": LatentDynamics,
        "odd-one-out": OddOneOutDimensions,
        "feature-bias": FeatureBias,
    }
)


def study(asked: Mapping[str, Any]) -> Study:
    """Make a study from a table, of which ``study`` names the kind.

    Raises
    ------
    SpecificationError
        No such study, an unknown key, or a value out of range.

    Examples
    --------
    >>> study({"study": "two-points", "seeds": "0..2"}).seeds
    (0, 1, 2)
    """
    name = asked.get("study")
    if not isinstance(name, str):
        raise SpecificationError(f'a specification names its study, as in study = "two-points"; got study = {name!r}')
    if name not in STUDIES:
        raise UnknownName("study", name, STUDIES)
    return STUDIES[name].of(asked)


def read_study(path: Path) -> dict[str, Any]:
    """Read a specification from a TOML or JSON file.

    Raises
    ------
    SpecificationError
        A file that cannot be read, or is neither.
    """
    try:
        text = path.read_text(encoding="utf-8")
        asked = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as unreadable:
        raise SpecificationError(f"{path} cannot be read: {unreadable}") from unreadable
    except (ValueError, RecursionError) as invalid:
        raise SpecificationError(
            f"{path} is not {'JSON' if path.suffix == '.json' else 'TOML'}: {invalid}"
        ) from invalid
    if not isinstance(asked, dict):
        raise SpecificationError(f"{path} is not a table of keys and values")
    return asked


__all__ = ["STUDIES", "Context", "MnistPair", "Study", "Transfer", "TwoPoints", "Xor", "read_study", "study"]

"""What a study answers: reasons to doubt, numbers, figures, and everything needed to do it again."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from syzygy.claims import Claim, to_pandas
from syzygy.errors import UnknownName
from syzygy.figures import Figure
from syzygy.files import whole_file, whole_folder, write_text

#: What to cite, by key.
REFERENCES: Mapping[str, str] = {
    "theory": (
        "L. van Rossem and A. M. Saxe. When Representations Align: Universality in Representation Learning "
        "Dynamics. ICML 2024. arXiv:2402.09142."
    ),
    "follow-up": (
        "L. van Rossem and A. M. Saxe. Algorithm Development in Neural Networks: Insights from the Streaming "
        "Parity Task. 2025. arXiv:2507.09897."
    ),
    "initialisation": (
        "X. Glorot and Y. Bengio. Understanding the difficulty of training deep feedforward neural networks. "
        "AISTATS 2010."
    ),
    "digits": (
        "E. Alpaydin and C. Kaynak. Optical Recognition of Handwritten Digits. UCI Machine Learning Repository, 1998."
    ),
    "mnist": (
        "Y. LeCun, L. Bottou, Y. Bengio and P. Haffner. Gradient-based learning applied to document recognition. "
        "Proceedings of the IEEE, 1998."
    ),
    "cka": (
        "S. Kornblith, M. Norouzi, H. Lee and G. Hinton. Similarity of Neural Network Representations Revisited. "
        "ICML 2019. arXiv:1905.00414."
    ),
    "rsa": (
        "N. Kriegeskorte, M. Mur and P. Bandettini. Representational similarity analysis: connecting the branches of "
        "systems neuroscience. Frontiers in Systems Neuroscience, 2008."
    ),
    "distance-correlation": (
        "G. J. Székely, M. L. Rizzo and N. K. Bakirov. Measuring and testing dependence by correlation of distances. "
        "The Annals of Statistics, 2007."
    ),
    "rv": (
        "P. Robert and Y. Escoufier. A unifying tool for linear multivariate statistical methods: the RV-coefficient. "
        "Applied Statistics, 1976."
    ),
    "shapes": (
        "A. H. Williams, E. Kunz, S. Kornblith and S. W. Linderman. Generalized Shape Metrics on Neural "
        "Representations. NeurIPS 2021. arXiv:2110.14739."
    ),
    "svcca": (
        "M. Raghu, J. Gilmer, J. Yosinski and J. Sohl-Dickstein. SVCCA: Singular Vector Canonical Correlation Analysis "
        "for Deep Learning Dynamics and Interpretability. NeurIPS 2017. arXiv:1706.05806."
    ),
    "pwcca": (
        "A. S. Morcos, M. Raghu and S. Bengio. Insights on representational similarity in neural networks with "
        "canonical correlation. NeurIPS 2018. arXiv:1806.05759."
    ),
    "platonic": (
        "M. Huh, B. Cheung, T. Wang and P. Isola. The Platonic Representation Hypothesis. ICML 2024. arXiv:2405.07987."
    ),
    "convergent": (
        "Y. Li, J. Yosinski, J. Clune, H. Lipson and J. Hopcroft. Convergent Learning: Do different neural networks "
        "learn the same representations? ICLR 2016. arXiv:1511.07543."
    ),
    "soft-matching": (
        "M. Khosla and A. H. Williams. Soft Matching Distance: A metric on neural representations that captures "
        "single-neuron tuning. 2023. arXiv:2311.09466."
    ),
    "universal-dimensions": (
        "Z. Chen and M. F. Bonner. Universal dimensions of visual representation. Science Advances, 2025. "
        "arXiv:2408.12804."
    ),
    "feature-bias": (
        "A. K. Lampinen, S. C. Y. Chan and K. Hermann. Learned feature representations are biased by complexity, "
        "learning order, position, and more. Transactions on Machine Learning Research, 2024. arXiv:2405.05847."
    ),
    "odd-one-out": (
        "F. P. Mahner, L. Muttenthaler, U. Güçlü and M. N. Hebart. Dimensions underlying the representational "
        "alignment of deep neural networks with humans. Nature Machine Intelligence, 2025. arXiv:2406.19087."
    ),
    "vice": (
        "L. Muttenthaler, C. Y. Zheng, P. McClure, R. A. Vandermeulen, M. N. Hebart and F. Pereira. VICE: Variational "
        "Interpretable Concept Embeddings. NeurIPS 2022. arXiv:2205.00756."
    ),
    "things-dimensions": (
        "M. N. Hebart, C. Y. Zheng, F. Pereira and C. I. Baker. Revealing the multidimensional mental representations "
        "of natural objects underlying human similarity judgements. Nature Human Behaviour, 2020."
    ),
    "perfect-fitting": (
        "Y. Sharon and Y. Dar. How Do the Architecture and Optimizer Affect Representation Learning? On the Training "
        "Dynamics of Representations in Deep Neural Networks. 2024, revised 2025. arXiv:2405.17377."
    ),
    "language": (
        "H. Conklin and K. Smith. Representations as Language: An Information-Theoretic Framework for "
        "Interpretability. 2024. arXiv:2406.02449."
    ),
    "soft-entropy": (
        "H. Conklin. Information Structure in Mappings: An Approach to Learning, Representation, and Generalisation. "
        "PhD thesis, 2025. arXiv:2505.23960."
    ),
    "commands": (
        "B. M. Lake and M. Baroni. Generalization without Systematicity: On the Compositional Skills of "
        "Sequence-to-Sequence Recurrent Networks. ICML 2018. arXiv:1711.00350."
    ),
    "dynamics": (
        "D. Wang, Y. Wang, L. Evans and P. Tiwary. From Latent Dynamics to Meaningful Representations. Journal of "
        "Chemical Theory and Computation, 2024. arXiv:2209.00905."
    ),
    "variational": ("D. P. Kingma and M. Welling. Auto-Encoding Variational Bayes. ICLR 2014. arXiv:1312.6114."),
    "sliced-wasserstein": (
        "S. Kolouri, P. E. Pope, C. E. Martin and G. K. Rohde. Sliced Wasserstein Auto-Encoders. ICLR 2019. "
        "arXiv:1804.01947."
    ),
    "chance": (
        "F. Kazi-Aoual, S. Hitier, R. Sabatier and J.-D. Lebreton. Refined approximations to permutation tests for "
        "multivariate inference. Computational Statistics & Data Analysis, 1995."
    ),
    "discovery": (
        "Y. Benjamini and Y. Hochberg. Controlling the False Discovery Rate: A Practical and Powerful Approach to "
        "Multiple Testing. Journal of the Royal Statistical Society B, 1995."
    ),
}


@dataclass(frozen=True)
class Finding:
    """A reason to doubt a result.

    Attributes
    ----------
    code
        Stable, as in ``SZ004``; explained in ``docs/checks.md``.
    title
        What is wrong, in a few words.
    details
        Where, and by how much: a line per case.
    """

    code: str
    title: str
    details: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A caption and a table of numbers; ``name`` is its file name without ending."""

    name: str
    caption: str
    frame: pd.DataFrame


@dataclass(frozen=True)
class Result:
    """What a study answers.

    Attributes
    ----------
    study, title, question
        Which study, and what it asks.
    summary
        The answer, in a few sentences made of the measured numbers.
    specification
        What was asked, as it can be asked again.
    findings
        Reasons to doubt it.
    claims
        What was claimed beforehand, each with what was measured and a verdict.
    note
        What is smaller than in the paper, if anything is.
    tables, figures
        The numbers, and the numbers drawn.
    references
        Keys of :data:`REFERENCES`.
    versions
        Of everything that the numbers depend on.
    """

    study: str
    title: str
    question: str
    summary: tuple[str, ...]
    specification: Mapping[str, Any]
    findings: tuple[Finding, ...]
    tables: tuple[Table, ...]
    figures: tuple[Figure, ...]
    references: tuple[str, ...]
    versions: Mapping[str, str] = field(default_factory=dict)
    claims: tuple[Claim, ...] = ()
    note: str = ""

    def table(self, name: str) -> pd.DataFrame:
        """Give the numbers of a table.

        Raises
        ------
        UnknownName
            No table of that name.
        """
        for table in self.tables:
            if table.name == name:
                return table.frame
        raise UnknownName("table", name, (table.name for table in self.tables))

    def claim(self, name: str) -> Claim:
        """Give a claim.

        Raises
        ------
        UnknownName
            No claim of that name.
        """
        for claim in self.claims:
            if claim.expectation.name == name:
                return claim
        raise UnknownName("claim", name, (claim.expectation.name for claim in self.claims))

    def undecided(self) -> "Result":
        """Give the same with every claim undecided: a partial run never counts as a whole one."""
        return replace(self, claims=tuple(replace(claim, complete=False) for claim in self.claims))

    def to_json(self) -> str:
        """Give everything but the drawings, for programs."""
        content = {
            "study": self.study,
            "title": self.title,
            "question": self.question,
            "summary": self.summary,
            "findings": [{"code": f.code, "title": f.title, "details": f.details} for f in self.findings],
            "note": self.note,
            "claims": [claim.to_json() for claim in self.claims],
            "figures": [{"name": figure.name, "caption": figure.caption} for figure in self.figures],
            "tables": {table.name: _records(table.frame) for table in self.tables},
            "specification": self.specification,
            "references": {key: REFERENCES[key] for key in self.references},
            "versions": self.versions,
        }
        return json.dumps(content, indent=2, ensure_ascii=False)

    def save(self, folder: Path) -> None:
        """Write ``result.json``, ``claims.csv``, ``tables/*.csv`` and ``figures/*``; not the page."""
        if self.claims:
            with whole_file(folder / "claims.csv") as part:
                to_pandas({self.study: self.claims}).to_csv(part, index=False)
        with whole_folder(folder / "tables") as part:
            for table in self.tables:
                table.frame.to_csv(part / f"{table.name}.csv", index=False)
        with whole_folder(folder / "figures") as part:
            for figure in self.figures:
                figure.save(part)
        write_text(folder / "result.json", self.to_json() + "\n")


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Give rows as JSON can hold them: exact numbers, null for what is not finite."""
    rows = frame.to_dict("records")
    return [{str(name): _plain(value) for name, value in row.items()} for row in rows]


def _plain(value: Any) -> Any:
    number = value.item() if hasattr(value, "item") else value
    return None if isinstance(number, float) and not math.isfinite(number) else number

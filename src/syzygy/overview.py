"""Many results, one page: every claim with its verdict, then a chapter for each study."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from syzygy.claims import Claim
from syzygy.page import embedded, filled


@dataclass(frozen=True)
class Chapter:
    """What an overview shows of one study.

    Attributes
    ----------
    name, title, question, summary, note
        As in :class:`syzygy.result.Result`; the name is that of the specification.
    doubts
        Code, title and number of lines of each finding.
    claims
        With their verdicts.
    caption, drawing
        Of the study's first figure, if it has one.
    folder
        Name of the study's own folder, beside the overview.
    """

    name: str
    title: str
    question: str
    summary: tuple[str, ...]
    note: str
    doubts: tuple[tuple[str, str, int], ...]
    claims: tuple[Claim, ...]
    caption: str
    drawing: str
    folder: str

    @classmethod
    def read(cls, folder: Path, name: str) -> "Chapter | None":
        """Read what a study has written into its folder; none if it has not, or if that is damaged."""
        try:
            told = json.loads((folder / "result.json").read_text(encoding="utf-8"))
            caption, drawing = "", ""
            for figure in told["figures"][:1]:
                if re.fullmatch(r"[\w.-]+", figure["name"]):  # a name, not a path
                    caption = figure["caption"]
                    drawing = (folder / "figures" / f"{figure['name']}.svg").read_text(encoding="utf-8")
            return cls(
                name,
                str(told["title"]),
                str(told["question"]),
                tuple(map(str, told["summary"])),
                str(told["note"]),
                tuple((str(f["code"]), str(f["title"]), len(f["details"])) for f in told["findings"]),
                tuple(Claim.of_json(claim) for claim in told["claims"]),
                str(caption),
                embedded(drawing[drawing.index("<svg") :], str(caption), f"{name}-") if drawing else "",
                folder.name,
            )
        except (OSError, ValueError, LookupError, TypeError, AttributeError, ElementTree.ParseError):
            return None


def overview(title: str, counts: Mapping[str, int], chapters: Mapping[str, Chapter], **content: Any) -> str:
    """Give the page of several results: every claim, then a chapter for each study.

    Parameters
    ----------
    title
        Of the page.
    counts
        Claims by verdict.
    chapters
        By name.
    content
        Whatever else ``reproduction.html`` shows.
    """
    return filled("reproduction.html", title=title, counts=counts, chapters=chapters, **content)

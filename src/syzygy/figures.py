"""A figure is its numbers plus a way to draw them.

The numbers are a table that a test or a reader can use without the drawing.  Written are SVG (for the page),
PDF (for the paper) and the numbers as CSV.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas

from syzygy.files import whole_file

#: One colour per network, distinguishable by readers with any colour vision (Okabe & Ito, 2008).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8A7500")

STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.grid": True,
    "grid.color": "#e8e8e8",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "lines.linewidth": 1.2,
    "figure.constrained_layout.use": True,
    "svg.fonttype": "path",  # the page looks the same where the font is missing
    "svg.hashsalt": "syzygy",  # same numbers, same bytes
    "pdf.fonttype": 42,
}


@dataclass(frozen=True)
class Figure:
    """A caption, a table of numbers, and a function that draws them.

    Attributes
    ----------
    name
        File name without ending.
    caption
        What it shows, in one or two sentences; what a reader who cannot see it should know.
    frame
        The numbers.
    draw
        Draws the numbers on an empty canvas.
    """

    name: str
    caption: str
    frame: pd.DataFrame
    draw: Callable[[Canvas, pd.DataFrame], None]

    def svg(self) -> str:
        """Draw as an SVG element, for a page."""
        text = self._bytes("svg").decode()
        return text[text.index("<svg") :]

    def save(self, folder: Path) -> None:
        """Write SVG, PDF and CSV, each whole or not at all."""
        for kind in ("svg", "pdf"):
            with whole_file(folder / f"{self.name}.{kind}") as part:
                part.write_bytes(self._bytes(kind))
        with whole_file(folder / f"{self.name}.csv") as part:
            self.frame.to_csv(part, index=False)

    def _bytes(self, kind: str) -> bytes:
        buffer = io.BytesIO()
        metadata = {"Date": None} if kind == "svg" else {"CreationDate": None}
        with mpl.rc_context(STYLE):  # type: ignore[arg-type]
            canvas = Canvas()
            FigureCanvasAgg(canvas)
            self.draw(canvas, self.frame)
            canvas.savefig(buffer, format=kind, metadata=metadata)
        return buffer.getvalue()

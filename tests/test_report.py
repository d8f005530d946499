"""The page and what lies beside it: self-contained, escaped, whole, and the same every time."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from syzygy.errors import UnknownName
from syzygy.figures import STYLE, Figure
from syzygy.report import MOST_LINES, MOST_ROWS, Cell, as_asked, formatted, header, render, shown, write_report
from syzygy.result import REFERENCES, Finding, Result, Table

HOSTILE = """<script>alert("1")</script> & 'quoted' {{ 7 * 7 }} {% raw %}"""


class Page(HTMLParser):
    """The elements of a page, their attributes, and its text outside of style and drawings."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.words, self.silent = [], [], 0
        self.feed(text)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.silent += tag in ("style", "svg")

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        self.silent -= tag in ("style", "svg")

    def handle_data(self, data):
        if not self.silent:
            self.words.append(data)

    def tags(self, name):
        return [attributes for tag, attributes in self.elements if tag == name]

    def attributes(self):
        return [pair for _, attributes in self.elements for pair in attributes.items() if pair[1] is not None]


def draw_lines(canvas, frame):
    """Two axes of equal size in every figure, so that clip paths and glyphs have ids in common."""
    for axes in canvas.subplots(1, 2):
        axes.plot(frame.step, frame.h2, "o-", label="‖dh‖²")
        axes.fill_between(frame.step, frame.h2, hatch="//")
        axes.legend()


CURVES = pd.DataFrame({"step": [0, 1, 2], "h2": [0.1, 0.2, 0.35]})
FITS = pd.DataFrame(
    {
        "network": [HOSTILE, "deep"],
        "eta_h": [6.8e-4, np.nan],
        "eta_h_low": [6.1e-4, np.nan],
        "eta_h_high": [7.5e-4, np.nan],
        "r2_h2": [0.98765, np.nan],
        "converged": [True, False],
        "seed": [0, 1],
    }
)


@pytest.fixture
def result():
    return Result(
        study="two_points",
        title=HOSTILE,
        question=f"Why? {HOSTILE}",
        summary=(f"Because. {HOSTILE}",),
        specification={"name": HOSTILE, HOSTILE: 1, "training": {"rate": 0.1, "seeds": [0, 1]}},
        findings=(
            Finding("SZ004", f"Not converged {HOSTILE}", tuple(f"case {n} {HOSTILE}" for n in range(20))),
            Finding("SZ001", "Two items only", ()),
        ),
        tables=(Table("fits", f"Rates. {HOSTILE}", FITS),),
        figures=(
            Figure("curves", f"Curves. {HOSTILE}", CURVES, draw_lines),
            Figure("again", "Once more.", CURVES, draw_lines),
        ),
        references=("theory",),
        versions={"torch": f"2.9 {HOSTILE}"},
    )


def table_of(**columns):
    return Table("numbers", "Some numbers.", pd.DataFrame(columns))


# The page as a whole


def test_needs_nothing_from_elsewhere(result):
    page = Page(render(result))
    assert not {"script", "iframe", "object", "embed", "base", "image"} & {tag for tag, _ in page.elements}
    assert not [name for name, _ in page.attributes() if name.startswith("on")]
    addresses = [value for name, value in page.attributes() if name in ("src", "href", "srcset", "xlink:href")]
    assert addresses
    assert all(re.match(r"#|data:,|figures/|tables/|result\.json$", address) for address in addresses)
    assert len(page.tags("style")) == 1  # that of a drawing would reach the whole page
    assert "@import" not in render(result)
    assert all(target.startswith("#") for target in re.findall(r"url\(['\"]?([^)]*)", render(result)))


def test_no_address_is_left_in_the_drawings(result):
    assert "http://" not in render(result)
    assert "https://" not in render(result)


def test_everything_from_outside_is_escaped(result):
    text = render(result)
    assert "<script" not in text
    assert "49" not in re.findall(r"\S+", Page(text).text)  # {{ 7 * 7 }} was not evaluated
    quiet = " ".join(HOSTILE.split())
    parts = ("Why? ", "Because. ", "Rates. ", "Curves. ", "Not converged ", "case 0 ", "case 19 ", "2.9 ")
    assert [part for part in parts if part + quiet not in Page(text).text] == []
    assert Page(text).tags("svg")[0]["aria-label"] == f"Curves. {HOSTILE}"


def test_ids_are_unique_and_every_reference_finds_its_own(result):
    text = render(result)
    ids = [value for name, value in Page(text).attributes() if name == "id"]
    assert len(ids) == len(set(ids))
    meant = re.findall(r"url\(['\"]?#([^)'\"]+)", text) + re.findall(r'href="#([^"]+)', text)
    meant += [value for name, value in Page(text).attributes() if name == "aria-labelledby"]
    assert set(meant) <= set(ids)
    first, second = re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL)
    for drawing, prefix in ((first, "f1-"), (second, "f2-")):
        assert drawing.count("url(#") == drawing.count(f"url(#{prefix}") > 0
        assert drawing.count('href="#') == drawing.count(f'href="#{prefix}') > 0


def test_the_figures_of_this_test_do_share_ids(result):
    first, second = (set(re.findall(r'id="([^"]+)"', figure.svg())) for figure in result.figures)
    assert re.findall("clipPath", result.figures[0].svg())
    assert first & second


def test_drawings_scale(result):
    for attributes in Page(render(result)).tags("svg"):
        assert "viewbox" in attributes
        assert not {"width", "height"} & set(attributes)
        assert attributes["role"] == "img"


def test_reasons_to_doubt_come_first(result):
    text = render(result)
    places = [text.index(mark) for mark in ("Because.", "Reasons to doubt", "SZ004", "SZ001", "<svg", "<table", "<dl")]
    assert places == sorted(places)


def test_many_lines_are_folded(result):
    text = render(result)
    assert f"<summary>{20 - MOST_LINES} more</summary>" in text
    few = replace(result, findings=(Finding("SZ004", "Few", ("one",) * MOST_LINES),))
    assert " more</summary>" not in render(few)


def test_no_finding_is_no_proof(result):
    text = render(replace(result, findings=()))
    assert "No check fired. That is not proof" in text
    assert "<article" not in text


def test_a_result_of_nothing_is_a_page(result):
    empty = replace(result, summary=(), specification={}, tables=(), figures=(), references=(), versions={})
    text = render(empty)
    assert "<svg" not in text
    assert "To cite" not in text
    assert "Nothing was specified" in text


def test_ends_with_what_to_cite_and_versions(result):
    text = Page(render(result)).text
    assert REFERENCES["theory"] in text
    assert "training.seeds [0, 1]" in text


def test_same_result_same_bytes(result):
    assert render(result) == render(replace(result))


# Tables


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (6.8e-4, "6.8×10⁻⁴"),
        (-1.2345e-10, "−1.23×10⁻¹⁰"),
        (0.00123456, "0.00123"),
        (0.0009996, "0.001"),
        (0.5, "0.5"),
        (-0.5, "−0.5"),
        (999.4, "999"),
        (999.6, "1×10³"),
        (1234.5, "1.23×10³"),
        (4000.0, "4000"),
        (1e300, "1×10³⁰⁰"),
        (0.0, "0"),
        (-0.0, "0"),
        (np.float32(0.25), "0.25"),
        (np.int64(-12345678), "−12345678"),
        (True, "yes"),
        (np.bool_(False), "no"),
        (np.nan, "–"),
        (np.float32("nan"), "–"),
        (None, "–"),
        (pd.NA, "–"),
        (pd.NaT, "–"),
        (np.inf, "∞"),
        (-np.inf, "−∞"),
        ("x_y", "x_y"),
    ],
)
def test_formatted(value, text):
    assert formatted(value) == text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("eta_h", "η_h"),
        ("eta_y_mean", "η_ȳ"),
        ("h2", "‖dh‖²"),
        ("r2_y2", "R² ‖dy‖²"),
        ("predicted_final_h2", "predicted final ‖dh‖²"),
        ("half_time", "half time"),
        ("a_low", "A_low"),
        ("", ""),
    ],
)
def test_header(name, text):
    assert header(name) == text


def test_a_subscript_is_set_as_one(result):
    assert "η<sub>h</sub></th>" in render(result)


def test_interval_merges_into_its_value():
    columns = shown(
        table_of(eta_h=[6.8e-4, 0.5, np.nan], eta_h_low=[6e-4, np.nan, np.nan], eta_h_high=[7e-4, 1, np.nan])
    )
    assert [column.header for column in columns] == ["η_h"]
    assert columns[0].cells == (Cell("6.8×10⁻⁴", "[6×10⁻⁴, 7×10⁻⁴]"), Cell("0.5", "[–, 1]"), Cell("–"))


def test_half_an_interval_stays_as_it_is():
    assert [c.header for c in shown(table_of(rate=[1], rate_low=[0]))] == ["rate", "rate low"]
    assert [c.header for c in shown(table_of(a_low=[1], a_high=[0]))] == ["A_low", "A_high"]


def test_only_numbers_are_set_to_the_right():
    columns = shown(table_of(n=[1, 2], x=[0.5, np.nan], yes=[True, False], text=["a", "b"], mixed=[1, "a"]))
    assert [column.numeric for column in columns] == [True, True, False, False, False]


def test_columns_of_one_name_are_both_shown():
    table = Table("twice", "Twice.", pd.DataFrame([[1, 2]], columns=["x", "x"]))
    assert [column.cells[0].text for column in shown(table)] == ["1", "2"]


@pytest.mark.parametrize(("rows", "more"), [(MOST_ROWS, ""), (MOST_ROWS + 1, "1 more row,"), (100, "60 more rows,")])
def test_a_long_table_is_cut_and_says_so(result, rows, more):
    text = render(replace(result, tables=(table_of(step=range(rows)),)))
    assert text.count("<tr>") == 1 + min(rows, MOST_ROWS)
    assert more in text
    assert ("more row" in text) == bool(more)
    assert 'href="tables/numbers.csv"' in text


def test_a_table_without_columns_is_no_error(result):
    assert "<table>" in render(replace(result, tables=(Table("none", "None.", pd.DataFrame()),)))


def test_a_specification_is_written_exactly():
    asked = {"rate": 0.123456789, "deep": {"er": {"x": None}, "none": {}}, "list": [{"a": "é"}], "name": "a b"}
    assert list(as_asked(asked)) == [
        ("rate", "0.123456789"),
        ("deep.er.x", "null"),
        ("deep.none", "{}"),
        ("list", '[{"a": "é"}]'),
        ("name", "a b"),
    ]


# Files


def test_everything_is_written_whole(result, tmp_path):
    path = write_report(result, tmp_path / "new" / "run")
    assert path == tmp_path / "new" / "run" / "report.html"
    assert path.read_text(encoding="utf-8") == render(result)
    written = {file.relative_to(path.parent).as_posix() for file in path.parent.rglob("*") if file.is_file()}
    drawn = {f"figures/{name}.{kind}" for name in ("curves", "again") for kind in ("svg", "pdf", "csv")}
    assert written == {"report.html", "result.json", "tables/fits.csv"} | drawn
    hrefs = {attributes["href"] for attributes in Page(render(result)).tags("a")}
    assert hrefs == written - {"report.html"}


def test_a_result_written_twice_is_the_same(result, tmp_path):
    first, second = (write_report(result, tmp_path / name).parent for name in ("first", "second"))
    for file in (file for file in first.rglob("*") if file.is_file()):
        assert file.read_bytes() == (second / file.relative_to(first)).read_bytes(), file.name


def test_a_drawing_that_fails_leaves_nothing(result, tmp_path):
    def fail(_canvas, _frame):
        raise ZeroDivisionError

    broken = replace(result, figures=(Figure("broken", "Broken.", CURVES, fail),))
    with pytest.raises(ZeroDivisionError):
        write_report(broken, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_numbers_of_a_table_survive(result, tmp_path):
    write_report(result, tmp_path)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "tables" / "fits.csv"), FITS)


def test_a_table_is_found_by_name(result):
    assert result.table("fits") is FITS
    with pytest.raises(UnknownName, match="did you mean fits"):
        result.table("fit")


def test_json_parses(result):
    content = json.loads(result.to_json())
    assert content["tables"]["fits"][1]["eta_h"] is None
    assert content["findings"][1] == {"code": "SZ001", "title": "Two items only", "details": []}
    assert content["references"] == {"theory": REFERENCES["theory"]}


# Figures


def test_figure_is_an_element_and_bears_no_date(result):
    svg = result.figures[0].svg()
    assert svg.startswith("<svg")
    assert svg.rstrip().endswith("</svg>")
    assert "<dc:date>" not in svg
    assert svg == result.figures[0].svg()


def test_figure_writes_drawing_and_numbers(result, tmp_path):
    result.figures[0].save(tmp_path)
    assert (tmp_path / "curves.pdf").read_bytes().startswith(b"%PDF")
    assert "<svg" in (tmp_path / "curves.svg").read_text(encoding="utf-8")
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "curves.csv"), CURVES)


def test_figure_leaves_the_style_of_others_alone(result):
    before = {name: mpl.rcParams[name] for name in STYLE}
    result.figures[0].svg()
    assert {name: mpl.rcParams[name] for name in STYLE} == before != STYLE

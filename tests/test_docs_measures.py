"""The room of the measures: its table is held against the registry, and its pages against the code."""

import re
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from syzygy.measures import INVARIANCES, MEASURES, Factors, Inner, measure, variants
from test_docs import TEXTS, rows, section

FOLDER = "docs/measures/"
FRONT = f"{FOLDER}README.md"
SHORT = dict(zip(INVARIANCES, "TSPOLUI", strict=True))

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))
agreement = import_module("agreement")


def ends(chosen):
    """A range as the table writes it."""
    named = {np.inf: "∞", -np.inf: "−∞", np.pi / 2: "π/2", np.sqrt(2): "√2"}
    return " to ".join(named.get(float(end)) or f"{end:g}".replace("-", "−") for end in chosen.range)


def form(chosen):
    """How all pairs are computed; measures that only sometimes are inner products are named by their default."""
    return "product" if isinstance(chosen, Inner) else "factors" if isinstance(chosen, Factors) else "pairs"


def closed(chosen):
    """Whether chance has a closed form, asked of the measure."""
    draw = np.random.default_rng(0)
    prepared = [chosen.prepare(draw.normal(size=(30, 6))) for _ in range(2)]
    return chosen.chance(prepared[:1], prepared[1:]) is not None


def described(name):
    chosen = measure(name)
    kind = "metric" if chosen.metric else chosen.kind
    return [
        f"{kind}" if chosen.symmetric else f"{kind}, directed",
        ends(chosen),
        "".join(SHORT[one] for one in INVARIANCES if one in chosen.invariances),
        chosen.luck,
        f"{form(chosen)}{', closed form' if closed(chosen) else ''}",
        chosen.reference,
        f"`{chosen.alias}`" if chosen.alias else "–",
    ]


def test_every_measure_is_a_row_of_the_table():
    names = [re.match(r"`(\w+)`", row[0])[1] for row in rows(FRONT, "All measures")]
    assert names == sorted(MEASURES)


@pytest.mark.parametrize("name", sorted(MEASURES))
def test_a_row_says_what_the_measure_declares(name):
    row = next(row for row in rows(FRONT, "All measures") if row[0] == f"`{name}`")
    assert row[1] == measure(name).about
    assert row[2:-1] == described(name), " | ".join(described(name))
    page = re.fullmatch(r"\[(\w+)\]\(\1\.md\)", row[-1])[1]
    assert f"`{name.removesuffix('_squared')}`" in TEXTS[f"{FOLDER}{page}.md"]


def test_the_letters_of_the_table_are_the_invariances():
    said = re.findall(r"^- \*\*(\w)\*\* (.+?)[;.]$", section(FRONT, "All measures"), re.M)
    assert said == [(SHORT[one], meaning) for one, meaning in INVARIANCES.items()]


def test_options_that_change_what_is_claimed_are_listed():
    def claims(chosen):
        return chosen.kind, chosen.metric, ends(chosen), frozenset(chosen.invariances), form(chosen), closed(chosen)

    text = section(FRONT, "What options change")
    for chosen in variants():
        if claims(chosen) != claims(measure(chosen.name)):
            changed = [option.partition("=")[0] for option in chosen.label.split(":")[1:]]
            assert any(f"`{chosen.name}` {option}" in text for option in changed), chosen.label


def test_every_page_is_listed():
    listed = re.findall(r"^- \[(\w+\.md)\]\(\1\): .+", section(FRONT, "Pages"), re.M)
    there = {page.removeprefix(FOLDER) for page in TEXTS if page.startswith(FOLDER)}
    assert {*listed, "README.md"} == there
    assert len(listed) == len(set(listed))


# Who agrees


def test_the_table_of_peers_is_that_of_the_comparison():
    table = rows(f"{FOLDER}agreement.md", "Who agrees")
    assert len(table) == len(agreement.PEERS)
    for (ours, theirs, verdict, _, why), peer in zip(table, agreement.PEERS, strict=True):
        assert ours.partition(",")[0] == f"`{peer.ours}`"
        assert ("nothing shared" in ours, "units" in ours) == (not peer.shared, peer.widths != agreement.WIDTHS)
        assert re.fullmatch(rf"{peer.package} [\w.]+: `{re.escape(peer.call)}`", theirs)
        assert verdict == ("differs" if peer.differs else "agrees")
        assert why == (peer.differs or peer.convention or "–")

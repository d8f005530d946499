"""Every check fires on evidence made for it, and is silent on good evidence."""

import inspect
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from syzygy.checks import CHECKS, Evidence, findings
from syzygy.fitting import fit_pairs, pair_curves
from syzygy.linearisation import NEARBY
from syzygy.studies.tables import pair_scores
from syzygy.theory import PairState, PairTheory, solve
from syzygy.trajectory import Trajectory

DOCUMENT = Path(__file__).parents[1] / "docs" / "checks.md"

THEORY = PairTheory(0.03, 0.06, 1.2, 0.5)
TIMES = np.arange(0.0, 801, 4)


def trajectory_of(h2, y, *, loss=None, fates=None, steps=TIMES, measured=None, about=None):
    """A trajectory whose pairs of items (0, j) have these squared distances and outputs, ``h2[:, j - 1]``."""
    networks, pairs, length = h2.shape
    hidden, outputs = np.zeros((networks, length, pairs + 1, pairs)), np.zeros((networks, length, pairs + 1, 1))
    for pair in range(pairs):
        hidden[:, :, pair + 1, pair] = np.sqrt(h2[:, pair])
        outputs[:, :, pair + 1, 0] = y[:, pair]
    inputs = np.vstack([np.zeros(pairs), np.sqrt(1.2) * np.eye(pairs)])
    falling = 0.2 * np.exp(-steps / 50)
    return Trajectory.of(
        steps=steps.astype(int),
        loss=np.tile(falling, (networks, 1)) if loss is None else loss,
        outputs=outputs,
        representations={"layer": hidden},
        inputs=inputs,
        targets=np.vstack([[0.0], np.full((pairs, 1), np.sqrt(0.5))]),
        items=[f"item {i}" for i in range(pairs + 1)],
        seeds=range(10, 10 + networks),
        fates=fates,
        measured={"layer": measured} if measured else None,
        about=about,
    )


def evidence_of(seen, asked=None, name="net"):
    pairs = [(0, j) for j in range(1, len(seen.items))]
    return Evidence(name, seen, fit_pairs(pair_curves(seen, pairs=pairs)), asked or tuple(seen.seeds.tolist()))


def learned(networks=3, pairs=2, noise=0.01, times=TIMES):
    """Distances that obey the theory, with a little noise."""
    h2, y = np.empty((2, networks, pairs, len(times)))
    rng = np.random.default_rng(0)
    for network in range(networks):
        for pair in range(pairs):
            scale = 1 + 0.2 * network + 0.5 * pair
            start = PairState(0.05 * scale, 1e-3, 1e-3 - np.sqrt(0.5e-3))
            solution = solve(THEORY, start, times)
            h2[network, pair] = solution.state.h2
            y[network, pair] = np.sqrt(solution.state.y2)
    ripple = noise * rng.standard_normal(h2.shape) * (times > 0)
    return h2 * (1 + ripple), y * (1 + noise * rng.standard_normal(y.shape) * (times > 0))


def good(**changes):
    return evidence_of(trajectory_of(*learned(**changes)))


def fired(evidence):
    return {finding.code: finding.details for finding in findings([evidence])}


def with_fit(evidence, **changes):
    return replace(evidence, fit=replace(evidence.fit, **changes))


def incomplete():
    one = good()
    return replace(one, asked=(9, *one.asked, 13, 14, 15, 16, 17, 18))


def diverged():
    h2, y = learned()
    loss = np.tile(0.2 * np.exp(-TIMES / 50), (3, 1))
    for array in (h2, y):
        array[1, :, 150:] = np.nan
    loss[1, 150:] = np.nan
    return evidence_of(trajectory_of(h2, y, loss=loss, fates=["trained", "diverged", "learned"]))


def not_learned():
    loss = np.tile(0.2 * np.exp(-TIMES / 50), (3, 1))
    loss[2] = 0.2 * (0.1 + 0.9 * np.exp(-TIMES / 50))
    return evidence_of(trajectory_of(*learned(), loss=loss))


def still_moving():
    return good(times=TIMES / 20)


def unexplained():
    """Distances that overshoot by far."""
    h2, y = learned()
    h2[0, 1] += 3 * np.exp(-(((TIMES - 300) / 60) ** 2)) * (TIMES > 0)
    return evidence_of(trajectory_of(h2, y))


def without_rates():
    h2, y = learned()
    h2[1, 0, 0] = 0
    return evidence_of(trajectory_of(h2, y))


def astray():
    one = good()
    converged = one.fit.converged.copy()
    converged[2, 1] = False
    return with_fit(one, converged=converged, identified=one.fit.identified & converged)


def unidentified():
    """Little but noise has been seen."""
    return good(times=TIMES / 4000, noise=0.03)


def one_pair():
    return good(pairs=1)


def two_seeds():
    return good(networks=2)


def coarse():
    """A rise within one recorded step."""
    return good(times=40 * TIMES, noise=1e-4)


def measured(about=None, **changes):
    """Networks that were measured at three steps: good numbers, but for what is changed."""
    h2, y = learned()
    found = {name: np.full(h2.transpose(0, 2, 1).shape, np.nan) for name in MEASURED}
    for name, value in (dict.fromkeys(MEASURED, 0.1) | changes).items():
        for row, number in zip((0, 40, 200), np.broadcast_to(value, 3), strict=True):
            found[name][:, row] = 0.1
            found[name][1, row, 0] = number
    about = {"measure": "every 160", "optimiser": "sgd"} | (about or {})
    return evidence_of(trajectory_of(h2, y, measured=found, about=about))


def far_apart():
    return measured(encoder_share=[0.0, 0.11, 0.0])


def far_apart_after():
    return measured(decoder_share=[0.0, np.nan, 0.3])


def inconstant():
    return measured(eta_h=[0.1, 0.3, 0.14], eta_y=[0.2, 0.1, 0.1])


def unsplit():
    return evidence_of(trajectory_of(*learned(), about={"measure": "every 160", "optimiser": "sgd"}))


def by_adam():
    return evidence_of(trajectory_of(*learned(), about={"measure": "every 160", "optimiser": "adam"}))


MEASURED = ("eta_h", "eta_y", "encoder_share", "decoder_share")
CASES = [
    ("SZ001", incomplete, r"^net: 7 of 10 networks are missing \(seeds 9, 13, 14, 15, 16, 17 …\)$"),
    ("SZ002", diverged, r"^net: 1 of 3 networks \(seeds 11\); lower the learning rate$"),
    ("SZ003", not_learned, r"^net: loss above 5% .* \(seeds 12\)$"),
    ("SZ003", still_moving, r"^net: ‖dh‖² of 6 of 6 pairs of a network still moved"),
    ("SZ004", unexplained, r"^net: R² of ‖dh‖² below 0.9 for 1 of 6 pairs of a network; lowest"),
    ("SZ005", without_rates, r"^net: no rates for 1 of 6 pairs"),
    ("SZ005", astray, r"^net: the search did not converge for 1 of 6 pairs"),
    ("SZ006", unidentified, r"^net: a rate is uncertain by more than a factor of two for \d of 6"),
    ("SZ007", one_pair, r"^net: two items, one pair$"),
    ("SZ008", two_seeds, r"^net: 2 of the 3 or more"),
    ("SZ009", coarse, r"^net: the rise of 6 of 6 pairs of a network takes fewer than 5 recorded steps"),
    ("SZ011", far_apart, r"^net: second-order share of the encoder above 0.1 for 1 of 6 pairs .*; largest 0.11$"),
    ("SZ011", far_apart_after, r"^net: second-order share of the decoder above 0.1 for 1 of 6 pairs .*; largest 0.3$"),
    ("SZ012", inconstant, r"^net: eta_h of 1 of 6 pairs of a network; largest over smallest up to 3$"),
    ("SZ013", unsplit, r"^net: the network cannot be split after layer$"),
    ("SZ013", by_adam, r"^net: SGD alone has effective learning rates$"),
]


def test_good_evidence_raises_no_doubt():
    assert findings([good(), replace(good(), name="other")]) == ()


@pytest.mark.parametrize(("code", "make", "line"), CASES, ids=[f"{code}-{make.__name__}" for code, make, _ in CASES])
def test_check_fires_on_its_case(code, make, line):
    found = fired(make())
    assert code in found
    assert any(re.search(line, detail) for detail in found[code]), found[code]


ALONE = (incomplete, diverged, not_learned, astray, one_pair, two_seeds, coarse, far_apart, far_apart_after, inconstant)


@pytest.mark.parametrize("make", [*ALONE, unsplit, by_adam])
def test_check_fires_alone(make):
    (code,) = (code for code, case, _ in CASES if case is make)
    assert set(fired(make())) == {code}


def test_what_was_measured_just_inside_the_thresholds_raises_no_doubt():
    assert fired(measured()) == {}
    assert fired(measured(encoder_share=NEARBY, decoder_share=[0.0, NEARBY, np.nan])) == {}
    assert fired(measured(eta_h=[0.1, 0.2, 0.1], eta_y=[0.15, 0.3, np.nan])) == {}
    assert set(fired(measured(eta_h=[0.1, 0.2001, 0.1]))) == {"SZ012"}
    assert fired(measured(eta_y=[0.0, 0.1, np.nan])) == {}, "a rate that has no direction to be measured along"


def test_a_network_that_was_never_measured_stops_no_check_of_the_others():
    found = measured(eta_h=np.nan, eta_y=np.nan, encoder_share=np.nan, decoder_share=np.nan)
    assert fired(found) == {}


def test_nothing_is_missed_where_nothing_was_asked_to_be_measured():
    assert fired(evidence_of(trajectory_of(*learned(), about={"optimiser": "adam"}))) == {}
    travels = {"encoder_travel": np.full((3, len(TIMES)), 0.1), "decoder_travel": np.full((3, len(TIMES)), 0.1)}
    assert fired(evidence_of(trajectory_of(*learned(), measured=travels))) == {}
    asked = {"measure": "every 160", "optimiser": "sgd"}
    assert set(fired(evidence_of(trajectory_of(*learned(), measured=travels, about=asked)))) == {"SZ013"}


def test_both_rates_are_looked_at():
    lines = fired(measured(eta_h=[0.1, 0.3, 0.1], eta_y=[0.1, 0.1, 0.5]))["SZ012"]
    assert [line.split()[1] for line in lines] == ["eta_h", "eta_y"]
    assert len(fired(measured(encoder_share=0.5, decoder_share=0.5))["SZ011"]) == 2


def test_every_check_has_a_case():
    assert {code for code, _, _ in CASES} == set(CHECKS)


def test_untrained_networks_are_missing_and_nothing_else():
    nothing = Evidence("net", None, None, (0, 1))
    assert fired(nothing) == {"SZ001": ("net: 2 of 2 networks are missing (seeds 0, 1)",)}


def test_findings_are_sorted_by_code_with_a_line_for_each_network():
    found = findings([incomplete(), replace(incomplete(), name="other"), two_seeds()])
    assert [finding.code for finding in found] == ["SZ001", "SZ008"]
    assert [line.split(":")[0] for line in found[0].details] == ["net", "other"]
    assert found[0].title == CHECKS["SZ001"][0]


def test_a_network_whose_outputs_never_differ_stops_no_check():
    h2, y = learned()
    y[2] = 0
    assert "SZ004" not in fired(evidence_of(trajectory_of(h2, y)))


def test_a_networks_pair_that_was_never_seen_does_not_stop_the_others():
    h2, y = learned()
    for array in (h2, y):
        array[1] = np.nan
    loss = np.tile(0.2 * np.exp(-TIMES / 50), (3, 1))
    loss[1] = np.nan
    found = fired(evidence_of(trajectory_of(h2, y, loss=loss, fates=["trained", "diverged", "trained"])))
    assert set(found) == {"SZ002", "SZ005"}


def all_codes():
    return [*CHECKS, *re.findall(r'Finding\(\s*"(SZ\d+)"', inspect.getsource(pair_scores))]


def test_codes_are_unique_and_of_one_form():
    codes = all_codes()
    assert "SZ010" in codes
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"SZ\d{3}", code) for code in codes)


def test_a_code_is_taken_once():
    from syzygy.checks import check

    with pytest.raises(AssertionError, match="SZ001 is taken"):
        check("SZ001", "again")(lambda _: iter(()))


@pytest.mark.skipif(not DOCUMENT.exists(), reason="docs/checks.md is not there")
@pytest.mark.parametrize("code", all_codes())
def test_every_code_is_explained(code):
    text = DOCUMENT.read_text(encoding="utf-8")
    assert re.search(rf"^.*\b{code}\b.*\n(?:.*\n)*?.*\w{{3,}}", text, flags=re.MULTILINE)
    if code in CHECKS:
        assert CHECKS[code][0] in text

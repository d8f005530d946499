"""From which width on: rules on known numbers, and networks whose error is known."""

import json

import numpy as np
import pandas as pd
import pytest

import synthetic
from syzygy.claims import SOURCES
from syzygy.errors import SpecificationError
from syzygy.run import run
from syzygy.studies import study
from syzygy.studies.tables.trends import crossing, falling, far_end, levelled

WIDTHS = (1, 2, 4, 8)
LAYER = "hidden.2"


def asked(**changes):
    return study({"study": "expressivity", "widths": list(WIDTHS), "seeds": "0..4"} | changes)


def known(width, noise, stuck=()):
    """Five networks of equal rates whose ``‖dh‖²`` departs from the theory by ``noise`` after half of the steps."""
    seen = synthetic.pair([(0.002, 0.01)] * 5, [0.01] * 5, layer=LAYER)
    for seed in range(5):
        seen = synthetic.changed(seen, seed, 300, hidden=np.sqrt(1 + noise * (1 + seed / 10)))
    for seed in stuck:
        seen = synthetic.changed(seen, seed, 0, hidden=3.0, loss=1e20)
    return seen


@pytest.fixture(scope="module")
def seen():
    return {
        f"width-{w}": known(w, noise, (0,) if w == 1 else ())
        for w, noise in zip(WIDTHS, (0.8, 0.4, 0.1, 0.09), strict=True)
    }


@pytest.fixture(scope="module")
def result(seen):
    return asked().analyse(seen)


def test_trends():
    series = pd.Series([8.0, 4.0, 2.5, 1.9, 1.0], index=[1, 2, 3, 5, 9])
    assert falling(series) == pytest.approx(-1)
    assert far_end(series) == 1.0
    assert levelled(series) == 5
    assert levelled(pd.Series([1.0, 1.2, 0.9], index=[1, 2, 3])) == 1
    assert levelled(pd.Series([0.4, 1.2, 1.0], index=[1, 2, 3])) == 2  # too good counts as not levelled
    assert np.isnan([falling(series[:2]), levelled(series[:2])]).all()
    assert crossing(pd.Series([0.01, 0.1, 10], index=[1.0, 2.0, 8.0])) == pytest.approx(4)
    assert np.isnan(crossing(pd.Series([0.0, 0.5], index=[1.0, 2.0])))
    assert np.isnan(crossing(pd.Series([2.0, 5.0], index=[1.0, 2.0])))


def test_gain_and_learning_rate_follow_the_width():
    jobs = asked(widths=[1, 4, 25]).jobs()
    assert {name: job.network.width for name, job in jobs.items()} == {"width-1": 1, "width-4": 4, "width-25": 25}
    np.testing.assert_allclose([job.network.gain for job in jobs.values()], [4, 2, 0.8])
    np.testing.assert_allclose([job.network.learning_rate for job in jobs.values()], [0.001, 0.002, 0.005])
    job = jobs["width-4"]
    assert (job.network.depth, job.network.layer, job.network.steps) == (5, "hidden.2", 10_000)
    assert (job.options, job.stop_loss) == ({"dx2": 1.0, "dy2": 0.5}, None)


def test_networks_that_did_not_learn_are_counted_and_left_out(result):
    widths, networks = result.table("widths"), result.table("networks")
    assert widths["learned"].tolist() == [4, 5, 5, 5]
    good = networks[(networks["width"] == 1) & networks["learned"]]
    assert good["seed"].tolist() == [1, 2, 3, 4]
    assert widths["unexplained"][0] == pytest.approx(good["unexplained"].median())
    assert "19 of 20 networks learned" in result.summary[0]
    assert all("19 of 20" in claim.note for claim in result.claims)


def test_rates_of_the_others_are_of_those_that_learned(seen, result):
    """The final distance, predicted by hand."""
    networks = result.table("networks")
    some = networks[networks["width"] == 1].reset_index(drop=True)
    ratio = (some["eta_h"] / some["eta_y"]).to_numpy()
    assert some["identified"].all()
    for seed in range(1, 5):
        others = [one for one in range(1, 5) if one != seed]
        end = 0.005 + np.sqrt(0.005**2 + 0.5 * np.exp(np.log(ratio[others]).mean()))
        assert some["final_others"][seed] == pytest.approx(abs(end / some["last_h2"][seed] - 1), rel=1e-9)


def test_errors_are_what_was_put_in(seen, result):
    """The sum of squares over all updates, against the published objective of the fit."""
    from syzygy.fitting import fit_pairs, pair_curves

    networks = result.table("networks")
    (row,) = networks[(networks["width"] == 2) & (networks["seed"] == 3)].to_dict("records")
    curves = pair_curves(seen["width-2"])
    objective = fit_pairs(curves, scaling="none").objective[3, 0]
    assert row["squares"] == pytest.approx(10 * objective, rel=0.01)  # every tenth update is recorded
    assert row["unexplained"] == pytest.approx(fit_pairs(curves).objective[3, 0] / 3, rel=1e-6)


def test_claims_follow_from_the_medians(result):
    widths = result.table("widths").set_index("width")
    for name, case in (("unexplained", "1 − R²"), ("squares", "sum of squares")):
        assert widths[name].is_monotonic_decreasing
        assert result.claim("falls-in-sample").cases[case] == pytest.approx(-1)
    for name, case in (("unexplained_others", "time course"), ("final_others", "final distance")):
        median = widths[name]
        assert result.claim("ratio").cases[case] == pytest.approx(median[1] / median[8])
        assert result.claim("saturates").cases[case] == levelled(median) / 8
        assert result.claim("falls").cases[case] == pytest.approx(falling(median))
    assert result.claim("ratio").verdict == "holds"
    assert result.claim("saturates").cases["time course"] == 0.5
    assert all(claim.expectation.source in SOURCES for claim in result.claims)


def test_what_has_hardly_begun(seen):
    one = asked().analyse({"width-2": synthetic.gone(seen["width-2"], 1, 0, "diverged")})
    assert one.table("widths")["learned"].tolist() == [4]
    assert all(np.isnan(list(claim.cases.values())).all() for claim in one.claims)
    assert asked().analyse({}).summary == ("Nothing has been trained yet.",)
    lost = {"width-1": known(1, 0.1, stuck=range(5)), "width-2": seen["width-2"]}
    assert asked().analyse(lost).table("widths")["unexplained"].isna().tolist() == [True, False]
    none = asked().analyse({"width-1": lost["width-1"]})
    assert all(figure.svg() for figure in none.figures)
    json.loads(none.to_json(), parse_constant=pytest.fail)


@pytest.mark.parametrize(("changes", "says"), [({"widths": [2, 1]}, "widths rise"), ({"layer": 5}, "below depth = 5")])
def test_refused(changes, says):
    with pytest.raises(SpecificationError, match=says):
        asked(**changes).jobs()


def test_a_small_run(tmp_path):
    small = asked(
        widths=[2, 4, 6], seeds="0..3", steps=200, learning_rate=0.02, record="every 5", depth=2, layer=1, gain=2.0
    )
    done = run(small, tmp_path)
    json.loads(done.to_json(), parse_constant=pytest.fail)
    assert done.table("networks")["width"].value_counts().to_dict() == {2: 4, 4: 4, 6: 4}
    (page,) = tmp_path.glob("*/report.html")
    assert page.read_text(encoding="utf-8").count("<svg") == 1

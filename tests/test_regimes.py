"""The map of regimes: networks that are made to be lazy or rich land where they should."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure as Canvas

from synthetic import pair
from syzygy.errors import RunError, UnknownName
from syzygy.fitting import fit_pairs, pair_curves
from syzygy.networks import setting
from syzygy.recording import every
from syzygy.regimes import MOST, REGIMES_CAPTION, drawn, places, regime_map
from syzygy.tasks import digits, two_points, xor
from syzygy.theory import PairState, PairTheory
from syzygy.training import train
from syzygy.trajectory import MEASURES, Trajectory

RATES, STARTS = [(7e-4, 0.035), (8e-4, 0.04), (8e-4, 0.04)], [1e-3, 9e-4, 2.0]
TINY = setting({"like": "two_layer", "name": "tiny", "width": 100})


def changed(trajectory, *, hidden=None, measured=None, fates=None, loss=None):
    layer = trajectory.layers[0]
    return Trajectory.of(
        steps=trajectory.steps,
        loss=trajectory.loss if loss is None else loss,
        outputs=trajectory.outputs,
        representations={layer: trajectory.representation(layer) if hidden is None else hidden},
        inputs=trajectory.inputs,
        targets=trajectory.targets,
        items=trajectory.items,
        seeds=trajectory.seeds,
        fates=fates,
        measured=None if measured is None else {layer: measured},
    )


@pytest.fixture(scope="module")
def known():
    return pair(RATES, STARTS)


def turned(cosine):
    """Two kernels with this cosine between them."""
    one = np.array([[1.0, 0.0], [0.0, 1.0]])
    across = np.array([[0.0, 1.0], [1.0, 0.0]])
    return one, cosine * one + np.sqrt(1 - cosine**2) * across


# Known answers


def test_richness_is_what_the_theory_says_of_the_start(known):
    frame = regime_map({"net": known}).frame
    assert frame["network"].tolist() == ["net"] * 3
    assert frame["seed"].tolist() == [0, 1, 2]
    assert frame["pair"].tolist() == ["A – B"] * 3
    for row, rates, start in zip(frame.itertuples(), RATES, STARTS, strict=True):
        theory, state = PairTheory(*rates, 1.0, 0.5), PairState(start, 0.0, 0.0)
        assert row.richness == pytest.approx(float(theory.a_high(state) / theory.a_low), rel=0.02)
    assert frame["regime"].tolist() == ["rich", "rich", "encoder-lazy"]
    assert frame["kernel"].unique().tolist() == ["representations"]
    assert frame[["encoder_travel", "decoder_travel"]].isna().all(axis=None)


def test_the_drift_of_representations_is_one_less_the_cosine_of_their_kernels(known):
    hidden = known.representation("hidden.10").copy()
    hidden[:, 0], hidden[:, -1] = 0, 0
    hidden[:, 0, :, :2] = np.eye(2)  # kernel: the identity
    hidden[0, -1, :, :2] = [[3.0, 0.0], [0.0, 3.0]]
    hidden[1, -1, :, :2] = [[1.0, 0.0], [1.0, 0.0]]  # kernel: all ones, its cosine with the identity is 1/√2
    hidden[2, -1, :, :2] = [[1.0, 0.0], [0.0, 2.0]]
    frame = places("net", changed(known, hidden=hidden), fit_pairs(pair_curves(known)))
    np.testing.assert_allclose(
        frame["kernel_drift"], [0, 1 - np.sqrt(0.5), 1 - 5 / np.sqrt(2 * 17)], rtol=1e-12, atol=1e-12
    )


def test_the_tangent_kernel_goes_before_that_of_representations(known):
    shape = (*known.loss.shape, 2, 2)
    found = {name: np.full(shape, np.nan) for name in ("encoder_kernel", "decoder_kernel")}
    for network, cosine in enumerate((1.0, 0.8, 0.0)):
        first, last = turned(cosine)
        found["encoder_kernel"][network, 0], found["encoder_kernel"][network, 40] = 0.5 * first, 3 * last - turned(0)[1]
        found["decoder_kernel"][network, 0], found["decoder_kernel"][network, 40] = 0.5 * first, turned(0)[1]
    found["encoder_kernel"][2, 40] = np.nan  # seen once only
    travels = {"encoder_travel": np.full(shape[:2], np.nan), "decoder_travel": np.full(shape[:2], np.nan)}
    travels["encoder_travel"][:, 0], travels["encoder_travel"][:2, 20] = 0, [0.5, 0.25]
    travels["encoder_travel"][0, -1] = 0.7
    seen = changed(known, measured=found | travels)
    frame = places("net", seen, fit_pairs(pair_curves(known)))
    assert frame["kernel"].unique().tolist() == ["tangent"]
    np.testing.assert_allclose(frame["kernel_drift"], [0, 0.2, np.nan], atol=1e-12)
    np.testing.assert_allclose(frame["encoder_travel"], [0.7, 0.25, 0], atol=0)
    assert frame["decoder_travel"].isna().all()
    assert "the tangent kernel" in drawn(frame).caption


def test_a_network_that_was_lost_or_is_dead_has_no_drift_and_stops_no_map(known):
    hidden = known.representation("hidden.10").copy()
    hidden[0, 1:] = np.nan
    hidden[1] = np.nan
    hidden[2, -1] = 0
    figure = regime_map({"net": changed(known, hidden=hidden, fates=["diverged", "diverged", "trained"])})
    assert figure.frame["kernel_drift"].isna().all()
    assert figure.frame["regime"][1] == ""
    assert "<svg" in figure.svg()


# Networks


@pytest.mark.parametrize("measured", [False, True])
def test_small_weights_are_rich_and_large_ones_lazy_in_every_measure(measured):
    asked = {"seeds": (0, 1), "record": every(10), "stop_loss": 1e-5}
    if measured:
        asked["measure"] = every(1000)
    rich = train(two_points(), TINY.model_copy(update={"gain": 0.3, "learning_rate": 0.1}), steps=3000, **asked)
    lazy = train(two_points(), TINY.model_copy(update={"gain": 10.0, "learning_rate": 2e-3}), steps=3000, **asked)
    assert set(rich.fates + lazy.fates) == {"learned"}
    figure = regime_map({"rich": rich, "lazy": lazy})
    one, other = (figure.frame[figure.frame["network"] == name] for name in ("rich", "lazy"))
    assert set(one["regime"]) == {"rich"}
    assert (one["richness"].abs() < 1).all()
    assert not set(other["regime"]) & {"rich"}
    assert (other["richness"].abs() > 3).all()
    for column in ("kernel_drift", "encoder_travel", "decoder_travel"):
        assert one[column].min() > 5 * other[column].max() > 0, column
    assert set(figure.frame["kernel"]) == {"tangent" if measured else "representations"}
    assert "<svg" in figure.svg()


def test_every_pair_of_items_is_on_the_map():
    asked = {"layers": ["hidden.0"], "steps": 30, "record": every(5)}
    row = TINY.model_copy(update={"learning_rate": 0.05, "activation": "tanh"})
    four = train(xor(), row, seeds=(0, 1), **asked)
    many = train(digits(per_class=1), row, seeds=(0,), **asked)
    figure = regime_map({"xor": four, "digits": many})
    pairs = len(many.items) * (len(many.items) - 1) // 2
    assert figure.frame.groupby("network").size().to_dict() == {"xor": 2 * 6, "digits": pairs}
    assert pairs == 45
    assert figure.frame.groupby(["network", "seed"])["kernel_drift"].nunique().max() == 1
    assert "<svg" in figure.svg()


def test_any_watched_layer_can_be_drawn():
    seen = train(two_points(), setting("shallow"), layers=["hidden.0", "hidden.1"], steps=20, record=every(5))
    first, plain, second = (regime_map({"a": seen}, layer).frame for layer in ("hidden.0", None, "hidden.1"))
    assert first.equals(plain)
    assert not first["kernel_drift"].equals(second["kernel_drift"])
    assert first["encoder_travel"].item() != second["encoder_travel"].item()
    with pytest.raises(UnknownName, match=r"unknown layer 'hidden\.9'"):
        regime_map({"a": seen}, "hidden.9")


def test_nothing_can_be_drawn_of_nothing():
    with pytest.raises(RunError, match=r"nothing has been trained yet.*run the study first"):
        regime_map({})


# The drawing


def test_a_richness_beyond_the_edge_is_drawn_at_it_and_kept_in_the_table(known):
    frame = places("net", known, fit_pairs(pair_curves(known)))
    frame.loc[0, "richness"], frame.loc[1, "richness"] = 1e9, -np.inf
    frame.loc[2, "richness"] = np.nan
    figure = drawn(frame)
    assert figure.frame["richness"].iloc[0] == 1e9 > MOST
    assert "<svg" in figure.svg()


@pytest.mark.parametrize("count", [1, 2, 30])
def test_any_number_of_kinds_is_drawn_and_twice_the_same(known, count):
    frame = places("net", known, fit_pairs(pair_curves(known)))
    figure = drawn(pd.concat([frame.assign(network=f"net {n}") for n in range(count)], ignore_index=True))
    first = figure.svg()
    assert first.startswith("<svg")
    if count < 3:
        assert figure.svg() == first


def test_the_captions_name_every_column(known):
    frame = places("net", known, fit_pairs(pair_curves(known)))
    for column in set(frame.columns) - {"network", "seed", "pair", "regime"}:
        assert column in REGIMES_CAPTION
    assert {"encoder_travel", "decoder_travel"} < set(MEASURES)
    assert "the kernel of the representations" in drawn(frame).caption


def test_every_gain_of_a_seed_has_a_dot_of_its_own():
    row = {"network": "one", "seed": 0, "richness": 0.1, "regime": "rich", "kernel": "tangent", "kernel_drift": 0.2}
    pairs = [row | {"pair": name, "encoder_travel": far, "decoder_travel": far} for far in (0.1, 0.2) for name in "ab"]
    figure, canvas = drawn(pd.DataFrame(pairs)), Canvas()
    figure.draw(canvas, figure.frame)
    left, right = canvas.axes
    assert len(left.collections[0].get_offsets()) == 4
    assert len(right.collections[0].get_offsets()) == 2

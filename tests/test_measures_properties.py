"""What every measure of the registry claims of itself, held against random representations.

A failure names the measure.  What a measure computes is tested beside its kind; here only what it declares.
"""

from dataclasses import asdict
from itertools import permutations
from math import factorial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import syzygy.measures
from syzygy.errors import DataError, ShapeError, SyzygyError
from syzygy.linalg import FLOAT32, FLOAT64
from syzygy.measures import INVARIANCES, MEASURES, Inner, measure, variants
from syzygy.measures.measure import checked

ALL = pytest.mark.parametrize("asked", variants(), ids=lambda one: one.label)
SEEDS = st.integers(0, 2**32 - 1)
FEW, MORE = settings(max_examples=3, deadline=None), settings(max_examples=8, deadline=None)


def pair(asked, seed, kind="normal"):
    """Two representations of the same items that have something in common, of one width."""
    draw = np.random.default_rng(seed)
    items, units = max(14, asked.least_items + 3) + int(draw.integers(4)), int(draw.integers(3, 7))
    if kind == "whole":  # many equal distances
        x = draw.integers(0, 3, size=(items, units)).astype(float)
        x[:2] = np.eye(2, units) + 1  # but no item in the middle of nowhere, and not all the same
        return x, np.roll(x, 1, axis=1) + draw.integers(0, 2, size=(items, units)) + 1.0 * (np.arange(units) == 0)
    x = draw.normal(size=(items, units)) + 0.3
    return x, x @ draw.normal(size=(units, units)) + draw.normal(size=(items, units))


def changed(invariance, x, seed):
    """What a measure that is invariant does not notice."""
    draw = np.random.default_rng(seed)
    items, units = x.shape
    turn = np.linalg.qr(draw.normal(size=(units, units)))[0]
    return {
        "translation": x + 3 * draw.normal(size=units),
        "scale": x * draw.choice([0.05, 7.3]),
        "permutation": x[:, np.roll(draw.permutation(units), 1)],
        "orthogonal": x @ turn,
        "linear": x @ turn * np.exp(draw.uniform(-1, 1, units)) @ np.linalg.qr(draw.normal(size=(units, units)))[0],
        "unit_scale": x * np.exp(draw.normal(size=units)),
        "item_scale": x * np.exp(draw.normal(size=(items, 1))),
    }[invariance]


def outcome(asked, x, y):
    """The score; NaN where it is said that there is none."""
    try:
        return asked(x, y)
    except DataError as refused:
        return float(one_line(refused) and "nan")


def one_line(error):
    """A message that a reader can act on."""
    assert "\n" not in str(error)
    assert len(str(error)) > 20
    return True


def near(found, expected, tolerance=1e-7):
    return np.isclose(found, expected, rtol=tolerance, atol=tolerance, equal_nan=True)


def loop(asked, left, right):
    return np.array([[outcome(asked, x, y) for y in right] for x in left])


def takes_any_width(asked):
    x, _ = pair(asked, 0)
    try:
        asked(x, x[:, :-1])
    except ShapeError:
        return False
    return True


def several(asked, seed, count=4):
    """Representations of the same items; of different widths where they may be."""
    x, y = pair(asked, seed)
    draw = np.random.default_rng(seed + 1)
    found = [x, y, *(x @ draw.normal(size=(x.shape[1], x.shape[1])) for _ in range(count - 2))]
    if takes_any_width(asked):
        found[1], found[-1] = y[:, :-1], np.concatenate([found[-1], y], axis=1)
    return found


# ── What is declared ─────────────────────────────────────────────────────────────────────────────────


def test_every_measure_is_tested_once_for_all_that_it_claims():
    assert {one.name for one in variants()} == set(MEASURES)
    assert all(kind().name == kind.name == name for name, kind in MEASURES.items())
    assert len({one.label for one in variants()}) == len(variants())


@ALL
def test_a_measure_says_what_it_is(asked):
    for text in (asked.name, asked.about, asked.reference, asked.luck, asked.label, type(asked).__doc__):
        assert text.strip()
    assert asked.kind in ("similarity", "distance")
    assert asked.invariances <= set(INVARIANCES)
    assert asked.alias is None or (asked.alias and " " not in asked.alias)
    low, high = asked.range
    assert low < high
    assert low <= asked.best <= high
    assert asked.least_items >= 1


@ALL
def test_the_label_says_all_options(asked):
    assert measure(asked.label) == asked
    assert measure(asked) is asked
    assert hash(asked) == hash(measure(asked.label))


@ALL
def test_the_function_of_its_name_is_the_measure(asked):
    known, (x, y) = syzygy.measures.__all__, pair(asked, 3)
    if asked.name not in known:  # a kind of its own, and an option of the function
        assert asked.name.split("_")[0] in known
        return
    function = getattr(syzygy.measures, asked.name)
    assert function(x, y, **asdict(asked)) == asked(x, y)
    for section in ("Parameters", "Raises", "Examples"):
        assert section in function.__doc__


# ── What it does not notice, and what it does ────────────────────────────────────────────────────────


@ALL
@MORE
@given(seed=SEEDS, kind=st.sampled_from(["normal", "normal", "whole"]))
def test_claimed_invariances_hold(asked, seed, kind):
    x, y = pair(asked, seed, kind)
    before = outcome(asked, x, y)
    for invariance in asked.invariances:
        for found in (outcome(asked, changed(invariance, x, seed), y), outcome(asked, x, changed(invariance, y, seed))):
            assert near(found, before), f"{asked.label} claims not to notice {INVARIANCES[invariance]}"


@ALL
@pytest.mark.parametrize("invariance", INVARIANCES)
def test_invariances_that_are_not_claimed_fail_somewhere(asked, invariance):
    if invariance in asked.invariances:
        return
    for seed in range(12):
        x, y = pair(asked, seed)
        before = outcome(asked, x, y)
        either = outcome(asked, changed(invariance, x, seed), y), outcome(asked, x, changed(invariance, y, seed))
        if not all(near(found, before, 1e-4) for found in either):
            return
    pytest.fail(f"{asked.label} does not notice {INVARIANCES[invariance]}, and does not claim so")


@ALL
def test_a_measure_is_symmetric_where_it_says_so(asked):
    pairs = [pair(asked, seed) for seed in range(12)]
    assert all(near(asked(x, y), asked(y, x), 1e-10) for x, y in pairs) == asked.symmetric


@ALL
@FEW
@given(seed=SEEDS, kind=st.sampled_from(["normal", "whole"]))
def test_nothing_is_more_alike_than_itself(asked, seed, kind):
    x, y = pair(asked, seed, kind)
    itself, other, sign = outcome(asked, x, x), outcome(asked, x, y), 1 if asked.kind == "similarity" else -1
    if asked.symmetric:
        assert near(itself, asked.best, 1e-6) or (kind == "whole" and np.isnan(itself))
    assert not sign * itself > sign * asked.best + 1e-9
    assert not sign * other > sign * asked.best + 1e-9


@ALL
@FEW
@given(seed=SEEDS)
def test_scores_stay_in_their_range(asked, seed):
    x, y = pair(asked, seed)
    draw, (low, high) = np.random.default_rng(seed), asked.range
    wide = draw.normal(size=(2, len(x), 3 * len(x)))
    for a, b in ((x, y), (x, -x), (x, draw.normal(size=x.shape)), (wide[0], wide[1]), (x[:, :1] * x, x)):
        assert not np.isnan(found := outcome(asked, a, b))
        assert low - 1e-9 <= found <= high + 1e-9


@ALL
@FEW
@given(seed=SEEDS)
def test_a_metric_keeps_the_triangle_inequality(asked, seed):
    if not asked.metric:
        return
    some = several(asked, seed, 5)
    distances = loop(asked, some, some)
    assert asked.kind == "distance"
    assert asked.symmetric
    detours = (distances[:, :, None] + distances[None]).min(axis=1)
    assert np.all(distances <= detours + 1e-7 * (1 + detours))


# ── All pairs ────────────────────────────────────────────────────────────────────────────────────────


@ALL
@FEW
@given(seed=SEEDS)
def test_all_pairs_are_the_double_loop(asked, seed):
    """In single precision to 2e-6: of few items, sums of a hundred products lose up to ten roundings of 6e-8 each."""
    some = several(asked, seed)
    expected = loop(asked, some, some)
    for work, tolerance in ((FLOAT64, 1e-10), (FLOAT32, 2e-6)):
        prepared = [asked.prepare(checked(x, "x"), work) for x in some]
        scale = np.abs(expected).max()
        # Of a distance near zero the square is what is exact.
        off = ~np.eye(len(some), dtype=bool) | (asked.kind == "similarity")
        for found in (asked.block(prepared, None, work), asked.block(prepared, prepared, work)):
            assert found.dtype == np.float64
            wrong = np.abs(found - expected)[off].max() / max(scale, 1)
            assert wrong < tolerance, f"{asked.label} in {work.dtype} is wrong by {wrong:.1e}"
            np.testing.assert_allclose(found, expected, rtol=0, atol=np.sqrt(tolerance) * max(scale, 1))
        some_pairs = asked.block(prepared[:1], prepared[1:], work)
        assert some_pairs.shape == (1, len(some) - 1)
        assert np.abs(some_pairs - expected[:1, 1:]).max() < tolerance * max(scale, 1)


@ALL
def test_a_representation_without_a_score_is_nan_among_the_others(asked):
    """Every other pair of the block is what it is without it."""
    x, y = pair(asked, 5)
    constant = np.ones_like(x)
    found = asked.block([asked.prepare(one) for one in (x, constant, y)])
    expected = asked.block([asked.prepare(one) for one in (x, y)])
    np.testing.assert_allclose(found[::2, ::2], expected, atol=1e-7)
    alone = np.array([[outcome(asked, a, b) for b in (x, constant)] for a in (x, constant)])
    np.testing.assert_allclose(found[:2, :2], alone, atol=1e-6)


@ALL
@FEW
@given(seed=SEEDS)
def test_permuted_is_what_would_have_been_prepared(asked, seed):
    if getattr(asked, "folds", 0):
        return  # folds go with their items; see the tests of prediction
    """Folds, which are cut by place, stay with the items that predict; then the other's items move back."""
    x, y = pair(asked, seed)
    order = np.random.default_rng(seed).permutation(len(x))
    back, before, other = np.argsort(order), asked.prepare(x), asked.prepare(y)
    moved, expected = asked.permuted(before, order), asked.prepare(x[order])
    assert set(moved) == set(expected)
    predicting = asked.block([expected], [other])
    if getattr(asked, "folds", 0):
        predicting = asked.block([before], [asked.prepare(y[back])])
    exact = {"rtol": 1e-9, "atol": 1e-9}
    np.testing.assert_allclose(asked.block([moved], [other]), predicting, **exact)
    np.testing.assert_allclose(asked.block([other], [moved]), asked.block([other], [expected]), **exact)
    again = asked.permuted(moved, back)
    np.testing.assert_allclose(asked.block([again], [other]), asked.block([before], [other]), **exact)


# ── Chance ───────────────────────────────────────────────────────────────────────────────────────────


def statistics(asked, x, y, orders):
    """What chance is about, for each order of the items of one."""
    mine, other = asked.prepare(x), asked.prepare(y)
    compare = asked.products if isinstance(asked, Inner) else asked.block
    return compare([asked.permuted(mine, np.array(order)) for order in orders], [other])[:, 0]


@ALL
def test_closed_form_chance_is_the_mean_over_permutations(asked):
    """Over all of them for few items; over a sample, within five standard errors, where a measure needs more."""
    items = max(5, asked.least_items)
    x, y = (one[:items, :3] for one in pair(asked, 7))
    found = asked.chance([asked.prepare(x)], [asked.prepare(y)])
    if found is None:
        return
    assert found.mean.shape == found.spread.shape == found.skewness.shape == (1, 1)
    if all_of_them := factorial(items) <= 720:
        orders = list(permutations(range(items)))
    else:
        orders = [np.random.default_rng(place).permutation(items) for place in range(400)]
    values = statistics(asked, x, y, orders)
    mean, spread = values.mean(), values.std()
    skewness = np.mean((values - mean) ** 3) / spread**3 if spread else 0.0
    error = 1e-9 if all_of_them else 5 * spread / np.sqrt(len(values))
    assert abs(found.mean[0, 0] - mean) < error
    assert abs(found.spread[0, 0] / spread - 1) < (1e-9 if all_of_them else 0.3)
    assert np.isnan(found.skewness[0, 0]) or abs(found.skewness[0, 0] - skewness) < (1e-6 if all_of_them else 1.5)


@ALL
@pytest.mark.parametrize("units", [4, 40, 400])
def test_debiased_noise_is_nothing_within_its_stated_error(asked, units):
    """p/n of 0.1, 1 and 10: the spread over permutations is the error, and the mean over draws is five of them off."""
    if getattr(asked, "estimator", "debiased" if asked.luck.startswith("0 on average") else "") != "debiased":
        return
    draw, scores, errors = np.random.default_rng(units), [], []
    for _ in range(30):
        left, right = (asked.prepare(draw.normal(size=(40, units))) for _ in range(2))
        scores.append(asked.block([left], [right])[0, 0])
        errors.append(asked.chance([left], [right]).spread[0, 0])
        assert abs(asked.chance([left], [right]).mean[0, 0]) < 1e-9
    error = np.sqrt(np.mean(np.square(errors)))
    assert abs(np.mean(scores)) < 5 * error / np.sqrt(30)
    assert 0.6 < np.std(scores) / error < 1.6


# ── Bad input ────────────────────────────────────────────────────────────────────────────────────────


@ALL
def test_odd_input_is_scored_or_refused_in_one_line(asked):
    """Constant, doubled and zero units, doubled items: a number in range, or DataError; never a warning."""
    x, y = pair(asked, 11)
    low, high = asked.range
    odd = {
        "constant": np.ones_like(x),
        "constant, with rounding": np.full_like(x, 0.1) + 1e3,
        "zero": np.zeros_like(x),
        "a zero unit": np.where(np.arange(x.shape[1]) == 1, 0.0, x),
        "a constant unit": np.where(np.arange(x.shape[1]) == 1, 2.0, x),
        "equal units": np.repeat(x[:, :1], x.shape[1], axis=1),
        "equal items": x[np.arange(len(x)) // 2],
        "one item apart": np.eye(1, len(x)).T * np.ones(x.shape[1]),
        "huge": x * 1e30,
        "tiny": x * 1e-30,
        "far away": x + 1e6,
    }
    for what, one in odd.items():
        for a, b in ((one, y), (y, one), (one, one)):
            found = outcome(asked, a, b)
            assert np.isnan(found) or low - 1e-6 <= found <= high + 1e-6, f"{asked.label} of {what} gives {found}"
    if "scale" in asked.invariances:
        for what in ("huge", "tiny"):
            assert near(outcome(asked, odd[what], y), asked(x, y)), f"{asked.label} of {what} numbers"
    for what in ("a zero unit", "a constant unit", "far away", "equal items"):
        assert not np.isnan(outcome(asked, odd[what], y)), f"{asked.label} refuses {what}"


@ALL
def test_numbers_of_any_kind_are_numbers(asked):
    x, y = pair(asked, 12, "whole")
    expected = outcome(asked, x, y)
    for kind in ("int64", "uint8", "float16", "float32"):
        assert near(outcome(asked, x.astype(kind), y.astype(kind)), expected, 1e-12), f"{asked.label} of {kind}"
    assert near(outcome(asked, x > 1, y), outcome(asked, (x > 1).astype(float), y), 1e-12)
    assert near(outcome(asked, x.reshape(len(x), 1, -1), y[..., None]), expected, 1e-12)
    assert near(outcome(asked, x.tolist(), np.asfortranarray(y)), expected, 1e-9)


@ALL
def test_what_is_no_representation_is_refused(asked):
    x, y = pair(asked, 13)
    holes = {"NaN": np.nan, "infinite": np.inf}
    bad = [
        (what, np.where(np.arange(x.size).reshape(x.shape) == 4, value, x), DataError) for what, value in holes.items()
    ]
    bad += [
        ("complex", x + 0j, DataError),
        ("objects", x.astype(object), DataError),
        ("text", x.astype(str), DataError),
    ]
    bad += [("one axis", x[:, 0], ShapeError), ("no items", x[:0], ShapeError), ("no units", x[:, :0], ShapeError)]
    bad += [("fewer items", x[:-1], ShapeError), ("too few items", x[: asked.least_items - 1], ShapeError)]
    for what, one, kind in bad:
        for a, b in ((one, y), (y, one)):
            with pytest.raises(kind) as caught:
                asked(a, b)
            assert one_line(caught.value), what
    few = asked.least_items
    if few > 1:
        with pytest.raises(ShapeError, match=rf"needs {few} items, x has {few - 1}" if few > 2 else "needs"):
            asked(x[: few - 1], y[: few - 1])
    try:
        assert np.isfinite(asked(x[:few], y[:few]))
    except SyzygyError as refused:
        one_line(refused)

"""Noise ceilings from inner products: against averaged matrices, and a known ratio of signal to noise."""

import numpy as np
import pytest

from syzygy.chance import between, ceilings


def repeats(draw, count, size, noise):
    """A signal of norm one in many dimensions, seen so often with noise of that norm; unit vectors."""
    signal = draw.normal(size=size) / np.sqrt(size)
    found = signal + noise * draw.normal(size=(count, size)) / np.sqrt(size)
    return signal / np.linalg.norm(signal), found / np.linalg.norm(found, axis=1, keepdims=True)


def cosine(a, b):
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)


@pytest.mark.parametrize("count", [2, 3, 8])
def test_ceilings_are_those_of_the_averaged_matrices(count):
    _, seen = repeats(np.random.default_rng(count), count, 30, 1.0)
    low, high = ceilings(seen @ seen.T)
    others = [np.delete(seen, one, axis=0).mean(axis=0) for one in range(count)]
    assert low == pytest.approx(np.mean([cosine(a, b) for a, b in zip(seen, others, strict=True)]), rel=1e-12)
    assert high == pytest.approx(np.mean([cosine(a, seen.mean(axis=0)) for a in seen]), rel=1e-12)
    assert low < high


def test_matrices_need_not_have_norm_one_for_their_cosines():
    _, seen = repeats(np.random.default_rng(0), 4, 30, 1.0)
    seen *= 3.0
    low, high = ceilings(seen @ seen.T)
    assert (low, high) == pytest.approx(ceilings(seen @ seen.T / 9), rel=1e-12)


@pytest.mark.parametrize(("count", "noise"), [(2, 1.0), (5, 0.5), (20, 2.0)])
def test_the_true_signal_lies_between_the_ceilings(count, noise):
    """With ρ = 1/(1 + noise²) between repeats, the signal scores √ρ; 200,000 dimensions leave 1/√200000."""
    signal, seen = repeats(np.random.default_rng(count), count, 200_000, noise)
    rho = 1 / (1 + noise**2)
    low, high = ceilings(seen @ seen.T)
    assert low == pytest.approx(rho * np.sqrt((count - 1) / (1 + (count - 2) * rho)), abs=0.01)
    assert high == pytest.approx(np.sqrt((1 + (count - 1) * rho) / count), abs=0.01)
    assert between(seen @ seen.T) == pytest.approx(rho, abs=0.01)
    true = np.mean(seen @ signal)
    assert true == pytest.approx(np.sqrt(rho), abs=0.01)
    assert low < true < high


def test_one_measurement_has_no_ceiling():
    assert np.isnan(ceilings(np.ones((1, 1)))).all()
    assert np.isnan(between(np.ones((1, 1))))


def test_repeats_that_cancel_have_no_ceiling():
    assert np.isnan(ceilings(np.array([[1.0, -1.0], [-1.0, 1.0]]))).any()

"""Products in a stated precision, and matrices of items."""

import mmap

import numpy as np
import pytest

from syzygy.linalg import FLOAT32, FLOAT64, Work, centred, double_centred, pack, u_centred, unpack, work


def vectors(count=5, length=40_000, dtype=np.float64, seed=0):
    return np.random.default_rng(seed).normal(size=(count, length)).astype(dtype)


@pytest.fixture(params=[None, "cpu"])
def device(request):
    return request.param


@pytest.mark.parametrize(("dtype", "off"), [("float32", 1e-6), ("float64", 1e-13)])
def test_inner_products_are_those_of_vdot(dtype, off, device):
    a, b = vectors() / 200, vectors(3, seed=1) / 200  # of norm one
    there = Work(dtype, device)
    expected = np.array([[np.vdot(x, y) for y in b] for x in a])
    np.testing.assert_allclose(there.inner(list(a), list(b)), expected, atol=off)
    own = there.inner(list(a))
    np.testing.assert_allclose(own, a @ a.T, atol=off)
    np.testing.assert_array_equal(own, own.T)
    assert own.dtype == np.float64


def test_sums_of_many_columns_keep_the_digits_of_float64(device):
    """Each piece is exact in float32, their sum is not: 2²⁴ + 1 is no number of float32."""
    ones = np.ones(2**24 + work.COLUMNS + 1, dtype=np.float32)
    assert Work("float32", device).inner([ones])[0, 0] == len(ones)
    assert int(np.float32(len(ones))) != len(ones)


def test_rows_of_one_matrix_are_not_copied(monkeypatch):
    whole = vectors(6).astype(np.float32)
    monkeypatch.setattr(np, "stack", None)
    found = FLOAT32.inner(list(whole[1:4]), [whole[4], whole[5]])
    np.testing.assert_allclose(found, whole[1:4].astype(float) @ whole[4:].T, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("pick", [
    lambda a: [a[0], a[2]], lambda a: [a[1], a[0]], lambda a: [a[0], a[0]], lambda a: [a[0, :-1], a[1, :-1]],
    lambda a: [a[0, 1:], a[1, 1:]], lambda a: [a[0, ::2], a[1, ::2]], lambda a: [a[0], a[1].copy()],
    lambda a: [a[:, 0], a[:, 1]], lambda a: list(a.reshape(5, 100, -1)[0]),
])  # fmt: skip
def test_what_only_looks_like_rows_is_copied(pick):
    some = pick(vectors())
    np.testing.assert_allclose(FLOAT64.inner(some), np.array(some) @ np.array(some).T, rtol=1e-12, atol=1e-9)


def test_mapped_files_are_read_and_given_back(tmp_path, monkeypatch, device):
    expected, mapped, given = vectors(3), [], []
    for index, row in enumerate(expected):
        np.save(tmp_path / f"{index}.npy", row)
        mapped.append(np.load(tmp_path / f"{index}.npy", mmap_mode="r"))
    keep = work._forget
    monkeypatch.setattr(work, "_forget", lambda one: given.append(one) or keep(one))
    found = Work("float64", device).inner(mapped)
    np.testing.assert_allclose(found, expected @ expected.T, rtol=1e-12, atol=1e-9)
    assert len(given) == 3 * -(-40_000 // work.COLUMNS)


def test_nothing_is_given_back_where_that_is_not_known(monkeypatch, tmp_path):
    np.save(tmp_path / "x.npy", np.arange(5.0))
    monkeypatch.delattr(mmap, "MADV_DONTNEED", raising=False)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert FLOAT64.inner([mapped])[0, 0] == 30


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_products(dtype, device):
    a, b = vectors(4, 7), vectors(3, 7, seed=1)
    there = Work(dtype, device)
    for found, expected in ((there.product(a, b), a @ b.T), (there.product(a), a @ a.T)):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
        assert found.dtype == dtype


def test_singular_values(device):
    some = np.random.default_rng(0).normal(size=(3, 6, 4))
    found = Work("float64", device).singular_values(some)
    np.testing.assert_allclose(found, [np.sqrt(np.linalg.eigvalsh(one.T @ one))[::-1] for one in some], rtol=1e-10)
    assert Work("float32", device).singular_values(some).dtype == np.float64


def test_what_may_not_be_written_to_goes_to_the_device_too():
    a = vectors(2, 10)
    a.flags.writeable = False
    np.testing.assert_allclose(Work("float64", "cpu").product(a), a @ a.T)


def test_centring():
    x = vectors(8, 3) + 1e3
    np.testing.assert_allclose(centred(x).mean(axis=0), 0, atol=1e-12)
    h = np.eye(8) - 1 / 8
    gram = x @ x.T
    np.testing.assert_allclose(double_centred(gram), h @ gram @ h, rtol=1e-6, atol=1e-8)


def test_inner_products_of_u_centred_matrices_are_the_unbiased_criterion():
    """Song et al. (2012), written out."""
    x, y = vectors(9, 2), vectors(9, 4, seed=1)
    n, k, m = 9, x @ x.T, y @ y.T
    np.fill_diagonal(k, 0)
    np.fill_diagonal(m, 0)
    one = np.ones(n)
    expected = (np.trace(k @ m) + one @ k @ one * (one @ m @ one) / ((n - 1) * (n - 2))
                - 2 / (n - 2) * one @ k @ m @ one)  # fmt: skip
    found = u_centred(x @ x.T), u_centred(y @ y.T)
    assert np.vdot(*found) == pytest.approx(expected, rel=1e-12)
    assert all((np.diag(one) == 0).all() for one in found)


@pytest.mark.parametrize("n", [1, 2, 7])
def test_packing_keeps_inner_products_and_is_undone(n):
    a, b = (m + m.T for m in np.random.default_rng(0).normal(size=(2, n, n)))
    assert len(pack(a)) == n * (n + 1) // 2
    assert pack(a) @ pack(b) == pytest.approx(np.sum(a * b))
    np.testing.assert_allclose(unpack(pack(a)), a)
    assert pack(a.astype(np.float32)).dtype == np.float32

"""What comes out of comparing every pair: labels, tables, maxima over layers, ceilings."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import syzygy
from syzygy.alignment import engine
from syzygy.alignment.places import places
from syzygy.errors import SpecificationError, UnknownName
from syzygy.measures import CKA, measure
from syzygy.representations import Representation, Representations, held


def layers(networks=3, layers_each=2, items=60, noise=1.0, extra=None):
    """Layers of networks that see the same six features; a network's layers are alike."""
    draw = np.random.default_rng(0)
    common, made = draw.normal(size=(items, 6)), []
    for network in range(networks):
        own = common + noise * draw.normal(size=(items, 6))
        for layer in range(layers_each):
            x = own @ draw.normal(size=(6, 8)) + 0.3 * draw.normal(size=(items, 8))
            where = {"network": f"net{network}", "layer": layer} | (extra or {})
            made.append(held(f"net{network}/{layer}", x, **where))
    return Representations(made)


@pytest.fixture(scope="module")
def alignment():
    return syzygy.align(layers(), ["cka", "procrustes", "linear_predictivity"], permutations=20)


def test_axes_and_coordinates(alignment):
    data = alignment.to_xarray()
    assert data["score"].dims == ("measure", "representation", "other representation")
    assert list(data["measure"].values) == ["cka", "procrustes", "linear_predictivity"]
    assert list(data["network"].values) == ["net0", "net0", "net1", "net1", "net2", "net2"]
    assert list(data["other layer"].values) == [0, 1] * 3
    assert data["layer"].dtype == np.int64
    assert set(data.data_vars) == {"score", "chance", "spread", "calibrated", "p", "q"}


def test_symmetric_measures_fill_both_halves(alignment):
    for label in ("cka", "procrustes"):
        for name, values in alignment.data.sel(measure=label).data_vars.items():
            np.testing.assert_array_equal(values, values.values.T, err_msg=str(name))
    ordered = alignment.score("linear_predictivity").values
    assert np.abs(ordered - ordered.T).max() > 1e-3


def test_it_says_how_it_was_made(alignment):
    about = alignment.about
    assert (about["dtype"], about["permutations"], about["seed"], about["items"]) == ("float32", 20, 0, 60)
    assert about["versions"]["syzygy"] == syzygy.__version__
    assert about["measures"]["procrustes"]["kind"] == "distance"
    assert alignment.warnings == ()


def test_scores_of_a_measure(alignment):
    assert alignment.score().equals(alignment.score("cka"))
    assert alignment.score(CKA()).equals(alignment.score("cka"))
    assert alignment.measure("procrustes") == measure("procrustes")
    with pytest.raises(UnknownName, match=r"unknown measure 'rsa'; .*known: cka, procrustes"):
        alignment.score("rsa")


def test_a_row_for_each_pair(alignment):
    table = alignment.to_pandas()
    assert isinstance(table, pd.DataFrame)
    assert table.groupby("measure").size().to_dict() == {"cka": 15, "procrustes": 15, "linear_predictivity": 30}
    assert (table["representation"] != table["other representation"]).all()
    row = table[(table["measure"] == "cka") & (table["representation"] == "net0/1")
                & (table["other representation"] == "net2/0")].iloc[0]  # fmt: skip
    assert row["score"] == alignment.score("cka").sel({"representation": "net0/1", "other representation": "net2/0"})
    assert (row["network"], row["layer"], row["other network"], row["other layer"]) == ("net0", 1, "net2", 0)


def test_places_keep_their_kind_where_they_can():
    def one(name, **where):
        return Representation(name, lambda: np.ones((4, 1)), (4, 1), where=where)

    some = Representations([one("a", step=1, layer="x", rate=0.5), one("b", step=2, layer=3), one("c", step=5)])
    found = {name: values for name, (_, values) in places(some).items()}
    assert found["step"].dtype == np.int64
    assert list(found["other layer"]) == ["x", "3", ""]
    np.testing.assert_array_equal(found["rate"], [0.5, np.nan, np.nan])


def test_places_come_back_from_a_folder(tmp_path):
    first = syzygy.align(layers(), "cka", out=tmp_path)
    assert syzygy.Alignment.read(tmp_path).data.identical(first.data)


# The best pair of layers


def test_the_best_pair_of_layers(alignment):
    best = alignment.maximum("network", "layer", permutations=20)
    assert best["score"].dims == ("measure", "network", "other network")
    blocks = alignment.data["score"].values.reshape(3, 3, 2, 3, 2)
    for index, take in enumerate((np.max, np.min, np.max)):  # the least distance is the best
        np.testing.assert_allclose(best["score"].values[index], take(blocks[index], axis=(1, 3)))
    assert np.isnan(np.diagonal(best["p"].values, axis1=1, axis2=2)).all()
    assert (best["p"].sel(measure="cka").values[~np.eye(3, dtype=bool)] == 1 / 21).all()


def test_the_best_of_many_is_larger_by_chance(alignment):
    best = alignment.maximum(permutations=50).sel(measure="cka")
    each = alignment.data["chance"].sel(measure="cka").values
    off = ~np.eye(3, dtype=bool)
    assert (best["chance"].values[off] > np.abs(each).max() + 0.005).all()
    assert (best["calibrated"].values[off] < best["score"].values[off]).all()


def test_tiles_do_not_change_the_best(alignment, monkeypatch):
    whole, cut = alignment.maximum(permutations=5), engine.layout
    monkeypatch.setattr(engine, "layout", lambda *given: replace(cut(*given), side=2, held=False))
    tiled = alignment.maximum(permutations=5)
    for name in whole:
        np.testing.assert_allclose(tiled[name], whole[name], rtol=1e-4, atol=1e-6)


def test_by_number_alone(alignment, tmp_path):
    best = alignment.maximum(permutations=0).sel(measure="cka")
    p = alignment.data["p"].sel(measure="cka").values.reshape(3, 2, 3, 2).min(axis=(1, 3))
    off = ~np.eye(3, dtype=bool)
    np.testing.assert_allclose(best["p"].values[off], 1 - (1 - p[off]) ** 4, rtol=1e-7)
    assert np.isnan(best["chance"]).all()
    assert np.isnan(np.diag(best["p"])).all()


def test_p_of_the_best_pair_is_uniform_where_nothing_is_shared():
    """80 pairs of networks of noise: 8 of them below 0.1 are expected, 17 are four standard deviations more."""
    draw, found = np.random.default_rng(1), []
    for _ in range(8):
        some = [held(f"{n}/{k}", draw.normal(size=(20, 4)), network=n, layer=k) for n in range(5) for k in range(3)]
        best = syzygy.align(Representations(some)).maximum(permutations=39)["p"].values[0]
        found.extend(best[np.triu_indices(5, 1)])
    assert len(found) == 80
    assert 0 < np.sum(np.array(found) <= 0.1) < 17


def test_the_best_of_what_is_grouped_by_two():
    steps = {step: layers(2, 2, extra={"step": step}) for step in (1, 2)}
    some = Representations([replace(one, name=f"{one.name} {step}") for step in (1, 2) for one in steps[step]])
    found = syzygy.align(some)
    with pytest.raises(SpecificationError, match="some of one network have the same layer; name in `by` whatever else"):
        found.maximum("network")
    best = found.maximum(["network", "step"], permutations=0)
    assert list(best["network step"].values) == ["net0 1", "net1 1", "net0 2", "net1 2"]


def test_what_cannot_be_maximised(alignment, tmp_path):
    with pytest.raises(UnknownName, match=r"unknown coordinate 'brain'; .*known: network, layer"):
        alignment.maximum("brain")
    syzygy.align(layers(), "cka", out=tmp_path)
    read = syzygy.Alignment.read(tmp_path)
    with pytest.raises(SpecificationError, match="to shuffle items needs the representations"):
        read.maximum()
    assert read.maximum(permutations=0)["score"].shape == (1, 3, 3)


# Noise ceilings


def test_ceilings_of_systems_that_were_measured_repeatedly(alignment):
    found = alignment.ceiling("network")
    assert found["between"].dims == ("measure", "network")
    score = alignment.score("cka").values
    np.testing.assert_allclose(found["between"].sel(measure="cka"), [score[0, 1], score[2, 3], score[4, 5]])
    cka = found.sel(measure="cka")
    assert (cka["lower"] <= cka["upper"]).all()
    assert np.isnan(found["lower"].sel(measure="procrustes")).all()
    with pytest.raises(UnknownName, match="unknown coordinate 'subject'"):
        alignment.ceiling("subject")

"""Representations, from wherever they are: what holds them, how items are matched, and what is refused."""

import numpy as np
import pytest
import torch
import xarray as xr

from syzygy.errors import DataError, ShapeError, SpecificationError, UnknownName
from syzygy.representations import Representation, Representations, held
from syzygy.trajectory import Trajectory

ITEMS = ("cat", "dog", "owl", "eel", "ant")


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def trajectory(networks=2, steps=(0, 1, 10, 100), layers=("hidden.0", "hidden.1"), **changes):
    given = {
        "steps": steps,
        "loss": np.ones((networks, len(steps))),
        "outputs": np.zeros((networks, len(steps), 5, 1)),
        "representations": {
            layer: noise(networks, len(steps), 5, 3 + i, seed=i).astype(np.float32) for i, layer in enumerate(layers)
        },
        "inputs": np.zeros((5, 2)),
        "targets": np.zeros((5, 1)),
        "items": ITEMS,
        "seeds": range(networks),
        "about": {"network": {"name": "narrow"}},
    }
    return Trajectory.of(**(given | changes))


def refused(given, kind, *says, **options):
    with pytest.raises(kind) as caught:
        Representations.of(given, **options).values(0)
    for word in says:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


# Arrays


def test_a_dictionary_a_list_and_a_stack_of_arrays():
    a, b = noise(5, 3), noise(5, 3, seed=1)
    for given, names in (({"a": a, "b": b}, ("a", "b")), ([a, b], ("0", "1")), (np.stack([a, b]), ("0", "1")),
                         ((one for one in (a, b)), ("0", "1"))):  # fmt: skip
        some = Representations.of(given)
        assert some.names == names
        assert len(some) == 2
        assert some.item_count == 5
        np.testing.assert_array_equal(some.values(1), b)


def test_they_are_their_own_representations():
    some = Representations.of([noise(5, 3)])
    assert Representations.of(some) is some
    assert Representations.of(list(some)).names == ("0",)


def test_axes_after_the_item_are_units():
    some = Representations.of({"maps": noise(5, 2, 3, 4)})
    assert some[0].units == 24
    assert some.values(0).shape == (5, 24)


@pytest.mark.parametrize("kind", ["int8", "uint16", "bool", "float16", "float32"])
def test_real_numbers_of_any_kind_become_float64(kind):
    array = (np.arange(15).reshape(5, 3) % 2).astype(kind)
    values = Representations.of([array]).values(0)
    assert values.dtype == np.float64
    np.testing.assert_array_equal(values, array.astype(float))


def test_tensors_and_what_gives_itself_when_asked():
    class Lazy:
        shape, dtype, asked = (5, 3), np.dtype(float), 0

        def __getitem__(self, index):
            self.asked += 1
            return np.ones((5, 3))

    lazy = Lazy()
    some = Representations.of({"tensor": torch.ones(5, 3, requires_grad=True), "lazy": lazy})
    assert lazy.asked == 0
    np.testing.assert_array_equal(some.values(0), some.values(1))
    assert lazy.asked == 1


@pytest.mark.parametrize(
    ("given", "kind", "says"),
    [
        ({}, SpecificationError, "nothing to compare"),
        ([], SpecificationError, "nothing to compare"),
        (3, SpecificationError, "got int"),
        (None, SpecificationError, "got NoneType"),
        (noise(5, 3), ShapeError, "give several"),
        ([noise(5)], ShapeError, "got shape (5,)"),
        ([noise(0, 3)], ShapeError, "at least one of each"),
        ([noise(5, 0)], ShapeError, "at least one of each"),
        ([noise(5, 3), noise(6, 3)], ShapeError, "1 has 6 items and 0 5"),
        ({"a": [[1, 2], [3]]}, DataError, "a is no array"),
        ({"a": np.array([[object()] * 3] * 5)}, DataError, "holds objects"),
        ({"a": noise(5, 3) + 1j}, DataError, "complex numbers"),
        ({"a": np.full((5, 3), "x")}, DataError, "real numbers"),
        ({"a": np.full((5, 3), np.nan)}, DataError, "15 values that are not finite"),
        ([held("a", noise(5, 3)), held("a", noise(5, 3))], SpecificationError, "as 'a'"),
    ],
)
def test_what_is_no_representation_is_refused(given, kind, says):
    refused(given, kind, says)


# Items


def named(name, items, array):
    return Representation(name, lambda: array, array.shape, items)


def test_items_are_matched_by_name():
    x, order = noise(5, 3), [1, 2, 4, 0, 3]  # no order that undoes itself
    some = Representations.of([named("a", ITEMS, x), named("b", tuple(ITEMS[i] for i in order), x[order])])
    assert some.items == ITEMS
    np.testing.assert_array_equal(some.values(1), x)
    assert some.unnamed == ()


def test_items_without_names_keep_their_order_and_are_told_of():
    x = noise(5, 3)
    some = Representations.of([held("a", x), named("b", ITEMS, x)])
    np.testing.assert_array_equal(some.values(0), x)
    assert some.unnamed == ("a",)
    assert Representations.of([x]).unnamed == ()


def test_other_items_are_refused():
    x = noise(5, 3)
    refused([named("a", ITEMS, x), named("b", (*ITEMS[:4], "bee"), x)], ShapeError, "b lacks 1", "'ant'")
    refused([named("a", ("cat", "cat", *ITEMS[2:]), x)], DataError, "more than one item named 'cat'")
    refused([named("a", ITEMS, x), named("b", ("cat", "cat", *ITEMS[2:]), x)], DataError, "b has more than one")
    refused([named("a", ITEMS[:4], x)], ShapeError, "5 items, and names for 4")


def test_an_array_that_changed_its_shape_is_refused():
    some = Representations.of([Representation("a", lambda: noise(4, 3), (5, 3))])
    with pytest.raises(DataError, match=r"was \(5, 3\) when it was opened, and is \(4, 3\)"):
        some.values(0)


# xarray


def test_a_labelled_array():
    x = noise(2, 3, 4, 5)
    array = xr.DataArray(
        x,
        dims=("network", "unit", "step", "item"),
        coords={"network": ["narrow", "wide"], "step": [0, 10, 100, 1000], "item": list(ITEMS)},
        name="hidden",
    )
    some = Representations.of(array)
    assert len(some) == 8
    assert some.names[1] == "hidden/narrow/step 10"
    assert some[1].where == {"network": "narrow", "step": 10}
    assert some.items == ITEMS
    np.testing.assert_array_equal(some.values(7), x[1, :, 3].T)


def test_a_dataset_gives_each_variable_with_items():
    a, b = noise(5, 3), noise(2, 5, 4)
    given = xr.Dataset(
        {"a": (("item", "unit_a"), a), "b": (("seed", "item", "unit_b"), b), "labels": ("item", list(ITEMS))}
    )
    some = Representations.of(given)
    assert some.names == ("a", "b/seed 0", "b/seed 1")
    np.testing.assert_array_equal(some.values(2), b[1])
    assert Representations.of({"x": given}).names == ("x/a", "x/b/seed 0", "x/b/seed 1")


def test_one_axis_beside_the_items_is_the_units():
    assert Representations.of(xr.DataArray(noise(5, 3), dims=("item", "neuron"))).names == ("array",)


@pytest.mark.parametrize("dims", [("a", "unit"), ("item", "a", "b")])
def test_axes_that_do_not_say_what_they_are(dims):
    refused(xr.DataArray(np.zeros((5, 3, 2)[: len(dims)]), dims=dims), ShapeError, "one named item, one unit")
    refused(xr.Dataset({"x": ("a", [1.0])}), ShapeError, "no variable of the Dataset")


# Trajectories


def test_a_trajectory_gives_its_last_step():
    given = trajectory()
    some = Representations.of(given)
    assert some.names[:2] == ("narrow/seed 0/hidden.0/step 100", "narrow/seed 0/hidden.1/step 100")
    assert some[3].where == {"network": "narrow", "seed": 1, "gain": 1.0, "layer": "hidden.1", "step": 100}
    assert some.items == ITEMS
    np.testing.assert_array_equal(some.values(3), given.representation("hidden.1")[1, -1])


def test_a_dictionary_of_trajectories_names_the_networks():
    some = Representations.of({"a": trajectory(), "b": trajectory()}, layers=["hidden.1"], steps="first")
    assert some.names == tuple(f"{net}/seed {seed}/hidden.1/step 0" for net in "ab" for seed in (0, 1))
    some = Representations.of({"a": trajectory(), "pixels": noise(5, 3)})
    assert some.names[-2:] == ("a/seed 1/hidden.1/step 100", "pixels")


@pytest.mark.parametrize(
    ("steps", "expected"),
    [("last", [100]), ("first", [0]), ("all", [0, 1, 10, 100]), ([1, 10], [1, 10]), ("log 3", [0, 1, 100]),
     ("every 50", [0, 10, 100])],
)  # fmt: skip
def test_steps(steps, expected):
    some = Representations.of(trajectory(networks=1, layers=("h",)), steps=steps)
    assert [one.where["step"] for one in some] == expected


def test_layers_by_pattern():
    some = Representations.of(trajectory(networks=1), layers=["*.1", "hidden.0"])
    assert [one.where["layer"] for one in some] == ["hidden.1", "hidden.0"]
    refused(trajectory(), UnknownName, "unknown layer 'hidden.7'", "hidden.0", layers=["hidden.7"])


def test_steps_that_were_not_recorded():
    refused(trajectory(), SpecificationError, "step 7 was not recorded; recorded are 0, 1, 10, 100", steps=[0, 7])
    refused(trajectory(), SpecificationError, "a schedule is", steps="often")


def test_networks_that_diverged_are_left_out():
    lost = trajectory(fates=["diverged", "trained"])
    some = Representations.of(lost)
    assert {one.where["seed"] for one in some} == {1}
    assert some.left_out == ("narrow/seed 0 diverged",)
    refused(trajectory(fates=["diverged"] * 2), DataError, "no network is left", "seed 0 diverged")


def test_a_network_that_stopped_ends_where_it_stopped():
    loss = np.ones((2, 4))
    loss[1, 2:] = np.nan
    assert [one.where["step"] for one in Representations.of(trajectory(loss=loss, layers=("h",)))] == [100, 1]


def test_networks_of_one_seed_are_told_apart():
    some = Representations.of(trajectory(seeds=[3, 3], gains=[0.5, 2.0], layers=("h",)))
    assert some.names == ("narrow/gain 0.5/seed 3/h/step 100", "narrow/gain 2/seed 3/h/step 100")
    again = Representations.of(trajectory(seeds=[3, 4], layers=("h",)))
    assert again.names == ("narrow/seed 3/h/step 100", "narrow/seed 4/h/step 100")

"""Layers by name: how they are written, which modules patterns find, and what is refused."""

import pytest
from torch import nn

from syzygy.errors import SpecificationError, UnknownName
from syzygy.recording import Layer, layers_of, modules_of, path_of, unwrapped


def block():
    return nn.ModuleDict({"attention": nn.ModuleDict({"query": nn.Linear(2, 2), "key": nn.Linear(2, 2)})})


def network():
    """Blocks below ``encoder.layer``, an attention at the top too, and one module in two places."""
    made = nn.Module()
    made.encoder = nn.Module()
    made.encoder.layer = nn.ModuleList([block() for _ in range(3)])
    made.attention = nn.Linear(2, 2)
    made.tied = made.attention
    return made


def names(found):
    return [str(layer) for layer in found]


@pytest.mark.parametrize(
    ("text", "layer"),
    [
        ("blocks.3", Layer("blocks.3")),
        ("  flatten(blocks.3) ", Layer("blocks.3")),
        ("mean(blocks.3)", Layer("blocks.3", "mean")),
        ("class(blocks.*.mlp)", Layer("blocks.*.mlp", "class")),
        ("meaning", Layer("meaning")),
        ("mean.0", Layer("mean.0")),
        ("cell#2", Layer("cell", call=2)),
        ("positions(cell)#12", Layer("cell", "positions", 12)),
        ("mean(stages.0@NHWC)", Layer("stages.0", "mean", axes="NHWC")),
        ("rnn@TNC#1", Layer("rnn", call=1, axes="TNC")),
    ],
)
def test_what_is_written_is_read_and_written_again(text, layer):
    assert Layer.parse(text) == layer
    assert Layer.parse(str(layer)) == layer
    assert path_of(text) == layer.path


@pytest.mark.parametrize("text", ["", "  ", "cell#two#", "mean()", "cell#0", "mean(cell)#0"])
def test_what_is_no_layer_is_refused(text):
    if "#0" not in text:  # read as a path, which no network has
        with pytest.raises(UnknownName, match="unknown layer"):
            layers_of(network(), [text])
        return
    with pytest.raises(SpecificationError, match=r"a layer is written path, mean\(path\), .*; got "):
        Layer.parse(text)


@pytest.mark.parametrize("axes", ["HW", "NHW", "NN", "NCC", "NCHH", "nc"])
def test_axes_name_items_and_units_once(axes):
    with pytest.raises(SpecificationError, match=rf"N the items, C the units .* got '{axes}'"):
        Layer.parse(f"mean(maps@{axes})")


def test_a_star_stays_within_a_name_and_two_cross_dots():
    every = [f"encoder.layer.{i}.attention{rest}" for i in range(3) for rest in ("", ".query", ".key")]
    found = {
        "encoder.layer.*": ["encoder.layer.0", "encoder.layer.1", "encoder.layer.2"],
        "encoder.layer.[02]": ["encoder.layer.0", "encoder.layer.2"],
        "encoder.layer.?": ["encoder.layer.0", "encoder.layer.1", "encoder.layer.2"],
        "encoder.*.1.attention.k*": ["encoder.layer.1.attention.key"],
        "encoder.layer.1.**": [name.replace(".0.", ".1.") for name in every[:3]],
        "**.attention": ["encoder.layer.0.attention", *every[3::3], "attention"],
        "encoder.**.query": every[1::3],
        "*": ["encoder", "attention"],
    }
    for pattern, expected in found.items():
        assert names(layers_of(network(), [pattern])) == expected
    everything = [path for path in dict(network().named_modules()) if path]
    assert names(layers_of(network(), ["**"])) == everything


def test_patterns_keep_their_order_and_layers_come_once():
    asked = ["mean(encoder.layer.*)", "attention", "encoder.layer.1", "flatten(encoder.layer.*)", "attention"]
    assert names(layers_of(network(), asked)) == [
        *(f"mean(encoder.layer.{i})" for i in range(3)),
        "attention",
        *(f"encoder.layer.{i}" for i in (1, 0, 2)),
    ]


def test_a_module_in_two_places_is_found_once_and_by_each_name():
    assert names(layers_of(network(), ["*t*"])) == ["attention"]
    assert names(layers_of(network(), ["tied"])) == ["tied"]
    assert modules_of(network()).keys() >= {"attention", "tied"}


def test_the_network_itself_is_output_unless_a_module_is():
    plain = nn.Sequential(nn.Linear(2, 3), nn.Tanh())
    assert modules_of(plain)["output"] is plain
    assert names(layers_of(plain, ["*", "output"])) == ["0", "1", "output"]
    plain.add_module("output", last := nn.Linear(3, 1))
    assert modules_of(plain)["output"] is last


def test_names_are_those_inside_of_wrappers():
    plain, wrapped = network(), network()
    wrapped.encoder.layer[1] = nn.DataParallel(wrapped.encoder.layer[1])
    wrapped = nn.DataParallel(wrapped)
    assert list(modules_of(wrapped)) == list(modules_of(plain))
    assert modules_of(wrapped)["encoder.layer.1"] is wrapped.module.encoder.layer[1].module
    assert unwrapped(wrapped) is wrapped.module
    assert names(layers_of(wrapped, ["encoder.layer.1.**"])) == names(layers_of(plain, ["encoder.layer.1.**"]))


def test_a_module_that_is_named_module_is_no_wrapper():
    holder = nn.Module()
    holder.module = nn.Linear(2, 2)
    assert unwrapped(holder) is holder
    assert list(modules_of(holder)) == ["module", "output"]


def test_a_layer_that_is_not_there_is_refused_with_the_near_ones():
    with pytest.raises(UnknownName, match=r"unknown layer 'atention'; did you mean .*attention"):
        layers_of(network(), ["attention", "mean(atention)"])
    with pytest.raises(UnknownName, match=r"unknown layer 'decoder\.\*'"):
        layers_of(network(), ["decoder.*"])
    for away in ("../attention", ".attention", "encoder..layer", "/etc/passwd"):
        with pytest.raises(UnknownName, match="unknown layer"):
            layers_of(network(), [away])


@pytest.mark.parametrize("given", [[], (), "attention"])
def test_no_layer_is_refused(given):
    with pytest.raises(SpecificationError, match=r"name at least one layer to watch, as in layers=\['blocks\.3'\]"):
        layers_of(network(), given)


@pytest.mark.parametrize("name", ["a/b", "a\\b", "a#2", "a@NC", "mean(a)", "tab\t", "x" * 201, "é" * 101])
def test_names_that_no_store_could_have_are_refused(name):
    odd = nn.Module()
    odd.add_module(name, nn.Linear(2, 2))
    odd.add_module("fine", nn.Linear(2, 2))
    with pytest.raises(SpecificationError, match=r"cannot be kept under its name.*rename the module"):
        layers_of(odd, ["*"])
    assert names(layers_of(odd, ["f*"])) == ["fine"]


@pytest.mark.parametrize("name", ["..", "a..b", "end.", "..up"])
def test_names_that_lead_out_of_a_store_are_refused(name):
    odd = nn.Module()
    odd._modules[name] = nn.Linear(2, 2)  # add_module would refuse it
    with pytest.raises(SpecificationError, match="cannot be kept under its name"):
        layers_of(odd, ["**"])

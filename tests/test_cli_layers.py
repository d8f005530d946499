"""``syzygy layers``: what it lists, and how it refuses."""

import json
from pathlib import Path

import pytest
import torch

from syzygy.recording import layers_of, look
from syzygy.recording.probe import Probe
from test_cli import call, done, refused

CODE = """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.maps, self.rnn, self.twice = nn.Conv2d(3, 8, 3), nn.LSTM(8, 5, batch_first=True), nn.Linear(5, 5)
        self.tied, self.unused = self.twice, nn.Linear(1, 1)
        self.whole = Summed()
    def forward(self, x):
        tokens, _ = self.rnn(self.maps(x).flatten(2).transpose(1, 2))
        return self.whole(self.twice(self.twice(tokens).mean(1)))

class Summed(nn.Module):
    def forward(self, x):
        return {"sum": x.sum(0, keepdim=True), "count": len(x)}

def make():
    return Net()
"""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(CODE, encoding="utf-8")


def test_a_table_of_layers():
    said = done("layers", "net.py:make", "--shape", "3,6,6")
    assert said.stderr.splitlines() == [f"syzygy: runs the code of {Path('net.py').resolve()}"]
    lines = said.stdout.splitlines()
    assert lines[0] == f"net.py:make: torch {torch.__version__}, shown (2, 3, 6, 6)"
    assert [line.rstrip() for line in lines[1:]] == [
        "layer   type    output        bytes/item  calls",
        "maps    Conv2d  (2, 8, 4, 4)         512      1",
        "rnn     LSTM    (2, 16, 5)           320      1  tuple, 3 tensors in it; the first",
        "twice   Linear  (2, 16, 5)           320      2  calls of other shapes",
        "tied    Linear  (2, 16, 5)           320      2  the same module as twice; calls of other shapes",
        "unused  Linear  -                      -      0  never called",
        "whole   Summed  (1, 5)                 -      1  dict, one tensor in it; its first axis is not the 2 items",
        "output  Net     (1, 5)                 -      1  dict, one tensor in it; its first axis is not the 2 items",
    ]


def test_what_it_lists_can_be_watched():
    """Bytes are those of what is kept, of every layer that has items."""
    told = json.loads(done("layers", "net.py:make", "--shape", "3,6,6", "--json").stdout)
    assert (told["source"], told["kind"], told["shown"]) == ("net.py:make", "array", [[2, 3, 6, 6]])
    space = {}
    exec(CODE, space)
    network, probe = space["make"](), Probe.of(torch.ones(2, 3, 6, 6))
    for row in told["layers"]:
        if row["bytes"] is not None:
            first, *_ = look(network, probe, layers_of(network, [row["path"]])).layers.values()
            assert first[0].nbytes == row["bytes"]
    assert [row["path"] for row in told["layers"] if row["calls"] == 0] == ["unused"]


def test_some_layers_alone():
    told = json.loads(
        done("layers", "net.py:make", "--shape", "3x6x6", "--match", "t*", "--match", "maps", "--json").stdout
    )
    assert [row["path"] for row in told["layers"]] == ["maps", "twice"]


def test_a_library_makes_it_without_weights(timm, monkeypatch):
    monkeypatch.setattr("syzygy.extraction.sources.timm.found", lambda *_: pytest.fail("asked for weights"))
    lines = done("layers", "timm:test_vit.r160_in1k", "--match", "blocks.?").stdout.splitlines()
    assert lines[0].endswith(", shown (2, 3, 160, 160)")
    assert lines[2].split() == ["blocks.0", "Block", "(2,", "101,", "64)", "25,856", "1"]
    assert len(lines) == 8


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("bert",), "a source is one of hf:path/or/name"),
        (("none.py:make",), "none.py is not there"),
        (("net.py",), "name what makes the model in it, as net.py:factory: Net, Summed, make"),
        (("net.py:make", "--shape", "3,many"), "--shape takes the shape of one item, as in 3,32,32; got '3,many'"),
        (("torchscript:none.ts",), "none.ts is not there"),
        ((), "layers -h shows what there is"),
    ],
)
def test_refused(arguments, says):
    refused("layers", *arguments, says=says)


def test_refused_after_the_code_has_run():
    for arguments, says in [
        ((), "nothing tells what net.py:make is called with; say the shape of one item, as in --shape 3,32,32"),
        (("--shape", "4"), "net.py:make cannot be called with (2, 4) (RuntimeError: "),
        (("--shape", "3,6,6", "--match", "map"), "unknown layer 'map'; did you mean maps"),
    ]:
        outcome = call("layers", "net.py:make", *arguments)
        assert (outcome.exit_code, outcome.stdout) == (2, "")
        ran, wrong = outcome.stderr.splitlines()
        assert ran.startswith("syzygy: runs the code of /")
        assert wrong.startswith(f"syzygy: {says}")

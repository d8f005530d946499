"""What a comparison will take, said before it starts."""

import sys

import numpy as np
import pytest

import syzygy
from syzygy.alignment import plan
from syzygy.alignment.engine import Engine
from syzygy.alignment.settings import Settings
from syzygy.alignment.shelf import Shelf
from syzygy.errors import SpecificationError, UnknownName
from syzygy.measures import variants
from syzygy.representations import Representation, Representations

#: The module, whose name in the room is that of its function.
machine = sys.modules["syzygy.alignment.plan"]


def some(count=5, items=40, units=8):
    draw = np.random.default_rng(0)
    return {f"r{i}": draw.normal(size=(items, units + i)) for i in range(count)}


def never():
    raise AssertionError("nothing is read")


def test_nothing_is_read_but_shapes():
    given = Representations([Representation(str(i), never, (300, 20)) for i in range(1000)])
    found = plan(given, ["cka", "procrustes"], permutations=0)
    assert (found.representations, found.items) == (1000, 300)
    assert found.seconds > 0
    assert found.answers == 2 * 6 * 8 * 1000**2
    assert found.memory <= 4e9
    assert [share.measure for share in found.shares] == ["cka", "procrustes"]
    assert found.tiles == sum(share.tiles for share in found.shares)


@pytest.mark.parametrize("one", variants(), ids=lambda one: one.label)
@pytest.mark.parametrize("items", [40, 450])
def test_bytes_of_what_is_prepared_are_exact(one, items):
    given = Representations.of(some(2, items, units=20))  # so many that matrices of items are less work
    wide = given.values(1)
    size = sum(array.nbytes for array in one.prepare(wide, Settings().work).values())
    planned = plan(given, one, permutations=0).shares[0].layout.prepared
    exact = one.name not in ("svcca", "svcca_squared")  # whose ranks are found in the numbers
    assert planned == pytest.approx(2 * size, rel=0 if exact else 0.1, abs=0)


def test_the_plan_is_what_then_happens(monkeypatch, tmp_path):
    given, memory = some(60, 300), 20 * 10**6
    expected, put = plan(given, "cka", memory=memory), []
    keep = Shelf.put

    def counted(self, index, prepared):
        put.append(sum(array.nbytes for array in prepared.values()))
        assert self.folder is not None
        keep(self, index, prepared)

    done, tile = [], Engine._tile
    monkeypatch.setattr(Shelf, "put", counted)
    monkeypatch.setattr(Engine, "_tile", lambda self, *of: done.append(of) or tile(self, *of))
    syzygy.align(given, "cka", memory=memory, out=tmp_path)
    (share,) = expected.shares
    assert sum(put) == share.layout.scratch == share.layout.prepared
    assert len(done) == share.tiles == expected.tiles
    assert expected.disk == share.layout.scratch + 2 * expected.answers
    assert expected.memory == share.layout.memory <= memory


def test_what_cannot_be_asked_cannot_be_planned():
    with pytest.raises(UnknownName, match="unknown measure 'cak'"):
        plan(some(), "cak")
    with pytest.raises(SpecificationError, match="cka of 40 items needs"):
        plan(some(), "cka", memory="10KB")


def test_more_takes_longer(monkeypatch):
    """On a machine that takes a millisecond for whatever it is asked."""
    monkeypatch.setattr(machine, "_seconds", lambda _: 1e-3)
    machine.rate.cache_clear()
    few, many = (plan(some(count), "cka") for count in (10, 40))
    assert many.seconds > 2 * few.seconds
    drawn = [plan(some(), "procrustes", permutations=count).seconds for count in (0, 50)]
    assert drawn[1] > 5 * drawn[0]
    assert plan(some(), "cka", bootstrap=50).seconds > 5 * plan(some(), "cka").seconds
    machine.rate.cache_clear()

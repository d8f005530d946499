"""The state of something long, in one file."""

import pytest
import torch

from syzygy.errors import RunError
from syzygy.snapshot import Snapshot


@pytest.fixture
def kept(tmp_path):
    return Snapshot(tmp_path / "deep" / "state.safetensors", 0)


def test_what_was_saved_comes_back_to_the_byte(kept):
    assert kept.load("a") is None  # nothing was saved
    weight = torch.randn(3, 4, generator=torch.Generator().manual_seed(0)).T  # not contiguous
    kept.save({"weight": weight, "count": torch.tensor(7)}, {"epoch": 2, "loss": [1.5, 0.25]}, "a")
    state, told = Snapshot(kept.path).load("a")
    assert torch.equal(state["weight"], weight)
    assert state["count"] == 7
    assert told == {"epoch": 2, "loss": [1.5, 0.25]}
    kept.done()
    kept.done()
    assert kept.load("a") is None


def test_one_of_something_else_is_refused(kept):
    kept.save({}, {}, "seed 0")
    with pytest.raises(RunError, match=r"state.safetensors is of another training; remove it, or name another place"):
        kept.load("seed 1")


@pytest.mark.parametrize("damage", [b"", b"{}", b"\x00" * 64])
def test_a_damaged_one_is_refused(kept, damage):
    kept.save({"weight": torch.ones(2)}, {}, "a")
    kept.path.write_bytes(damage)
    with pytest.raises(RunError, match=r"state.safetensors is damaged \(.*\); remove it to begin anew"):
        kept.load("a")


def test_tensors_of_another_program_are_refused(kept):
    from safetensors.torch import save_file

    kept.path.parent.mkdir()
    save_file({"weight": torch.ones(2)}, kept.path)  # without our words
    with pytest.raises(RunError, match="damaged"):
        kept.load("a")


def test_a_save_that_fails_leaves_the_last_one(kept, monkeypatch):
    kept.save({"weight": torch.ones(2)}, {}, "a")

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        kept.save({"weight": torch.zeros(2)}, {}, "a")
    assert kept.load("a")[0]["weight"].tolist() == [1, 1]
    assert [path.name for path in kept.path.parent.iterdir()] == ["state.safetensors"]


def test_it_is_due_after_so_many_seconds(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("syzygy.snapshot.time.monotonic", lambda: clock[0])
    kept = Snapshot(tmp_path / "state", 20)
    for clock[0], due in ((19.9, False), (20.0, True)):
        assert kept.due is due
    kept.save({}, {}, "")
    assert not kept.due
    clock[0] = 40
    assert kept.due

"""An interrupt waits for files, once."""

import signal
import threading
from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

from syzygy import store
from syzygy.interrupts import interrupts_wait
from syzygy.store import FolderStore
from syzygy.trajectory import Trajectory


def interrupt() -> None:
    signal.raise_signal(signal.SIGINT)


@pytest.fixture(autouse=True)
def _as_python_starts():
    """Who runs the tests in the background may have interrupts ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def held(*work: Callable[[], object]) -> None:
    with interrupts_wait():
        for one in work:
            one()


def test_an_interrupt_waits_for_the_end():
    done = []
    with pytest.raises(KeyboardInterrupt):
        held(interrupt, lambda: done.append("the work"))
    assert done
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_interrupt_does_not_wait():
    done = []
    with pytest.raises(KeyboardInterrupt):
        held(interrupt, interrupt, lambda: done.append("the work"))
    assert not done


def test_what_fails_inside_is_what_is_raised():
    with pytest.raises(ZeroDivisionError):
        held(interrupt, lambda: 1 / 0)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ignored_interrupts_stay_ignored_and_threads_go_on():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with interrupts_wait():
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    done = []

    def work() -> None:
        with interrupts_wait():
            done.append("the work")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done


def test_a_trajectory_is_read_and_written_to_the_end(tmp_path, monkeypatch):
    one = np.zeros((1, 2, 2, 1))
    kept = FolderStore(tmp_path)
    trajectory = Trajectory.of(
        steps=[0, 1], loss=np.zeros((1, 2)), outputs=one, representations={"hidden": one}, inputs=np.zeros((2, 3)),
        targets=np.zeros((2, 1)), items=["a", "b"], seeds=[0])  # fmt: skip
    to_zarr, open_datatree = xr.DataTree.to_zarr, store.xr.open_datatree

    def written(*args, **kwargs):
        interrupt()
        to_zarr(*args, **kwargs)

    def read(*args, **kwargs):
        interrupt()
        opened.append(open_datatree(*args, **kwargs))
        return opened[0]

    opened = []
    monkeypatch.setattr(xr.DataTree, "to_zarr", written)
    with pytest.raises(KeyboardInterrupt):
        kept.put({"a": 1}, trajectory)
    assert {"a": 1} in kept
    monkeypatch.setattr(store.xr, "open_datatree", read)
    with pytest.raises(KeyboardInterrupt):
        kept.get({"a": 1})
    assert opened

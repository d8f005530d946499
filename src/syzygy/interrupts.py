"""Interrupts that wait until a file has been read or written."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def interrupts_wait() -> Iterator[None]:
    """Let an interrupt (Ctrl-C) wait for the end of the block; a second one does not wait.

    Zarr reads and writes on a thread of its own.  An interrupt that leaves it in the middle of its work is met again
    when Python ends, as a page of complaints about tasks that nobody awaits.

    Outside of the main thread, which alone meets interrupts, and where they are ignored, nothing changes.
    """
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield
        return
    waiting = []

    def hold(signum: int, frame: Any) -> None:
        waiting.append(signum)
        if len(waiting) > 1:
            handler(signum, frame)

    signal.signal(signal.SIGINT, hold)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
    if waiting:
        handler(signal.SIGINT, None)

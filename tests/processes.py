"""Processes that tests start."""

import signal


def interruptible() -> None:
    """Let a process that starts meet interrupts: who runs the tests in the background may have them ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)

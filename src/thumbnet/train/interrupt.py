"""Stopping between two steps: the first Ctrl-C asks, the second one insists."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


class Interrupted(KeyboardInterrupt):
    """Training stopped because somebody asked; the message says how to resume."""


class StopRequest:
    """Whether someone has asked training to stop after the step in hand.

    Signal handlers set it, so it has no lock, as a `threading.Event` has: a second signal could find that held.
    """

    def __init__(self) -> None:
        self.requested = False

    def ask(self) -> None:
        """Ask training to stop."""
        self.requested = True


@contextlib.contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Yield a request that SIGINT (Ctrl-C) and SIGTERM set; a second one interrupts at once.

    Signals reach only the main thread; in another thread the request is set by its owner alone.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def handle(number: int, frame: FrameType | None) -> None:
        del number, frame
        if request.requested:
            raise KeyboardInterrupt
        request.ask()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

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

    def heed(self, message: str) -> None:
        """Stop where somebody has asked, between two runs, say.

        Raises:
            Interrupted: with `message`.
        """
        if self.requested:
            raise Interrupted(message)

    def take_signal(self, number: int, frame: FrameType | None) -> None:
        """Ask on the first signal, and insist on the second."""
        del number, frame
        if self.requested:
            raise KeyboardInterrupt
        self.ask()


@contextlib.contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Yield a request that SIGINT (Ctrl-C) and SIGTERM set; a second one interrupts at once.

    Inside another such block it is that block's request: what a run was asked too late reaches whoever runs several.
    Signals reach only the main thread; in another thread the request is set by its owner alone.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    outer = getattr(signal.getsignal(signal.SIGINT), "__self__", None)
    if isinstance(outer, StopRequest):
        yield outer
        return
    before = {number: signal.signal(number, request.take_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

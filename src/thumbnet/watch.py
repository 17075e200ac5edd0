"""What a long computation tells while it runs."""

from collections.abc import Callable

Watch = Callable[[str, int, int], None]
"""Is told what is going on, how much of it is done and how much there is in all; it may raise to stop."""


def silent(what: str, done: int, total: int) -> None:
    """Show nothing of it."""

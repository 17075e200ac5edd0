"""Times as people read them."""

import math
from datetime import UTC, datetime


def iso(moment: int) -> str:
    """Return `moment`, in milliseconds since 1970, in ISO 8601: UTC, with milliseconds and a Z."""
    seconds, rest = divmod(moment, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:03d}Z"


def milliseconds(moment: datetime) -> int:
    """Return `moment`, which has a time zone, in milliseconds since 1970."""
    return round(moment.timestamp() * 1000)


def seconds_until(moment: int, now: int) -> int:
    """Return the whole seconds, at least 1, after which `moment` has come."""
    return max(1, math.ceil((moment - now) / 1000))

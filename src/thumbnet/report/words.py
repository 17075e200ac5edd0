"""Shares and large numbers in words, as a page says them."""

import math

from thumbnet import text


def percent(value: float | None, digits: int = 1) -> str:
    """Return a fraction as a percentage that says 0 or 100% only where it is just that; 'none' for none."""
    if value is None or math.isnan(value):
        return "none"
    least = 10.0**-digits
    if 0 < 100 * value < least / 2:
        return f"below {least:g}%"
    return f"above {100 - least:g}%" if 100 - least / 2 <= 100 * value < 100 else text.percent(value, digits)


def brief(value: float) -> str:
    """Return a number with two significant digits: '0.53', '9.1', '110'."""
    return f"{float(f'{value:.2g}'):g}"


def amount(value: float) -> str:
    """Return a large number with a unit: '2.85 M'."""
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        # What rounds to 1000 of the smaller unit is one of the larger.
        if value >= 0.9995 * size:
            return f"{value / size:.3g} {unit}"
    return f"{value:,.0f}"

"""Colours of a style sheet, and how well they can be told apart."""

import re


def named(block: str) -> dict[str, str]:
    """The colours #rrggbb that a block of a style sheet names, as in `--page: #ffffff`."""
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))


def contrast(first: str, second: str) -> float:
    """The contrast of two colours #rrggbb, in 1 to 21 (WCAG 2.2)."""
    low, high = sorted(luminance(one) for one in (first, second))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    """The relative luminance of a colour #rrggbb, in 0 to 1 (WCAG 2.2)."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

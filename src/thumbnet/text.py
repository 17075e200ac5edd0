"""Numbers and tables in words, as people read them."""

import re
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path


def percent(fraction: float, digits: int = 1) -> str:
    """Return a fraction as per cent with `digits` digits behind the point: 0.29549 as '29.5%'; halves go up."""
    exact = Decimal(repr(round(100 * float(fraction), 6)))
    return f"{exact.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)}%"


def trimmed_percent(fraction: float) -> str:
    """Return a fraction as per cent with at most two digits behind the point: 0.4365 as '43.65%', 0.4 as '40%'."""
    return percent(fraction, 2).rstrip("%").rstrip("0").rstrip(".") + "%"


def interval(ends: Sequence[float] | None, digits: int = 1) -> str:
    """Return an interval of fractions, low and high, as '25.9 to 27.6%'; '' where there is none."""
    if ends is None:
        return ""
    low, high = ends
    return f"{percent(low, digits).rstrip('%')} to {percent(high, digits)}"


def with_interval(value: float, ends: Sequence[float], digits: int = 1) -> str:
    """Return a fraction with its interval, as '26.8% (25.9 to 27.6%)'."""
    return f"{percent(value, digits)} ({interval(ends, digits)})"


def chance(p_value: float, digits: int = 2) -> str:
    """Return a p-value as a sentence has it: 'p = 0.031', 'p below 0.0001'."""
    figure = p_figure(p_value, digits)
    return f"p {figure}" if figure.startswith("below") else f"p = {figure}"


def p_figure(p_value: float, digits: int = 2) -> str:
    """Return a p-value with `digits` significant digits, as '0.031'; below 0.0001 only that it is."""
    return "below 0.0001" if p_value < 1e-4 else f"{p_value:.{digits}g}"


def duration(seconds: float | None) -> str:
    """Return a time in the unit that reads best, such as '26 s', '42 min', '9.2 h' or '3.1 days'; '' where unknown."""
    if seconds is None:
        return ""
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 1 else "under 1 s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} days"


def epochs_text(count: float | None) -> str:
    """Return a number of epochs with at most two digits behind the point, such as '20' or '51.15'; '' for none."""
    return "" if count is None else f"{count:,.2f}".rstrip("0").rstrip(".")


def without_password(url: str) -> str:
    """Return what was given as the URL of a database, perhaps wrongly written, with '***' for its password.

    It stands behind the user, or in the query as the value of a key such as 'password' or 'sslpassword'. All up to the
    last '@' is taken for it, for people forget to escape one.
    """
    secret = r"([?&][^=&]*(?:pass|pwd|secret|token|odbc_connect)[^=&]*=)[^&]*"
    shown = re.sub(r"(//?[^/:@]*:).*@", r"\1***@", re.sub(secret, r"\1***", url, flags=re.IGNORECASE), flags=re.DOTALL)
    return shown if "/" in shown.partition("@")[0] else re.sub(r".*@", "***@", shown, flags=re.DOTALL)


def path_labels(paths: Sequence[Path]) -> list[str]:
    """Return a short name of each path: its own, with as many folders above it as tell it from the others."""
    # A link is called as it is, not as what it leads to.
    full = [path.resolve() if path.name in ("", "..") else path.parent.resolve() / path.name for path in paths]
    whole = [path.parts for path in full]
    depth = 1
    while len({parts[-depth:] for parts in whole}) < len(set(whole)):
        depth += 1
    return ["/".join(parts[-depth:]) for parts in whole]


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown; a bar within a cell is escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)

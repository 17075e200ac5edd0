"""Tables as CSV, safe to open in a spreadsheet."""

import csv
import io
import re
from collections.abc import Sequence

from thumbnet.challenge import board
from thumbnet.challenge.moments import iso
from thumbnet.challenge.people.roster import Invite

# OWASP, CSV injection: some spreadsheets take the full-width signs for the plain ones, and some split at other signs
# than commas, so that a formula can begin within a cell.
_FORMULA = re.compile("^(?=[\t\r\n])|(^ *|[;|,\t\r\n]\\s*)(?=[=+\\-@\uff1d\uff0b\uff0d\uff20])")


def board_csv(found: board.Board, mode: str) -> str:
    """Return the board as CSV, under the names that its mode shows."""
    header = ("rank", "team", "top1", "low", "high", "correct", "images", "scored_on", "like_next", "submissions")
    lines: list[Sequence[object]] = [(*header, "received_at", "public_rank", "labels_version")]
    for row in found.rows if mode != "hidden" else ():
        low, high = row.score.interval or (None, None)
        score = (row.score.top1, low, high, row.score.correct, row.score.images, found.scored_on)
        rest = (str(row.like_next).lower(), row.submissions, iso(row.received_at), row.public_rank, found.version)
        lines.append((row.rank, board.shown_name(row, mode), *score, *rest))
    return to_csv(lines)


def invites_csv(made: Sequence[Invite]) -> str:
    """Return one line for each person that was invited, with the code."""
    lines = [(one.person.name, one.person.id, one.person.team, one.code) for one in made]
    return to_csv([("name", "id", "team", "code"), *lines])


def to_csv(lines: Sequence[Sequence[object]]) -> str:
    """Return `lines` as CSV; a text that a spreadsheet would run as a formula gets an apostrophe before it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    for line in lines:
        writer.writerow([_safe(cell) for cell in line])
    return text.getvalue()


def _safe(cell: object) -> object:
    if isinstance(cell, str):
        return _FORMULA.sub(lambda found: f"{found[0]}'", cell)
    return "" if cell is None else cell

"""Grades as CSV."""

from collections.abc import Sequence

from sqlalchemy import select

from thumbnet.challenge import board
from thumbnet.challenge.database.schema import accounts, teams
from thumbnet.challenge.moments import iso
from thumbnet.challenge.state import Challenge
from thumbnet.challenge.tables import to_csv

_HEADER = ("account", "name", "id", "team", "pseudonym", "rank", "top1", "low", "high", "images", "scored_on")
_LAST = ("public_top1", "public_rank", "submissions", "received_at", "labels_version")


def grades(challenge: Challenge) -> str:
    """Return one line for each participant, with the team's place; private scores when they are revealed."""
    with challenge.database.read() as connection:
        found = board.build(challenge, connection)
        chosen = select(accounts, teams.c.name.label("team"), teams.c.pseudonym)
        people = connection.execute(chosen.join(teams, teams.c.id == accounts.c.team_id).order_by(accounts.c.id)).all()
    places = {row.team: row for row in found.rows}
    lines: list[Sequence[object]] = [(*_HEADER, *_LAST)]
    for person in people:
        who = (person.name, person.person, person.person_id, person.team, person.pseudonym)
        lines.append((*who, *_place(places.get(person.team_id), found)))
    return to_csv(lines)


def _place(row: board.Row | None, found: board.Board) -> tuple[object, ...]:
    if row is None:
        return (*[None] * 8, 0, None, found.version)
    low, high = row.score.interval or (None, None)
    score = (row.rank, row.score.top1, low, high, row.score.images, found.scored_on)
    return (*score, row.public.top1, row.public_rank, row.submissions, iso(row.received_at), found.version)

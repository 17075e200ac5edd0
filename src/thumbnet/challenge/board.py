"""The scoreboard: who stands where, how sure that is, and how it came about.

A team stands on the board with its best submission on the public images, the earlier one of equals. When the scores
are revealed, that same submission counts on the private images; no other is looked for there, which would be choosing
on the test. Where all images are public, nothing changes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, func, select

from thumbnet.challenge.database.schema import scores, submissions, teams
from thumbnet.challenge.labels import Labels
from thumbnet.challenge.moments import iso
from thumbnet.challenge.people.teams import Team
from thumbnet.challenge.refusals import not_found
from thumbnet.challenge.state import Challenge, State
from thumbnet.challenge.submissions.scoring import Accuracy, unpacked
from thumbnet.comparison import LEVEL, mcnemar


@dataclass(frozen=True)
class Row:
    """One team on the board.

    Attributes:
        rank: 1 for the best; equal scores share one rank.
        team: the team's number.
        name: its name.
        pseudonym: its pseudonym.
        score: by which it ranks: on the private images when they are revealed, else on the public ones.
        public: on the public images.
        public_rank: the rank by `public`; differs from `rank` after the reveal only.
        like_next: whether chance alone could give the difference to the row below (McNemar's exact test, p >= 0.05).
        submissions: how many the team has sent.
        received_at: when the best one came, in milliseconds since 1970.
    """

    rank: int
    team: int
    name: str
    pseudonym: str
    score: Accuracy
    public: Accuracy
    public_rank: int
    like_next: bool
    submissions: int
    received_at: int


@dataclass(frozen=True)
class Board:
    """The scoreboard at one moment.

    Attributes:
        state: of the challenge.
        version: of the labels by which it is scored.
        scored_on: 'all', 'public' or 'private': the images that rank.
        rows: best first.
    """

    state: State
    version: int
    scored_on: str
    rows: Sequence[Row]


@dataclass(frozen=True)
class Point:
    """One submission of a team, as its history shows it.

    Attributes:
        submission: its number.
        received_at: in milliseconds since 1970.
        public: its score on the public images.
        private: on the private ones; `None` until they are revealed.
    """

    submission: int
    received_at: int
    public: Accuracy
    private: Accuracy | None


@dataclass(frozen=True, eq=False)
class _Best:
    """A team's best submission, before it has a rank."""

    row: Any
    score: Accuracy
    public: Accuracy
    right: NDArray[np.bool_]


def build(challenge: Challenge, connection: Connection, version: int | None = None) -> Board:
    """Return the board by version `version` of the labels, by default the current one.

    The work is a few milliseconds for each hundred teams; no file is read.
    """
    state = challenge.state(connection)
    labels = challenge.labels(state.version if version is None else version)
    private = state.phase == "revealed" and labels.private_images > 0
    images = labels.private if private else ~labels.private
    bests = [_best(row, labels, images, private=private) for row in _best_rows(connection, labels.number)]
    bests = [best for best in bests if best.score.top1 is not None]
    bests.sort(key=lambda best: (-best.score.correct, best.row.id))
    ranks = _ranks([best.score.correct for best in bests])
    public_ranks = _public_ranks(bests)
    rows = [
        Row(
            rank=rank,
            team=best.row.team_id,
            name=best.row.name,
            pseudonym=best.row.pseudonym,
            score=best.score,
            public=best.public,
            public_rank=public_ranks[best.row.team_id],
            like_next=place + 1 < len(bests) and alike(best.right, bests[place + 1].right),
            submissions=best.row.count,
            received_at=best.row.received_at,
        )
        for place, (rank, best) in enumerate(zip(ranks, bests, strict=True))
    ]
    scored_on = "all" if labels.private_images == 0 else ("private" if private else "public")
    return Board(state, labels.number, scored_on, rows)


def alike(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> bool:
    """Return whether two submissions cannot be told apart: bool[N] each, whether the same images are right."""
    fixed, broken = int(np.count_nonzero(second & ~first)), int(np.count_nonzero(first & ~second))
    return mcnemar(fixed, broken) >= LEVEL


def history(challenge: Challenge, connection: Connection, team: int) -> list[Point]:
    """Return all submissions of a team, oldest first."""
    state = challenge.state(connection)
    labels = challenge.labels(state.version)
    shows_private = state.phase == "revealed" and labels.private_images > 0
    chosen = (
        select(submissions.c.id, submissions.c.received_at, scores.c.public_correct, scores.c.private_correct)
        .join(scores, scores.c.submission_id == submissions.c.id)
        .where(submissions.c.team_id == team, scores.c.version == labels.number)
        .order_by(submissions.c.id)
    )
    return [
        Point(
            row.id,
            row.received_at,
            Accuracy(row.public_correct, labels.public_images),
            Accuracy(row.private_correct, labels.private_images) if shows_private else None,
        )
        for row in connection.execute(chosen)
    ]


def shown_name(team: Row | Team, mode: str) -> str:
    """Return the name under which a team stands on a board of this mode."""
    return team.name if mode == "open" else team.pseudonym


def find_shown(board: Board, mode: str, name: str) -> Row:
    """Return the row of the team that stands under `name` on a board of this mode.

    Raises:
        RefusalError: there is none; on a hidden board there is never one.
    """
    rows = board.rows if mode != "hidden" else []
    found = next((row for row in rows if shown_name(row, mode) == name), None)
    if found is None:
        raise not_found("no team of this name is on the board")
    return found


def to_json(board: Board, mode: str, *, full: bool = False) -> dict[str, Any]:
    """Return the board as JSON data.

    Args:
        board: the board.
        mode: 'open', 'pseudonymous' or 'hidden'; a hidden board has no rows.
        full: for admins: every row, with the team's name and pseudonym.
    """
    rows = board.rows if full or mode != "hidden" else []
    return {
        "mode": mode,
        "phase": board.state.phase,
        "version": board.version,
        "scored_on": board.scored_on,
        "rows": [_row_json(row, mode, board.scored_on, full=full) for row in rows],
    }


def accuracy_json(accuracy: Accuracy) -> dict[str, Any]:
    """Return an accuracy as JSON data; fractions, and the interval as a list of two."""
    interval = accuracy.interval
    return {
        "top1": accuracy.top1,
        "interval": None if interval is None else list(interval),
        "correct": accuracy.correct,
        "images": accuracy.images,
    }


def _row_json(row: Row, mode: str, scored_on: str, *, full: bool) -> dict[str, Any]:
    value: dict[str, Any] = {
        "rank": row.rank,
        "team": row.name if full else shown_name(row, mode),
        **accuracy_json(row.score),
        "like_next": row.like_next,
        "submissions": row.submissions,
        "received_at": iso(row.received_at),
        "public_rank": row.public_rank,
        "rank_change": row.public_rank - row.rank,
        "public": accuracy_json(row.public) if scored_on == "private" else None,
    }
    return value | {"pseudonym": row.pseudonym} if full else value


def _best_rows(connection: Connection, version: int) -> Sequence[Any]:
    team, best_first = submissions.c.team_id, (scores.c.public_correct.desc(), submissions.c.id)
    ranked = (
        select(
            submissions.c.id,
            submissions.c.team_id,
            submissions.c.received_at,
            scores.c.public_correct,
            scores.c.private_correct,
            func.row_number().over(partition_by=team, order_by=best_first).label("place"),
            func.count().over(partition_by=team).label("count"),
        )
        .join(scores, scores.c.submission_id == submissions.c.id)
        .where(scores.c.version == version)
        .subquery()
    )
    # The bits are joined to the best rows alone, so that the others' are not sorted along.
    chosen = (
        select(ranked, scores.c.right, teams.c.name, teams.c.pseudonym)
        .join(scores, (scores.c.submission_id == ranked.c.id) & (scores.c.version == version))
        .join(teams, teams.c.id == ranked.c.team_id)
        .where(ranked.c.place == 1)
    )
    return connection.execute(chosen).all()


def _best(row: Any, labels: Labels, images: NDArray[np.bool_], *, private: bool) -> _Best:
    public = Accuracy(row.public_correct, labels.public_images)
    score = Accuracy(row.private_correct, labels.private_images) if private else public
    return _Best(row, score, public, unpacked(row.right, len(labels.images))[images])


def _ranks(counts: Sequence[int]) -> list[int]:
    """Return the ranks of `counts`, best first: equal ones share the rank of the first of them."""
    ranks: list[int] = []
    for place, count in enumerate(counts):
        ranks.append(ranks[-1] if place and count == counts[place - 1] else place + 1)
    return ranks


def _public_ranks(bests: Sequence[_Best]) -> dict[int, int]:
    ordered = sorted(bests, key=lambda best: -best.public.correct)
    ranks = _ranks([best.public.correct for best in ordered])
    return {best.row.team_id: rank for best, rank in zip(ordered, ranks, strict=True)}

"""The submissions of all teams, as admins see them."""

from dataclasses import dataclass

from sqlalchemy import Connection, select

from thumbnet.challenge.database.schema import accounts, scores, submissions, teams
from thumbnet.challenge.state import Challenge
from thumbnet.challenge.submissions.scoring import Accuracy


@dataclass(frozen=True)
class Sent:
    """One submission, as admins see it.

    Attributes:
        submission: its number.
        received_at: in milliseconds since 1970.
        team: name of the team.
        account: name of the account that sent it.
        size: of the file, in bytes.
        public: its score on the public images.
    """

    submission: int
    received_at: int
    team: str
    account: str
    size: int
    public: Accuracy


def latest(challenge: Challenge, connection: Connection, count: int) -> list[Sent]:
    """Return the last `count` submissions of all teams, newest first, for admins."""
    labels = challenge.labels(challenge.state(connection).version)
    columns = (submissions.c.id, submissions.c.received_at, submissions.c.size, scores.c.public_correct)
    chosen = (
        select(*columns, teams.c.name.label("team"), accounts.c.name.label("account"))
        .join(scores, (scores.c.submission_id == submissions.c.id) & (scores.c.version == labels.number))
        .join(teams, teams.c.id == submissions.c.team_id)
        .join(accounts, accounts.c.id == submissions.c.account_id)
        .order_by(submissions.c.id.desc())
        .limit(count)
    )
    return [
        Sent(
            row.id,
            row.received_at,
            row.team,
            row.account,
            row.size,
            Accuracy(row.public_correct, labels.public_images),
        )
        for row in connection.execute(chosen)
    ]

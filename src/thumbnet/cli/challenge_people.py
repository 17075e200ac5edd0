"""The commands of `thumbnet challenge` about people: roster, admins, passwords, teams."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from thumbnet.cli.challenge_parts import ChallengeOptions, OutOption, errors_of
from thumbnet.cli.printing import tell
from thumbnet.errors import ChallengeError
from thumbnet.files import private_file, storage_errors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thumbnet.challenge.people.roster import Person
    from thumbnet.challenge.state import Challenge

NameOption = Annotated[str, Parameter(help="Account name.")]


def roster(
    file: Annotated[Path, Parameter(help="CSV with the columns name, id, team.")],
    /,
    *,
    out: OutOption = None,
    again: Annotated[
        bool, Parameter(name="--again", negative=(), help="New codes for all that were not used; old ones are void.")
    ] = False,
    at: ChallengeOptions = ChallengeOptions(),
) -> None:
    """Invite the people of a roster; their codes are printed as CSV, this one time. Who is invited is left out."""
    from thumbnet.challenge.people import roster as rosters

    with storage_errors(file):
        content = file.read_bytes()
    with errors_of(file):
        people = rosters.parse(content)
    if out is not None and out.exists():
        raise ChallengeError(f"{out}: exists already, and may hold codes that are needed; choose another file")
    with at.open() as challenge, errors_of(file):
        left_out = _invite(challenge, people, out, again=again)
    if left_out:
        shown = ", ".join(person.id or person.name for person in left_out)
        remedy = "" if again else "; --again makes new codes for those who have not used theirs"
        tell(f"left out, invited before: {shown}{remedy}")


def revoke(
    who: Annotated[str, Parameter(help="Id or name, as in the roster.")],
    /,
    *,
    at: ChallengeOptions = ChallengeOptions(),
) -> None:
    """Void an invite code that was not used."""
    from thumbnet.challenge.people import roster as rosters

    with at.open() as challenge:
        rosters.revoke(challenge, who)
    sys.stdout.write(f"the code of {who} is void\n")


def admin(
    name: NameOption = "admin",
    /,
    *,
    revoke: Annotated[bool, Parameter(name="--revoke", negative=(), help="End the admin's other tokens.")] = False,
    at: ChallengeOptions = ChallengeOptions(),
) -> None:
    """Print a new API token of an admin, who is made where there is none of this name."""
    from thumbnet.challenge.people.tokens import make_admin

    with at.open() as challenge:
        token = make_admin(challenge, name, revoke=revoke)
    sys.stdout.write(f"admin token, shown this one time: {token}\n")


def password(name: NameOption, /, *, at: ChallengeOptions = ChallengeOptions()) -> None:
    """Give somebody who forgot their password a new one, and print it. Their tokens and sessions end."""
    from thumbnet.challenge.people import accounts, secrets, tokens

    new = secrets.new_code()
    with at.open() as challenge:
        tokens.change_password(challenge, accounts.find_account(challenge, name), new)
    sys.stdout.write(f"password of {name}, shown this one time: {new}\n")


def move(
    name: NameOption,
    team: Annotated[str, Parameter(help="Name of a team that is there.")],
    /,
    *,
    at: ChallengeOptions = ChallengeOptions(),
) -> None:
    """Move a participant to another team. What was submitted stays with the team that it was submitted for."""
    from thumbnet.challenge.people import teams

    with at.open() as challenge:
        left = teams.move(challenge, name, team)
    sys.stdout.write(f"{name} moved from {left} to {team}\n")


def turn(
    team: Annotated[str, Parameter(help="Name of the team.")],
    /,
    *,
    at: ChallengeOptions = ChallengeOptions(),
) -> None:
    """End a team's cooldown now, as after a clock that was wrong. The log keeps that it was done."""
    from thumbnet.challenge.people.teams import give_turn

    with at.open() as challenge:
        give_turn(challenge, team)
    sys.stdout.write(f"{team} may submit now\n")


def _invite(
    challenge: "Challenge", people: "Sequence[Person]", out: Path | None, *, again: bool
) -> "Sequence[Person]":
    """Invite `people`, write their codes, and return those who were left out.

    The file is open before a code is made, so that no code is made that cannot be written.
    """
    from thumbnet.challenge.people import roster as rosters
    from thumbnet.challenge.tables import invites_csv

    if out is None:
        found = rosters.invite(challenge, people, again=again)
        sys.stdout.write(invites_csv(found.made))
        return found.left_out
    with private_file(out) as handle:
        found = rosters.invite(challenge, people, again=again)
        handle.write(invites_csv(found.made).encode())
    sys.stdout.write(f"{out}\n")
    return found.left_out

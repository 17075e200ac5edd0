"""`thumbnet challenge`: what the person who runs a challenge does beside the server, which may run meanwhile."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from thumbnet.cli import challenge_people as people
from thumbnet.cli.challenge_parts import ChallengeOptions, OutOption
from thumbnet.cli.options import JsonFlag
from thumbnet.cli.printing import print_json
from thumbnet.errors import ChallengeError
from thumbnet.files import private_file

if TYPE_CHECKING:
    from thumbnet.challenge.state import Phase

app = App(name="challenge", help="Keep a challenge: roster, labels, end, verification, backup, grades.")

for _command in (people.roster, people.revoke, people.admin, people.password, people.move, people.turn):
    app.command(_command)


@app.command
def labels(
    file: Annotated[Path, Parameter(help="CSV or text file with all labels, corrected.")],
    /,
    *,
    note: Annotated[str, Parameter(help="What was corrected.")] = "",
    at: ChallengeOptions = ChallengeOptions(),
) -> None:
    """Score every submission by corrected labels, and let the board change to them."""
    from thumbnet.challenge.labels import read
    from thumbnet.challenge.rescoring import correct_labels

    with at.open() as challenge:
        version = correct_labels(challenge, read(file), note)
    sys.stdout.write(f"the board is scored by version {version} of the labels\n")


@app.command(name="open")
def reopen(*, at: ChallengeOptions = ChallengeOptions()) -> None:
    """Take submissions again."""
    _set_phase(at, "open")


@app.command
def close(*, at: ChallengeOptions = ChallengeOptions()) -> None:
    """Take no more submissions."""
    _set_phase(at, "closed")


@app.command
def reveal(*, at: ChallengeOptions = ChallengeOptions()) -> None:
    """Show the private scores of a closed challenge, for good."""
    _set_phase(at, "revealed")


@app.command
def verify(
    receipts: Annotated[list[Path] | None, Parameter(help="Receipts that the ledger has to hold.")] = None,
    /,
    *,
    at: ChallengeOptions = ChallengeOptions(),
    as_json: JsonFlag = False,
) -> None:
    """Check the ledger's chain, every stored file, and every score, computed anew."""
    from dataclasses import asdict

    from thumbnet.challenge import keeping
    from thumbnet.challenge.ledger import load_receipt

    given = [load_receipt(path) for path in receipts or []]
    with at.open() as challenge:
        found = keeping.verify(challenge, given)
    if as_json:
        print_json(asdict(found))
    else:
        sys.stdout.write(f"{found.submissions:,} submissions, {found.scores:,} scores computed anew\n")
        sys.stdout.write(f"last hash of the ledger: {found.head or 'none yet'}\n")
        if found.orphans:
            sys.stdout.write(f"stored files of no submission, left by killed processes, harmless: {found.orphans:,}\n")
        for problem in found.problems:
            sys.stdout.write(f"wrong: {problem}\n")
    if found.problems:
        count = len(found.problems)
        raise ChallengeError(f"verification found {count} {'problem' if count == 1 else 'problems'}; restore a backup")


@app.command
def backup(
    out: Annotated[Path, Parameter(help="Folder to make.")],
    /,
    *,
    at: ChallengeOptions = ChallengeOptions(),
) -> None:
    """Write the whole challenge, as it is at one moment, to a new folder. It holds the labels."""
    from thumbnet.challenge import keeping

    with at.open() as challenge:
        manifest = keeping.backup(challenge, out)
    sys.stdout.write(
        f"{out}: {manifest['files']:,} files, {manifest['tables']['submissions']['rows']:,} submissions\n"
    )


@app.command
def restore(
    source: Annotated[Path, Parameter(help="Folder that `thumbnet challenge backup` made.")],
    /,
    *,
    at: ChallengeOptions = ChallengeOptions(),
) -> None:
    """Fill a new folder, and the database of its settings, from a backup."""
    from thumbnet.challenge import keeping
    from thumbnet.challenge.database import database_errors
    from thumbnet.challenge.state import Challenge

    settings = at.settings()
    with database_errors(settings.database_url), Challenge.open(settings) as challenge:
        manifest = keeping.restore(challenge, source)
    sys.stdout.write(
        f"{challenge.settings.folder}: {manifest['tables']['submissions']['rows']:,} submissions restored\n"
    )


@app.command
def export(*, out: OutOption = None, at: ChallengeOptions = ChallengeOptions()) -> None:
    """Print grades as CSV: a line for each participant."""
    from thumbnet.challenge import keeping

    with at.open() as challenge:
        _write_private(keeping.grades(challenge), out)


def _write_private(text: str, out: Path | None) -> None:
    """Write what is of persons to a file that its owner alone can read, or to standard output."""
    if out is None:
        sys.stdout.write(text)
        return
    with private_file(out) as handle:
        handle.write(text.encode())
    sys.stdout.write(f"{out}\n")


def _set_phase(at: ChallengeOptions, phase: "Phase") -> None:
    from thumbnet.challenge.state import set_phase

    with at.open() as challenge:
        state = set_phase(challenge, phase)
    sys.stdout.write(f"the challenge is {state.phase}\n")

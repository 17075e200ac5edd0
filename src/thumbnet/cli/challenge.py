"""`thumbnet challenge`: what the person who runs a challenge does beside the server, which may run meanwhile."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from thumbnet.cli.options import JsonFlag
from thumbnet.cli.printing import print_json
from thumbnet.cli.serve import ConfigOption, FolderOption, load_settings
from thumbnet.errors import ChallengeError
from thumbnet.files import atomic_file, storage_errors

if TYPE_CHECKING:
    from thumbnet.challenge.state import Challenge

app = App(name="challenge", help="Keep a challenge: roster, labels, end, verification, backup, grades.")

_FOLDER = Path("challenge")
OutOption = Annotated[Path | None, Parameter(help="File to write; by default standard output.")]


@app.command
def roster(
    file: Annotated[Path, Parameter(help="CSV with the columns name, id, team.")],
    /,
    *,
    out: OutOption = None,
    folder: FolderOption = _FOLDER,
    config: ConfigOption = None,
) -> None:
    """Invite the people of a roster; their codes are printed as CSV, this one time. Who is invited is left out."""
    from thumbnet.challenge.keeping.export import invites_csv
    from thumbnet.challenge.people import roster as rosters

    with storage_errors(file):
        content = file.read_bytes()
    try:
        people = rosters.parse(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ChallengeError(f"{file}: not UTF-8 text; save it as UTF-8") from error
    with _open(folder, config) as challenge:
        made = rosters.invite(challenge, people)
    _write(invites_csv(made), out)


@app.command
def admin(
    name: Annotated[str, Parameter(help="Account name.")] = "admin",
    /,
    *,
    folder: FolderOption = _FOLDER,
    config: ConfigOption = None,
) -> None:
    """Print a new API token of an admin, who is made where there is none of this name."""
    from thumbnet.challenge.people.accounts import make_admin

    with _open(folder, config) as challenge:
        sys.stdout.write(f"admin token, shown this one time: {make_admin(challenge, name)}\n")


@app.command
def password(
    name: Annotated[str, Parameter(help="Account name.")],
    /,
    *,
    folder: FolderOption = _FOLDER,
    config: ConfigOption = None,
) -> None:
    """Give somebody who forgot their password a new one, and print it."""
    from thumbnet.challenge.people import accounts, secrets

    new = secrets.new_code()
    with _open(folder, config) as challenge:
        accounts.change_password(challenge, accounts.find_account(challenge, name), new)
    sys.stdout.write(f"password of {name}, shown this one time: {new}\n")


@app.command
def labels(
    file: Annotated[Path, Parameter(help="CSV or text file with all labels, corrected.")],
    /,
    *,
    note: Annotated[str, Parameter(help="What was corrected.")] = "",
    folder: FolderOption = _FOLDER,
    config: ConfigOption = None,
) -> None:
    """Score every submission by corrected labels, and let the board change to them."""
    from thumbnet.challenge.labels import read
    from thumbnet.challenge.rescoring import correct_labels

    with _open(folder, config) as challenge:
        version = correct_labels(challenge, read(file), note)
    sys.stdout.write(f"the board is scored by version {version} of the labels\n")


@app.command(name="open")
def reopen(*, folder: FolderOption = _FOLDER, config: ConfigOption = None) -> None:
    """Take submissions again."""
    _set_phase(folder, config, "open")


@app.command
def close(*, folder: FolderOption = _FOLDER, config: ConfigOption = None) -> None:
    """Take no more submissions."""
    _set_phase(folder, config, "closed")


@app.command
def reveal(*, folder: FolderOption = _FOLDER, config: ConfigOption = None) -> None:
    """Show the private scores of a closed challenge, for good."""
    _set_phase(folder, config, "revealed")


@app.command
def verify(
    receipts: Annotated[list[Path] | None, Parameter(help="Receipts that the ledger has to hold.")] = None,
    /,
    *,
    folder: FolderOption = _FOLDER,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Check the ledger's chain, every stored file, and every score, computed anew."""
    from dataclasses import asdict

    from thumbnet.challenge import keeping
    from thumbnet.challenge.client import load_receipt
    from thumbnet.challenge.ledger import read_receipt

    given = [read_receipt(load_receipt(path)) for path in receipts or []]
    with _open(folder, config) as challenge:
        found = keeping.verify(challenge, given)
    if as_json:
        print_json(asdict(found))
    else:
        sys.stdout.write(f"{found.submissions:,} submissions, {found.scores:,} scores computed anew\n")
        sys.stdout.write(f"last hash of the ledger: {found.head or 'none yet'}\n")
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
    folder: FolderOption = _FOLDER,
    config: ConfigOption = None,
) -> None:
    """Write the whole challenge, as it is at one moment, to a new folder. It holds the labels."""
    from thumbnet.challenge import keeping

    with _open(folder, config) as challenge:
        manifest = keeping.backup(challenge, out)
    sys.stdout.write(
        f"{out}: {manifest['files']:,} files, {manifest['tables']['submissions']['rows']:,} submissions\n"
    )


@app.command
def restore(
    source: Annotated[Path, Parameter(help="Folder that `thumbnet challenge backup` made.")],
    /,
    *,
    folder: FolderOption = _FOLDER,
    config: ConfigOption = None,
) -> None:
    """Fill a new folder, and the database of its settings, from a backup."""
    from thumbnet.challenge import keeping
    from thumbnet.challenge.state import Challenge

    challenge = Challenge.open(load_settings(folder, config))
    try:
        manifest = keeping.restore(challenge, source)
    finally:
        challenge.close()
    sys.stdout.write(
        f"{challenge.settings.folder}: {manifest['tables']['submissions']['rows']:,} submissions restored\n"
    )


@app.command
def export(*, out: OutOption = None, folder: FolderOption = _FOLDER, config: ConfigOption = None) -> None:
    """Print grades as CSV: a line for each participant."""
    from thumbnet.challenge import keeping

    with _open(folder, config) as challenge:
        _write(keeping.grades(challenge), out)


def _set_phase(folder: Path, config: Path | None, phase: str) -> None:
    from typing import cast

    from thumbnet.challenge.state import Phase, set_phase

    with _open(folder, config) as challenge:
        state = set_phase(challenge, cast("Phase", phase))
    sys.stdout.write(f"the challenge is {state.phase}\n")


@contextmanager
def _open(folder: Path, config: Path | None) -> "Iterator[Challenge]":
    """Yield the challenge in `folder`, which has been set up.

    Raises:
        ChallengeError: there is none.
    """
    settings = load_settings(folder, config)
    from thumbnet.challenge.state import Challenge

    if not settings.folder.is_dir():
        raise ChallengeError(f"{settings.folder}: no challenge here; choose its folder with --folder")
    challenge = Challenge.open(settings)
    try:
        if not challenge.is_set_up():
            raise ChallengeError(f"{settings.folder}: no challenge here yet; start one with `thumbnet serve`")
        yield challenge
    finally:
        challenge.close()


def _write(text: str, out: Path | None) -> None:
    if out is None:
        sys.stdout.write(text)
        return
    with atomic_file(out) as handle:
        handle.write(text.encode())
    sys.stdout.write(f"{out}\n")

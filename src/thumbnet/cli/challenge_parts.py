"""What the commands of `thumbnet challenge` share."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from thumbnet.cli.serve import load_settings
from thumbnet.errors import ChallengeError
from thumbnet.files import private_file

if TYPE_CHECKING:
    from thumbnet.challenge.state import Challenge

OutOption = Annotated[Path | None, Parameter(help="File to write; by default standard output.")]


@contextmanager
def open_challenge(folder: Path | None, config: Path | None) -> "Iterator[Challenge]":
    """Yield the challenge in `folder`, which has been set up.

    Raises:
        ChallengeError: there is none, or its folder and its database do not belong together.
    """
    settings = load_settings(folder, config)
    from thumbnet.challenge.state import Challenge, bind

    if not settings.folder.is_dir():
        raise ChallengeError(f"{settings.folder}: no challenge here; choose its folder with --folder")
    challenge = Challenge.open(settings)
    try:
        if not challenge.is_set_up():
            raise ChallengeError(f"{settings.folder}: no challenge here yet; start one with `thumbnet serve`")
        bind(challenge)
        yield challenge
    finally:
        challenge.close()


def write_private(text: str, out: Path | None) -> None:
    """Write what is of persons to a file that its owner alone can read, or to standard output."""
    if out is None:
        sys.stdout.write(text)
        return
    with private_file(out) as handle:
        handle.write(text.encode())
    sys.stdout.write(f"{out}\n")

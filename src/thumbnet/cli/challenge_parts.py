"""What `thumbnet serve` and the commands of `thumbnet challenge` share."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from thumbnet.errors import ChallengeError

if TYPE_CHECKING:
    from thumbnet.challenge.settings import Settings
    from thumbnet.challenge.state import Challenge

FolderOption = Annotated[
    Path | None, Parameter(name="--folder", help="Folder of the challenge; by default 'challenge'.")
]
ConfigOption = Annotated[
    Path | None, Parameter(name="--config", help="Settings file; by default challenge.toml in the folder.")
]
OutOption = Annotated[Path | None, Parameter(help="File to write; by default standard output.")]

_FOLDER = Path("challenge")


@Parameter(name="*")
@dataclass(frozen=True)
class ChallengeOptions:
    """Which challenge a command is about.

    Attributes:
        folder: where it lies; `None` for 'challenge', or where `config` says.
        config: its settings file; `None` for the one in the folder, where there is one.
    """

    folder: FolderOption = None
    config: ConfigOption = None

    def settings(self, **given: object) -> "Settings":
        """Return the challenge's settings, with those of `given` that are not `None` in their place.

        Raises:
            ChallengeError: the packages of the server are not installed, a setting is wrong, or `config` does not say
                where the challenge is.
        """
        need("sqlalchemy", "alembic", "argon2")
        from thumbnet.challenge import settings

        if self.config is not None:
            if self.folder is None:
                settings.check_folder(self.config)
            return settings.load(self.config, folder=self.folder, **given)
        file = settings.find(self.folder or _FOLDER)
        return settings.load(file, folder=self.folder if file else self.folder or _FOLDER, **given)

    @contextmanager
    def open(self) -> "Iterator[Challenge]":
        """Yield the challenge, which has been set up.

        Raises:
            ChallengeError: there is none, its folder and its database do not belong together, or the database refuses
                what the block does.
        """
        settings = self.settings()
        from thumbnet.challenge.database import database_errors
        from thumbnet.challenge.state import Challenge, bind

        if not settings.folder.is_dir():
            raise ChallengeError(f"{settings.folder}: no challenge here; choose its folder with --folder")
        with database_errors(settings.database_url), Challenge.open(settings) as challenge:
            if not challenge.is_set_up():
                raise ChallengeError(f"{settings.folder}: no challenge here yet; start one with `thumbnet serve`")
            bind(challenge)
            yield challenge


def need(*modules: str) -> None:
    """Check that `modules` are installed.

    Raises:
        ChallengeError: one is not.
    """
    from importlib.util import find_spec

    for module in modules:
        if find_spec(module) is None:
            raise ChallengeError(f"the server needs {module}; install it with: pip install 'thumbnet[challenge]'")


@contextmanager
def errors_of(file: Path) -> Iterator[None]:
    """Put the name of `file` before what the block says is wrong in it.

    Raises:
        ChallengeError: the block did, of the same cause.
    """
    try:
        yield
    except ChallengeError as error:
        raise ChallengeError(f"{file}: {error}") from error

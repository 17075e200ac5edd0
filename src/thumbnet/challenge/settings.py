"""The settings of a challenge: one TOML file, checked as a whole before anything starts."""

import ipaddress
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

from thumbnet.errors import ChallengeError, nearest
from thumbnet.files import storage_errors
from thumbnet.submission import MAX_BYTES

FILE = "challenge.toml"
DATABASE_VARIABLE = "THUMBNET_DATABASE"


class SettingError(ChallengeError):
    """A wrong value of a setting.

    Args:
        name: of the setting.
        problem: what is wrong, and what to do.
    """

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"setting {name}: {problem}")
        self.name = name


@dataclass(frozen=True)
class Settings:
    """How a challenge runs.

    Attributes:
        folder: where the submissions, and by default the database, are kept.
        title: what the challenge is called.
        database: URL of a PostgreSQL database, 'postgresql://user:password@host/name'; empty for SQLite in `folder`.
        host: address to listen on.
        port: port to listen on.
        public_url: how browsers reach the server, such as 'https://challenge.example.org'; empty for the address that
            the browser names.
        trusted_proxies: addresses of proxies whose X-Forwarded-For and X-Forwarded-Proto count.
        sign_up: 'invite' asks for a code of the roster, 'open' does not.
        team_size: the most accounts that a team may have.
        cooldown_seconds: shortest time between two submissions of a team.
        invalid_limit: how many invalid files a team may send in `invalid_window_seconds`.
        invalid_window_seconds: the time in which invalid files are counted.
        max_bytes: largest submission.
        closes_at: when submissions end, with a time zone; `None` for when an admin closes.
        board: 'open' shows the names of teams, 'pseudonymous' their pseudonyms, 'hidden' nothing.
        public_fraction: share of each class's images that the board scores before the end; the rest is private.
        seed: of the division into public and private images; `None` draws one at the first start.
        session_days: how long a browser stays signed in.
        accept_names: take images whose names, or their order, tell the classes.
    """

    folder: Path
    title: str = "Image classification challenge"
    database: str = ""
    host: str = "127.0.0.1"
    port: int = 8000
    public_url: str = ""
    trusted_proxies: tuple[str, ...] = ()
    sign_up: str = "invite"
    team_size: int = 4
    cooldown_seconds: float = 7200
    invalid_limit: int = 20
    invalid_window_seconds: float = 3600
    max_bytes: int = MAX_BYTES
    closes_at: datetime | None = None
    board: str = "pseudonymous"
    public_fraction: float = 1.0
    seed: int | None = None
    session_days: float = 14
    accept_names: bool = False

    def __post_init__(self) -> None:
        for name, check in _CHECKS.items():
            problem = check(getattr(self, name))
            if problem:
                raise SettingError(name, problem)

    @property
    def is_https(self) -> bool:
        """Whether browsers reach the server by HTTPS, so that cookies can be kept to it."""
        return self.public_url.startswith("https://")

    @property
    def database_url(self) -> str:
        """URL of the database, with the driver."""
        if not self.database:
            return f"sqlite:///{self.folder / 'challenge.sqlite3'}"
        return "postgresql+psycopg://" + self.database.partition("://")[2]


def load(path: Path | None, **given: Any) -> Settings:
    """Return the settings in the TOML file `path`, with those of `given` that are not `None` in their place.

    `folder` is by default that of the file; a relative one counts from there. The environment variable
    $THUMBNET_DATABASE replaces `database`, so that its password need not stand in the file.

    Raises:
        ChallengeError: an unknown key, or a value of the wrong type or out of range.
        StorageError: the file cannot be read.
    """
    values: dict[str, Any] = {}
    if path is not None:
        values = _read(path)
        values["folder"] = path.parent / values.get("folder", ".")
    sources = dict.fromkeys(values, str(path))
    if os.environ.get(DATABASE_VARIABLE):
        values["database"] = os.environ[DATABASE_VARIABLE]
        sources["database"] = f"${DATABASE_VARIABLE}"
    options = {name: value for name, value in given.items() if value is not None}
    try:
        return Settings(**values | options)
    except SettingError as error:
        if error.name in sources and error.name not in options:
            raise ChallengeError(f"{sources[error.name]}: {error}") from error
        raise


def check_folder(path: Path) -> None:
    """Check that the settings file `path` says where the challenge is; a file anywhere is not in its folder.

    Raises:
        ChallengeError: it does not, or has what `load` refuses.
        StorageError: the file cannot be read.
    """
    if "folder" not in _read(path):
        raise ChallengeError(f"{path}: no setting folder; add one, or give the challenge's folder with --folder")


def find(folder: Path) -> Path | None:
    """Return the settings file in `folder`; `None` where there is none."""
    usual = folder / FILE
    return usual if usual.is_file() else None


def _read(path: Path) -> dict[str, Any]:
    with storage_errors(path):
        content = path.read_bytes()
    try:
        table = tomllib.loads(content.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ChallengeError(f"{path}: not valid TOML ({error}); mend the line or leave it out") from error
    known = get_type_hints(Settings)
    values = {}
    for key, value in table.items():
        if key not in known:
            raise ChallengeError(f"{path}: unknown setting {key!r}; {nearest(key, known)}")
        values[key] = _of_type(f"{path}: setting {key}", value, known[key])
    return values


_KINDS: Mapping[type, tuple[type | UnionType, str]] = {
    bool: (bool, "true or false"),
    str: (str, "a text in quotes"),
    int: (int, "a whole number"),
    float: (int | float, "a number"),
    tuple: (list, "a list of texts, such as ['127.0.0.1']"),
    datetime: (datetime, "a time without quotes, as 2026-12-01T12:00:00+01:00"),
    Path: (str, "a folder in quotes"),
}


def _of_type(where: str, value: Any, annotation: Any) -> Any:
    kind = next(kind for kind in (get_origin(annotation), annotation, *get_args(annotation)) if kind in _KINDS)
    allowed, wanted = _KINDS[kind]
    # In Python, but not here, a truth value is a number.
    if not isinstance(value, allowed) or (isinstance(value, bool) and kind is not bool):
        raise ChallengeError(f"{where}: {value!r} is not {wanted}")
    return tuple(value) if isinstance(value, list) else value


def _one_of(*known: str) -> Callable[[Any], str]:
    return lambda value: "" if value in known else f"{value!r} is unknown; {nearest(str(value), known)}"


def _between(low: float, high: float) -> Callable[[Any], str]:
    # Written so that nan is refused too.
    return lambda value: "" if low <= value <= high else f"{value} is not in {low:g} to {high:g}"


def _public_url(value: str) -> str:
    parts = urlsplit(value)
    if not value or (
        parts.scheme in ("http", "https") and parts.netloc and value == f"{parts.scheme}://{parts.netloc}"
    ):
        return ""
    return f"{value!r} is not like 'https://challenge.example.org'; leave out path and final slash"


def _database(value: str) -> str:
    if not value or value.startswith("postgresql://"):
        return ""
    # The value may hold a password and is not shown.
    return "not like 'postgresql://user:password@host/name'; leave it out for SQLite in the challenge's folder"


def _proxies(value: tuple[str, ...]) -> str:
    for address in value:
        if not _is_network(address):
            return f"{address!r} is no address of a proxy; write one as '127.0.0.1' or a network as '10.0.0.0/8'"
    return ""


def _is_network(value: object) -> bool:
    # A number would be taken for the address that it stands for.
    if not isinstance(value, str):
        return False
    try:
        ipaddress.ip_network(value)
    except ValueError:
        return False
    return True


def _closes_at(value: datetime | None) -> str:
    if value is None or value.tzinfo is not None:
        return ""
    return f"{value.isoformat()} has no time zone; add one, as in 2026-12-01T12:00:00+01:00"


_CHECKS: Mapping[str, Callable[[Any], str]] = {
    "title": lambda value: "" if 0 < len(value) <= 100 and value.isprintable() else "give 1 to 100 characters",
    "database": _database,
    "port": _between(0, 65535),
    "public_url": _public_url,
    "trusted_proxies": _proxies,
    "sign_up": _one_of("invite", "open"),
    "team_size": _between(1, 1000),
    "cooldown_seconds": _between(0, 366 * 86400),
    "invalid_limit": _between(1, 1_000_000),
    "invalid_window_seconds": _between(1, 366 * 86400),
    "max_bytes": _between(1, 2**30),
    "closes_at": _closes_at,
    "board": _one_of("open", "pseudonymous", "hidden"),
    "public_fraction": lambda value: "" if 0 < value <= 1 else f"{value} is not above 0 and at most 1",
    "seed": lambda value: "" if value is None or 0 <= value < 2**63 else f"{value} is not in 0 to 2^63 - 1",
    "session_days": _between(0.01, 366),
}

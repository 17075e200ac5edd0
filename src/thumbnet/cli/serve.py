"""`thumbnet serve`."""

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from thumbnet.cli.options import DataOption, open_data
from thumbnet.cli.printing import tell
from thumbnet.errors import ChallengeError

if TYPE_CHECKING:
    import socket

    from thumbnet.challenge.labels import Labels
    from thumbnet.challenge.settings import Settings

FolderOption = Annotated[
    Path | None, Parameter(name="--folder", help="Folder of the challenge; by default 'challenge'.")
]
ConfigOption = Annotated[
    Path | None, Parameter(name="--config", help="Settings file; by default challenge.toml in the folder.")
]


_FOLDER = Path("challenge")


def serve(
    *,
    labels: Annotated[Path | None, Parameter(help="CSV or text file: an image and its class a line.")] = None,
    from_split: Annotated[str | None, Parameter(name="--from-split", help="Take a labelled split, as val.")] = None,
    data: DataOption = None,
    classes: Annotated[Path | None, Parameter(help="File of all class ids; by default those of the labels.")] = None,
    folder: FolderOption = None,
    config: ConfigOption = None,
    host: Annotated[str | None, Parameter(help="Address to listen on; the setting 'host'.")] = None,
    port: Annotated[int | None, Parameter(help="Port to listen on; the setting 'port'.")] = None,
    sign_up: Annotated[str | None, Parameter(name="--sign-up", help="invite or open; the setting 'sign_up'.")] = None,
) -> None:
    """Serve a challenge: score submissions and show the scoreboard.

    The first start needs the labels, and prints an admin token. SIGTERM ends it with status 0, as service managers
    expect, Ctrl-C with 130.
    """
    # While it serves, uvicorn ends it in order and then raises the signal once more, for this handler.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))
    settings = load_settings(folder, config, host=host, port=port, sign_up=sign_up)
    truth = _labels(labels, from_split, data, classes)
    with _listening(settings) as listening:
        token = _first_start(settings, truth)
        _warn(settings)
        if token is not None:
            sys.stdout.write(f"admin token, shown this one time: {token}\n")
            sys.stdout.flush()
        _run(settings, listening)


def load_settings(folder: Path | None, config: Path | None, **given: object) -> "Settings":
    """Return the settings of the challenge in `folder`, by default 'challenge', or by the file `config`.

    Raises:
        ChallengeError: the packages of the server are not installed, a setting is wrong, or `config` does not say
            where the challenge is.
    """
    _need("sqlalchemy", "alembic", "argon2")
    from thumbnet.challenge import settings

    if config is not None:
        if folder is None:
            settings.check_folder(config)
        return settings.load(config, folder=folder, **given)
    file = settings.find(folder or _FOLDER)
    return settings.load(file, folder=folder if file else folder or _FOLDER, **given)


def _need(*modules: str) -> None:
    from importlib.util import find_spec

    for module in modules:
        if find_spec(module) is None:
            raise ChallengeError(f"the server needs {module}; install it with: pip install 'thumbnet[challenge]'")


def _warn(settings: "Settings") -> None:
    """Tell what weakens the challenge."""
    from thumbnet.challenge.state import Challenge
    from thumbnet.challenge.submissions.limits import times_ahead

    if settings.sign_up == "open":
        tell("sign-up is open: whoever makes another account has another turn; a roster enforces the cooldown")
    challenge = Challenge.open(settings)
    try:
        ahead = times_ahead(challenge)
    finally:
        challenge.close()
    if ahead:
        tell(
            f"{ahead} {'team has' if ahead == 1 else 'teams have'} a turn in the future, so a clock is or was wrong; "
            "set this one, or give a turn with `thumbnet challenge turn TEAM`"
        )


def _labels(file: Path | None, split: str | None, data: Path | None, classes: Path | None) -> "Labels | None":
    from thumbnet.challenge import labels

    if file is not None and split is not None:
        raise ChallengeError("--labels and --from-split: two sources of labels; give one of them")
    if split is not None:
        return labels.from_split(open_data(data), split)
    return None if file is None else labels.read(file, classes)


def _first_start(settings: "Settings", truth: "Labels | None") -> str | None:
    """Set the challenge up where that is to be done, and return the first admin's token where there was no admin."""
    from thumbnet.challenge.people.accounts import make_admin
    from thumbnet.challenge.state import Challenge, set_up

    challenge = Challenge.open(settings)
    try:
        if truth is not None:
            if not challenge.is_set_up():
                tell(f"{len(truth.images):,} images of {len(truth.classes):,} classes")
            set_up(challenge, truth)
        elif not challenge.is_set_up():
            raise ChallengeError(
                f"{settings.folder}: no challenge yet; give its labels with --labels FILE or --from-split val"
            )
        return make_admin(challenge, "admin", only_first=True)
    finally:
        challenge.close()


def _listening(settings: "Settings") -> "socket.socket":
    """Return a socket that listens where the settings say.

    Raises:
        ChallengeError: the address or port cannot be used.
    """
    import socket

    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=2048)
    except OSError as error:
        reason = os.strerror(error.errno).lower() if error.errno else str(error)
        raise ChallengeError(
            f"{settings.host}, port {settings.port}: {reason}; choose others with --host and --port"
        ) from error


def _run(settings: "Settings", listening: "socket.socket") -> None:
    _need("fastapi", "uvicorn")
    import uvicorn

    from thumbnet.challenge.web import make_app

    _allow_connections()
    app = make_app(settings)
    tell(f"{settings.title}: http://{settings.host}:{listening.getsockname()[1]} (Ctrl-C ends it)")
    # Forwarded headers count only from proxies that the settings trust; `make_app` sees to that.
    options = uvicorn.Config(
        app,
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_level="warning",
        # Longer than pages and proxies wait between two requests: a connection that is closed just as the next one is
        # sent looks like a failure.
        timeout_keep_alive=75,
        timeout_graceful_shutdown=10,
    )
    uvicorn.Server(options).run(sockets=[listening])


def _allow_connections() -> None:
    """Let the process have as many connections as the system allows it; the usual limit is 1,024."""
    if os.name == "posix":
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))

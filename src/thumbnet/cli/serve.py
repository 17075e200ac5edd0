"""`thumbnet serve`."""

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from thumbnet.cli.challenge_parts import ChallengeOptions, need
from thumbnet.cli.options import DataOption, open_data
from thumbnet.cli.printing import tell
from thumbnet.errors import ChallengeError

if TYPE_CHECKING:
    import socket

    from thumbnet.challenge.labels import Labels
    from thumbnet.challenge.settings import Settings
    from thumbnet.challenge.state import Challenge


def serve(
    *,
    labels: Annotated[Path | None, Parameter(help="CSV or text file: an image and its class a line.")] = None,
    from_split: Annotated[str | None, Parameter(name="--from-split", help="Take a labelled split, as val.")] = None,
    data: DataOption = None,
    classes: Annotated[Path | None, Parameter(help="File of all class ids; by default those of the labels.")] = None,
    at: ChallengeOptions = ChallengeOptions(),
    host: Annotated[str | None, Parameter(help="Address to listen on; the setting 'host'.")] = None,
    port: Annotated[int | None, Parameter(help="Port to listen on; the setting 'port'.")] = None,
    sign_up: Annotated[str | None, Parameter(name="--sign-up", help="invite or open; the setting 'sign_up'.")] = None,
) -> None:
    """Serve a challenge: score submissions and show the scoreboard.

    The first start needs the labels, and prints an admin token. SIGTERM ends it with status 0, as service managers
    expect, Ctrl-C with 130.
    """
    need("fastapi", "uvicorn")
    # While it serves, uvicorn ends it in order and then raises the signal once more, for this handler.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))
    settings = at.settings(host=host, port=port, sign_up=sign_up)
    truth = _labels(labels, from_split, data, classes)
    from thumbnet.challenge.database import database_errors
    from thumbnet.challenge.state import Challenge

    errors = database_errors(settings.database_url)
    with errors, _listening(settings) as listening, Challenge.open(settings) as challenge:
        _first_start(challenge, truth)
        _warn(challenge)
        _run(challenge, listening)


def _warn(challenge: "Challenge") -> None:
    """Tell what weakens the challenge."""
    from thumbnet.challenge.people.teams import times_ahead

    if challenge.settings.sign_up == "open":
        tell("sign-up is open: whoever makes another account has another turn; a roster enforces the cooldown")
    ahead = times_ahead(challenge)
    if ahead:
        tell(
            f"{ahead} {'team has' if ahead == 1 else 'teams have'} a turn in the future, so a clock is or was wrong; "
            "set this one, or give a turn with `thumbnet challenge turn TEAM`"
        )


def _labels(file: Path | None, split: str | None, data: Path | None, classes: Path | None) -> "Labels | None":
    from thumbnet.challenge import labels

    if file is not None and split is not None:
        raise ChallengeError("--labels and --from-split: two sources of labels; give one of them")
    if file is None and classes is not None:
        raise ChallengeError(f"--classes {classes}: goes with --labels alone; give the labels too, or leave it out")
    if split is None and data is not None:
        raise ChallengeError(f"--data {data}: goes with --from-split alone; give the split too, or leave it out")
    if split is not None:
        return labels.from_split(open_data(data), split)
    return None if file is None else labels.read(file, classes)


def _first_start(challenge: "Challenge", truth: "Labels | None") -> None:
    """Set the challenge up where that is to be done, and print the first admin's token where there was no admin."""
    from thumbnet.challenge.people.tokens import make_admin
    from thumbnet.challenge.state import set_up

    if truth is not None:
        if not challenge.is_set_up():
            tell(f"{len(truth.images):,} images of {len(truth.classes):,} classes")
        set_up(challenge, truth)
    elif not challenge.is_set_up():
        raise ChallengeError(
            f"{challenge.settings.folder}: no challenge yet; give its labels with --labels FILE or --from-split val"
        )
    token = make_admin(challenge, "admin", only_first=True)
    if token is not None:
        # At once: what fails from here on would lose it.
        sys.stdout.write(f"admin token, shown this one time: {token}\n")
        sys.stdout.flush()


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


def _run(challenge: "Challenge", listening: "socket.socket") -> None:
    import uvicorn

    from thumbnet.challenge.web import make_app

    _allow_connections()
    app, settings = make_app(challenge), challenge.settings
    tell(f"{settings.title}: {_url(settings.host, listening.getsockname()[1])} (Ctrl-C ends it)")
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


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _allow_connections() -> None:
    """Let the process have as many connections as the system allows it; the usual limit is 1,024."""
    if os.name == "posix":
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))

"""`thumbnet submit` and `thumbnet join`."""

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from thumbnet.cli.options import JsonFlag
from thumbnet.cli.printing import print_json, tell
from thumbnet.errors import ChallengeError, StorageError
from thumbnet.files import check_writable, is_file, private_file, read_json, storage_errors

if TYPE_CHECKING:
    from thumbnet.challenge.client import Server

ServerOption = Annotated[
    str | None, Parameter(name="--server", help="Address of the server; by default $THUMBNET_SERVER, else the joined.")
]


def submit(
    file: Annotated[Path, Parameter(help="The submission, as `thumbnet predict` writes it.")],
    /,
    *,
    server: ServerOption = None,
    check: Annotated[bool, Parameter(name="--check", negative=(), help="Only check the file.")] = False,
    wait: Annotated[bool, Parameter(name="--wait", negative=(), help="Wait for the end of the cooldown.")] = False,
    receipt: Annotated[
        Path | None, Parameter(help="File for the receipt; by default FILE.receipt-NUMBER.json.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Check a submission, send it to the challenge's server, and keep its receipt.

    The API token is that of `thumbnet join`, or $THUMBNET_TOKEN.
    """
    from thumbnet.challenge import client

    chosen = _server(server)
    content = client.read_file(file)
    chosen.check(content)
    if check:
        sys.stdout.write(f"{file}: a valid submission\n")
        return
    if not chosen.token:
        raise ChallengeError(f"{chosen.url}: no API token; join with `thumbnet join {chosen.url}`")
    answer = _send(chosen, content, wait=wait)
    kept = receipt or file.with_name(f"{file.name}.receipt-{answer['submission']['id']}.json")
    client.save_receipt(kept, answer)
    if as_json:
        print_json(answer)
    else:
        _show(answer, kept)


def join(
    server: Annotated[str, Parameter(help="Address of the server, as https://challenge.example.org.")],
    /,
    *,
    name: Annotated[str, Parameter(help="Account name.")],
    code: Annotated[str, Parameter(help="Invite code.")] = "",
    team: Annotated[str, Parameter(help="Name of a new team.")] = "",
    team_code: Annotated[str, Parameter(name="--team-code", help="Code of a team that is there.")] = "",
    again: Annotated[
        bool, Parameter(name="--again", negative=(), help="Sign in to an account that is there.")
    ] = False,
) -> None:
    """Make an account on a challenge's server, or sign in to it, and keep an API token for `thumbnet submit`.

    The password is asked for, or the first line of standard input.
    """
    from thumbnet.challenge.client import Server

    path = _kept_path()
    _make_place(path)
    password = _password()
    asked = Server(server.rstrip("/"))
    if again:
        joined = asked.sign_in(name, password)
    else:
        joined = asked.sign_up(name, password, code=code, team=team, team_code=team_code)
    try:
        with private_file(path) as handle:
            handle.write(json.dumps({"server": joined.url, "token": joined.token}).encode())
    except StorageError as error:
        raise ChallengeError(f"{error}; the account is there, so join again with --again") from error
    sys.stdout.write(f"joined {joined.url} as {name}; next: thumbnet submit FILE\n")


def _make_place(path: Path) -> None:
    """Make the folder of the file `path` and check that it takes one, for an invite code is used up only once.

    Raises:
        ChallengeError: it does not.
    """
    try:
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        check_writable(path)
    except StorageError as error:
        raise ChallengeError(
            f"{error}; or sign up on the server's pages, make a token on the page Account, and give it as "
            "$THUMBNET_TOKEN, with $THUMBNET_SERVER"
        ) from error


def _send(server: "Server", content: bytes, *, wait: bool) -> dict[str, Any]:
    from thumbnet.challenge.client import RefusedError

    while True:
        try:
            return server.send(content)
        except RefusedError as error:
            if not wait or error.code != "cooldown" or error.retry_after is None:
                raise
            tell(f"{error} (in {error.retry_after} s)")
            time.sleep(error.retry_after)


def _server(url: str | None) -> "Server":
    """Return the server to send to, with the token that fits it."""
    from thumbnet.challenge.client import Server

    kept = _kept()
    chosen = url or os.environ.get("THUMBNET_SERVER") or kept.get("server")
    if not chosen:
        raise ChallengeError("no server; give one with --server URL, or join one with `thumbnet join URL --name NAME`")
    chosen = chosen.rstrip("/")
    # The token of one server is never sent to another.
    own = kept.get("token", "") if chosen == kept.get("server") else ""
    return Server(chosen, os.environ.get("THUMBNET_TOKEN") or own)


def _kept() -> dict[str, str]:
    """Return what `join` kept; nothing where there is no such file.

    Raises:
        ChallengeError: it holds something else.
    """
    path = _kept_path()
    kept = read_json(path) if is_file(path) else {}
    if not isinstance(kept, dict) or not all(isinstance(value, str) for value in kept.values()):
        raise ChallengeError(f"{path}: not what `thumbnet join` keeps; join again, with --again for your account")
    return kept


def _kept_path() -> Path:
    import platformdirs

    return Path(platformdirs.user_config_dir("thumbnet")) / "challenge.json"


def _password() -> str:
    if sys.stdin.isatty():
        import getpass

        return getpass.getpass("password: ")
    return sys.stdin.readline().rstrip("\r\n")


def _show(answer: dict[str, Any], receipt: Path) -> None:
    score = answer["submission"]["public"]
    low, high = score["interval"]
    seen = "" if answer["is_new"] else ", sent before, so nothing was counted"
    sys.stdout.write(f"submission {answer['submission']['id']}{seen}\n")
    sys.stdout.write(f"top-1 {score['top1']:.2%} ({low:.2%} to {high:.2%}) on {score['images']:,} images\n")
    sys.stdout.write(f"next submission from {answer['next_allowed']}\n")
    sys.stdout.write(f"receipt: {receipt}\n")

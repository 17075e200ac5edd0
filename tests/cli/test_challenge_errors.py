"""What is wrong with a challenge's files and options is one line of the command line; nothing is lost by it."""

import io
import json
import shutil
from pathlib import Path

import pytest
from benchmarks.challenge.processes import free_port

from tests.challenge.world import World
from tests.cli.calling import Shell, status
from thumbnet.challenge import ledger
from thumbnet.challenge.client import Server
from thumbnet.challenge.settings import Settings
from thumbnet.cli.serve import _url
from thumbnet.errors import ChallengeError

pytestmark = pytest.mark.usefixtures("own_config")


@pytest.mark.parametrize("kept", ["[]", '"text"', "3", "null", '{"server": 3}'])
def test_a_kept_token_that_is_none_of_ours_is_said(kept: str, labels_file: Path, tmp_path: Path, shell: Shell) -> None:
    path = tmp_path / "config" / "thumbnet" / "challenge.json"
    path.parent.mkdir(parents=True)
    path.write_text(kept)
    assert f"{path}: not what `thumbnet join` keeps; join again" in shell.error("submit", labels_file)


def test_an_account_is_made_only_where_its_token_can_be_kept(tmp_path: Path, shell: Shell) -> None:
    (tmp_path / "config").write_text("in the way")
    # Nothing answers there, so that this would be said if anything were sent.
    said = shell.error("join", f"http://127.0.0.1:{free_port()}", "--name", "anna", "--code", "abc")
    assert f"{tmp_path / 'config'}" in said
    assert "give it as $THUMBNET_TOKEN, with $THUMBNET_SERVER" in said
    assert "no answer" not in said


def test_a_token_that_is_lost_after_all_can_be_had_again(
    tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sign_up(server: Server, *_: object, **__: object) -> Server:
        shutil.rmtree(tmp_path / "config")
        return Server(server.url, "tn_1")

    monkeypatch.setattr(Server, "sign_up", sign_up)
    monkeypatch.setattr("sys.stdin", io.StringIO("a long password\n"))
    assert "the account is there, so join again with --again" in shell.error("join", "http://x", "--name", "anna")


def test_errors_name_the_roster_and_the_receipt(tmp_path: Path, shell: Shell) -> None:
    World(Settings(folder=tmp_path / "c", sign_up="open")).challenge.close()
    at, people, receipts = ("--folder", tmp_path / "c"), tmp_path / "people.csv", [tmp_path / "1.json", tmp_path / "2"]
    people.write_text("name,id\nAnna\n")
    assert f"{people}: roster, line 2: 1 fields under 2 columns" in shell.error("challenge", "roster", people, *at)
    people.write_text("name,id\nAnna,1\nAnna,2\n")
    shell.text("challenge", "roster", people, *at)
    people.write_text("name\nAnna\n")
    assert f"{people}: roster, line 2: 'Anna' could be any of 2" in shell.error("challenge", "roster", people, *at)
    sealed = ledger.seal(ledger.canonical({"sequence": 1}), ledger.FIRST).to_json()
    for path, changed in zip(receipts, ({}, {"hash": "0" * 64}), strict=True):
        path.write_text(json.dumps(sealed | changed))
    assert f"{receipts[1]}: receipt: its hashes do not fit" in shell.error("challenge", "verify", *receipts, *at)


@pytest.mark.parametrize(
    ("given", "message"),
    [(("--classes", "x"), "--classes x: goes with --labels"), (("--data", "x"), "--data x: goes with --from-split")],
)
def test_options_of_labels_that_are_not_read_are_refused(
    given: tuple[str, ...], message: str, tmp_path: Path, shell: Shell
) -> None:
    World(Settings(folder=tmp_path / "c", sign_up="open")).challenge.close()
    assert message in shell.error("serve", "--folder", tmp_path / "c", "--port", 0, *given)


def test_the_admin_token_is_shown_whatever_fails_after_it(
    labels_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: object) -> int:
        raise ChallengeError("database: gone")

    monkeypatch.setattr("thumbnet.challenge.people.teams.times_ahead", fail)
    assert status("serve", "--folder", tmp_path / "c", "--labels", labels_file, "--port", free_port()) == 1
    printed = capsys.readouterr()
    assert printed.out.startswith("admin token, shown this one time: tn_")
    assert printed.err.endswith("thumbnet: database: gone\n")


@pytest.mark.parametrize("absent", ["fastapi", "uvicorn"])
def test_what_serves_is_asked_for_before_anything_is_made(
    absent: str, labels_file: Path, tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == absent else object())
    said = shell.error("serve", "--folder", tmp_path / "c", "--labels", labels_file, "--port", free_port())
    assert f"the server needs {absent}; install it" in said
    assert not (tmp_path / "c").exists()


def test_addresses_of_ipv6_are_in_brackets() -> None:
    assert _url("::1", 8000) == "http://[::1]:8000"
    assert _url("127.0.0.1", 8000) == "http://127.0.0.1:8000"

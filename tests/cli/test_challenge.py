"""A challenge from the command line: served by a process of its own, joined, submitted to, ended, checked."""

import contextlib
import csv
import io
import json
import os
import signal
import sqlite3
import threading
import time
from pathlib import Path

import httpx2
import pytest
from benchmarks.challenge.processes import free_port, write_settings
from sqlalchemy.exc import OperationalError

from tests.challenge.world import IMAGES, World, answers, quick_passwords, server
from tests.cli.calling import Shell, status
from thumbnet.challenge.settings import Settings
from thumbnet.packed import PackedDataset
from thumbnet.run import RunDirectory

pytestmark = pytest.mark.usefixtures("own_config")


def give_password(monkeypatch: pytest.MonkeyPatch, text: str = "correct horse\n") -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def test_the_whole_way(labels_file: Path, tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, file = tmp_path / "challenge", tmp_path / "mine.txt"
    write_settings(folder, public_fraction=0.5, seed=3, sign_up="invite")
    file.write_bytes(answers(30))
    at = ("--folder", folder)
    with server(folder, "--labels", labels_file) as running:
        assert running.printed().count("admin token, shown this one time: tn_") == 1
        people = tmp_path / "roster.csv"
        people.write_text("name,id\nAnna Ansel,s1\nBert Bohm,s2\n")
        codes = list(csv.DictReader(io.StringIO(shell.text("challenge", "roster", people, *at))))
        assert [row["name"] for row in codes] == ["Anna Ansel", "Bert Bohm"]
        give_password(monkeypatch)
        assert "needs the invite code" in shell.error("join", running.url, "--name", "anna")
        give_password(monkeypatch)
        shell.text("join", running.url, "--name", "anna", "--code", codes[0]["code"])
        kept = tmp_path / "config" / "thumbnet" / "challenge.json"
        assert kept.stat().st_mode & 0o077 == 0
        assert "a valid submission" in shell.text("submit", file, "--check")
        sent = shell.json("submit", file)
        assert sent["is_new"] is True
        receipt = tmp_path / "mine.txt.receipt-1.json"
        assert json.loads(receipt.read_text()) == sent["receipt"]
        assert "sent before, so nothing was counted" in shell.text("submit", file)
        file.write_bytes(answers(31))
        assert "your team may submit again at" in shell.error("submit", file)
        file.write_bytes(answers(31).replace(b"test_7.JPEG", b"test_77.JPEG"))
        assert "line 38: image 'test_77.JPEG' is unknown" in shell.error("submit", file)
        # The token of one server is not sent to another.
        assert "no API token" in shell.error(
            "submit", labels_to_file(tmp_path), "--server", running.url.replace("127.0.0.1", "localhost")
        )
        assert "the challenge is closed" in shell.text("challenge", "close", *at)
        assert "the challenge is revealed" in shell.text("challenge", "reveal", *at)
        assert "closed; submissions are no longer taken" in shell.error("submit", labels_to_file(tmp_path))
        grades = list(csv.DictReader(io.StringIO(shell.text("challenge", "export", *at))))
        assert [(row["name"], row["rank"], row["scored_on"]) for row in grades] == [("Anna Ansel", "1", "private")]
        assert shell.json("challenge", "verify", receipt, *at)["problems"] == []
        shell.text("challenge", "backup", tmp_path / "backup", *at)
    assert "1 submissions restored" in shell.text(
        "challenge", "restore", tmp_path / "backup", "--folder", tmp_path / "b"
    )
    assert "1 submissions, 1 scores computed anew" in shell.text(
        "challenge", "verify", receipt, "--folder", tmp_path / "b"
    )
    with server(folder) as running:
        assert "admin token" not in running.printed()


def labels_to_file(tmp_path: Path) -> Path:
    path = tmp_path / "other.txt"
    path.write_bytes(answers(12))
    return path


def test_a_runs_predictions_get_the_score_of_evaluate(
    run: RunDirectory, dataset: PackedDataset, tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "val.txt"
    shell.text("predict", run.path, "--split", "val", "--out", file)
    expected = shell.json("evaluate", run.path)
    with server(tmp_path / "c", "--from-split", "val", "--data", dataset.path, "--sign-up", "open") as running:
        give_password(monkeypatch)
        shell.text("join", running.url, "--name", "anna")
        found = shell.json("submit", file)["submission"]["public"]
        give_password(monkeypatch)
        shell.text("join", running.url, "--name", "anna", "--again")
        assert "nothing was counted" in shell.text("submit", file)
    assert found["top1"] == expected["top1"]
    assert found["interval"] == pytest.approx(expected["top1_interval"])
    assert found["images"] == expected["images"]


def test_corrected_labels_and_lost_passwords(
    labels_file: Path, tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, file = tmp_path / "challenge", tmp_path / "mine.txt"
    file.write_bytes(answers(40))
    at = ("--folder", folder)
    with server(folder, "--labels", labels_file, "--sign-up", "open") as running:
        give_password(monkeypatch)
        shell.text("join", running.url, "--name", "anna")
        shell.text("submit", file)
        labels_file.write_text(labels_file.read_text().replace("test_0.JPEG,n01", "test_0.JPEG,n02"))
        printed = shell.text("challenge", "labels", labels_file, "--note", "one was wrong", *at)
        assert "version 2" in printed
        assert shell.json("submit", file)["submission"]["public"]["correct"] == 39
        new = shell.text("challenge", "password", "anna", *at).split()[-1]
        give_password(monkeypatch)
        assert "do not fit" in shell.error("join", running.url, "--name", "anna", "--again")
        give_password(monkeypatch, f"{new}\n")
        shell.text("join", running.url, "--name", "anna", "--again")
    assert "admin token" in shell.text("challenge", "admin", "second", *at)
    shell.text("challenge", "close", *at)
    shell.text("challenge", "open", *at)


def test_a_roster_and_what_is_done_about_people(
    labels_file: Path, tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, people, out = tmp_path / "challenge", tmp_path / "roster.csv", tmp_path / "codes.csv"
    at = ("--folder", folder)
    people.write_text("name,id,team\nAnna Ansel,s1,Owls\nBert Bohm,s2,\n")
    with server(folder, "--labels", labels_file) as running:
        assert "40 images of 4 classes" in running.printed()
        assert "sign-up is open" not in running.printed()
        # No code is made that could not be written.
        assert "no such" in shell.error("challenge", "roster", people, "--out", tmp_path / "none" / "x.csv", *at)
        shell.text("challenge", "roster", people, "--out", out, *at)
        assert out.stat().st_mode & 0o077 == 0
        codes = list(csv.DictReader(io.StringIO(out.read_text())))
        assert "may hold codes that are needed" in shell.error("challenge", "roster", people, "--out", out, *at)
        newer = list(csv.DictReader(io.StringIO(shell.text("challenge", "roster", people, "--again", *at))))
        assert [row["name"] for row in newer] == ["Anna Ansel", "Bert Bohm"]
        assert "is void" in shell.text("challenge", "revoke", "s2", *at)
        for code in (codes[0]["code"], newer[1]["code"]):
            give_password(monkeypatch)
            assert "unknown or used already" in shell.error("join", running.url, "--name", "anna", "--code", code)
        give_password(monkeypatch)
        shell.text("join", running.url, "--name", "anna", "--code", newer[0]["code"])
        (bert,) = csv.DictReader(io.StringIO(shell.text("challenge", "roster", people, *at)))
        give_password(monkeypatch)
        shell.text("join", running.url, "--name", "bert", "--code", bert["code"])
        assert "bert moved from bert to Owls" in shell.text("challenge", "move", "bert", "Owls", *at)
        first, second = tmp_path / "one.txt", tmp_path / "two.txt"
        first.write_bytes(answers(1))
        second.write_bytes(answers(2))
        shell.text("submit", first)
        assert "may submit again" in shell.error("submit", second)
        assert "Owls may submit now" in shell.text("challenge", "turn", "Owls", *at)
        shell.text("submit", second)
        grades = tmp_path / "grades.csv"
        shell.text("challenge", "export", "--out", grades, *at)
        assert grades.stat().st_mode & 0o077 == 0
        old = shell.text("challenge", "admin", *at).split()[-1]
        new = shell.text("challenge", "admin", "--revoke", *at).split()[-1]
        for token, expected in ((old, 401), (new, 200)):
            found = httpx2.get(f"{running.url}/api/admin/teams", headers={"Authorization": f"Bearer {token}"})
            assert found.status_code == expected
    with server(folder, "--sign-up", "open") as running:
        assert "a roster enforces the cooldown" in running.printed()


def test_the_folder_is_where_it_is_said_to_be(tmp_path: Path, shell: Shell) -> None:
    config = tmp_path / "mine.toml"
    config.write_text('title = "Mine"\n')
    World(Settings(folder=tmp_path / "c", sign_up="open")).challenge.close()
    assert "no setting folder" in shell.error("challenge", "close", "--config", config)
    assert "is closed" in shell.text("challenge", "close", "--config", config, "--folder", tmp_path / "c")
    config.write_text('folder = "c"\n')
    assert "is open" in shell.text("challenge", "open", "--config", config)
    assert "no challenge here" in shell.error("challenge", "open", "--config", config, "--folder", tmp_path / "d")


def test_what_can_go_wrong_is_one_line(labels_file: Path, tmp_path: Path, shell: Shell) -> None:
    folder = tmp_path / "challenge"
    at = ("--folder", folder)
    assert "no challenge here" in shell.error("challenge", "close", *at)
    assert not folder.exists()
    assert "give its labels with --labels" in shell.error("serve", *at)
    assert "no challenge here yet" in shell.error("challenge", "verify", *at)
    assert "two sources of labels" in shell.error("serve", *at, "--labels", labels_file, "--from-split", "val")
    assert "no such file" in shell.error("serve", *at, "--labels", tmp_path / "none.csv")
    assert "no server" in shell.error("submit", labels_file)
    assert "mend the address" in shell.error("submit", labels_file, "--server", "ftp://x")
    absent = f"http://127.0.0.1:{free_port()}"
    assert "no answer" in shell.error("submit", labels_file, "--server", absent)
    config = write_settings(folder, cooldown=3)
    assert f"{config}: unknown setting 'cooldown'" in shell.error("serve", *at)
    receipt = tmp_path / "receipt.json"
    receipt.write_text("{")
    assert f"{receipt}: not valid JSON" in shell.error("challenge", "verify", receipt, *at)
    receipt.write_text(json.dumps({"entry": {}}))
    assert "not one of ours" in shell.error("challenge", "verify", receipt, *at)


@pytest.mark.parametrize(
    ("command", "work"),
    [
        (("challenge", "close"), "state.set_phase"),
        (("challenge", "restore", "backup"), "keeping.restore"),
        (("serve", "--port", "0"), "people.tokens.make_admin"),
    ],
)
def test_what_the_database_refuses_is_one_line(
    command: tuple[str, ...], work: str, tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OperationalError("COMMIT", {}, sqlite3.OperationalError("database or disk is full"))

    World(Settings(folder=tmp_path / "c", sign_up="open")).challenge.close()
    monkeypatch.setattr(f"thumbnet.challenge.{work}", refuse)
    said = shell.error(*command, "--folder", tmp_path / "c")
    assert "challenge.sqlite3: database or disk is full; check its URL and that it runs" in said


def test_a_taken_port_is_said_and_the_server_there_ends_as_it_is_told(
    labels_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with server(tmp_path / "one", "--labels", labels_file) as running:
        assert status("serve", "--folder", tmp_path / "two", "--labels", labels_file, "--port", running.port) == 1
        assert running.end(signal.SIGTERM) == 0
        assert "Traceback" not in running.printed()
    assert f"127.0.0.1, port {running.port}: address already in use; choose others" in capsys.readouterr().err


def test_a_damaged_challenge_fails_verification(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world = World(Settings(folder=tmp_path / "c", sign_up="open"))
    with quick_passwords():
        world.send(world.join("anna"), answers(10))
    world.challenge.close()
    stored = next((tmp_path / "c" / "files").glob("??/*"))
    stored.write_bytes(b"changed")
    stored.with_name("0" * 64).write_bytes(b"left")
    assert status("challenge", "verify", "--folder", tmp_path / "c") == 1
    printed = capsys.readouterr()
    assert "wrong: submission 1: " in printed.out
    assert "left by killed processes, harmless: 1\n" in printed.out
    assert printed.err == "thumbnet: verification found 1 problem; restore a backup\n"


def test_submit_waits_for_the_end_of_the_cooldown(
    labels_file: Path, tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, file = tmp_path / "challenge", tmp_path / "mine.txt"
    write_settings(folder, cooldown_seconds=2, sign_up="open")
    with server(folder, "--labels", labels_file) as running:
        give_password(monkeypatch)
        shell.text("join", running.url, "--name", "anna")
        for number in (1, 2):
            file.write_bytes(answers(number))
            found = shell.json("submit", file, "--wait")
            assert (found["submission"]["id"], found["is_new"]) == (number, True)


def test_ctrl_c_ends_the_server(labels_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    found = []

    def ask_and_interrupt() -> None:
        for _ in range(200):
            with contextlib.suppress(httpx2.HTTPError):
                found.append(httpx2.get(f"http://127.0.0.1:{port}/api/challenge", timeout=5).json()["images"])
                break
            time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)

    asking = threading.Thread(target=ask_and_interrupt)
    asking.start()
    assert status("serve", "--folder", tmp_path / "c", "--labels", labels_file, "--port", port) == 130
    asking.join()
    assert found == [len(IMAGES)]
    printed = capsys.readouterr()
    assert printed.out.startswith("admin token, shown this one time: tn_")
    assert printed.err.splitlines()[1].endswith(f"http://127.0.0.1:{port} (Ctrl-C ends it)")
    assert "Traceback" not in printed.err

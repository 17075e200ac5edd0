"""The board as it is followed: one answer for all, made once for each change."""

import asyncio
import re
from html import unescape
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.challenge.responses import problem, rows
from tests.challenge.world import TEXT, World, answers, app_of, bearer
from thumbnet.challenge import rescoring
from thumbnet.challenge.labels import make
from thumbnet.challenge.state import set_phase
from thumbnet.challenge.web.live import REFRESH_SECONDS, LiveBoard, Snapshot


def test_the_board_is_packed_for_those_who_take_it(world: World) -> None:
    for number in range(20):
        world.send(world.join(f"p{number}"), answers(number))
    with world.client() as client:
        found = {
            accepted: client.get("/api/board", headers={"Accept-Encoding": accepted})
            for accepted in ("gzip, br", "identity", "gzip;q=0")
        }
    assert {accepted: one.headers.get("Content-Encoding") for accepted, one in found.items()} == {
        "gzip, br": "gzip",
        "identity": None,
        "gzip;q=0": None,
    }
    assert len({one.text for one in found.values()}) == 1
    assert int(found["gzip, br"].headers["Content-Length"]) < int(found["identity"].headers["Content-Length"]) / 3
    assert found["identity"].headers["Vary"] == "Accept-Encoding"


def test_an_older_board_is_built_once_for_each_state(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from thumbnet.challenge import board

    built = []

    def build(*given: Any) -> Any:
        built.append(given[2:])
        return board_build(*given)

    board_build = board.build
    monkeypatch.setattr(board, "build", build)
    world.send(world.join("anna"), answers(5))
    with world.client() as client:
        for _ in range(5):
            assert client.get("/api/board/version/1").json()["rows"][0]["correct"] == 5
        assert built == [(1,)]
        world.send(world.join("bert"), answers(9))
        assert [row["correct"] for row in client.get("/api/board/version/1").json()["rows"]] == [9, 5]
        assert built == [(1,), (1,)]


def test_the_page_says_what_the_api_says(world: World, client: TestClient) -> None:
    for number, right in enumerate((31, 12, 30, 31)):
        world.send(world.join(f"p{number}", team=f"<Team> & {number}"), answers(right, variant=number))
    found = client.get("/api/board").json()["rows"]
    assert [row["rank"] for row in found] == [1, 1, 3, 4]
    for html in (client.get("/").text, client.get("/board/live").text):
        shown = rows(html)
        assert [row[:2] for row in shown] == [[str(row["rank"]), row["team"]] for row in found]
        for cells, row in zip(shown, found, strict=True):
            low, high = row["interval"]
            assert cells[2].startswith(f"{100 * row['top1']:.2f}%{100 * low:.1f} to {100 * high:.1f}%")
            assert ("≈" in cells[2]) == row["like_next"]
    assert "Team" not in client.get("/board/live").text.replace('class="text">Team</th>', "")
    with world.client(board="open") as other:
        assert [row[1] for row in rows(other.get("/").text)] == [f"<Team> & {number}" for number in (0, 3, 2, 1)]
        own = other.get("/", headers=bearer(world.token(world.join("late")))).text
        assert "not on the board yet" in own
        assert 'aria-current="true"' not in own
    with world.client(board="hidden") as other:
        assert rows(other.get("/").text) == []
        problem(other.get("/team", params={"name": "<Team> & 0"}), 404)


def test_whoever_follows_the_board_gets_it_once_for_each_change(world: World, client: TestClient) -> None:
    anna = world.join("anna")
    first = client.get("/board/live")
    tag = {"If-None-Match": first.headers["ETag"]}
    stated = re.search(r'data-etag="([^"]*)"', client.get("/").text)
    assert stated is not None
    assert unescape(stated[1]) == first.headers["ETag"]
    assert client.get("/board/live", headers=tag).status_code == 304
    world.send(anna, answers(3))
    app_of(client).state.board.expire()
    after = client.get("/board/live", headers=tag)
    assert after.status_code == 200
    assert after.headers["ETag"] != first.headers["ETag"]
    assert rows(after.text)[0][2].startswith("7.50%")
    # Nothing in it depends on who asks, so that one answer serves all.
    assert client.get("/board/live", headers=bearer(world.token(anna))).text == after.text


def test_corrected_labels_show_as_a_version(world: World, client: TestClient) -> None:
    world.send(world.join("anna"), answers(40))
    assert "Version" not in client.get("/").text
    labels = world.challenge.labels(1)
    names = [labels.classes[number] for number in labels.labels]
    rescoring.correct_labels(world.challenge, make(labels.images, ["n02", *names[1:]]), "one was wrong")
    app_of(client).state.board.expire()
    page = client.get("/").text
    assert "Version 2" in page
    assert rows(page)[0][2].startswith("97.50%")


def test_what_expires_while_the_board_is_made_is_not_lost(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    anna, bert = world.join("anna"), world.join("bert")
    world.send(anna, answers(5))
    kept = LiveBoard(world.challenge)
    usual = kept._renewed

    def made_before_the_change(before: Snapshot | None, rests: bool) -> Snapshot:
        made = usual(before, rests)
        if before is None:
            world.send(bert, answers(9))
            kept.expire()
        return made

    monkeypatch.setattr(kept, "_renewed", made_before_the_change)
    monkeypatch.setattr("thumbnet.challenge.web.live.REFRESH_SECONDS", 1000)

    async def ask_twice() -> list[int]:
        return [len((await kept.get()).board.rows) for _ in range(2)]

    assert asyncio.run(ask_twice()) == [1, 2]


class Clock:
    """Stands in for the module `time`: it stands still, but for what a board is said to take."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


def slowed(client: TestClient, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> LiveBoard:
    """Return the board of an app, which takes two seconds by this clock to be made."""
    kept: LiveBoard = app_of(client).state.board
    usual = kept._renewed

    def slow(before: Snapshot | None, rests: bool) -> Snapshot:
        made = usual(before, rests)
        clock.now += 2 if made is not before else 0
        return made

    monkeypatch.setattr(kept, "_renewed", slow)
    return kept


def test_whoever_asks_while_the_board_rests_gets_the_last_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A board that takes two seconds rests for twenty; a browser that polls does not wait, and has it afterwards."""
    clock = Clock()
    monkeypatch.setattr("thumbnet.challenge.web.live.time", clock)
    people = [world.join(name) for name in ("anna", "bert", "cleo")]
    with world.client() as client:
        kept = slowed(client, clock, monkeypatch)
        seen, tag = [], client.get("/board/live").headers["ETag"]
        for number, person in enumerate(people):
            world.send(person, answers(3 + number))
        kept.expire()
        # A rest of twenty seconds is put off by ten; each five seconds a browser asks again.
        for _ in range(4):
            answer = client.get("/board/live", headers={"If-None-Match": tag})
            seen.append((answer.status_code, clock.now, len(rows(answer.text))))
            tag, clock.now = answer.headers["ETag"], clock.now + 5
    assert seen == [(304, 1002, 0), (304, 1007, 0), (200, 1014, 3), (304, 1019, 0)]


def test_a_phase_shows_at_once_even_where_the_board_rests(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr("thumbnet.challenge.web.live.time", clock)
    with world.client() as client:
        slowed(client, clock, monkeypatch)
        admin, shown = bearer(world.admin_token()), []
        for action in ("close", "reveal"):
            client.get("/api/board")
            client.post(f"/api/admin/{action}", headers=admin)
            shown.append(client.get("/api/board").json()["phase"])
    assert shown == ["closed", "revealed"]


def test_a_phase_that_begins_elsewhere_shows_soon_even_where_the_board_rests(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one does that the command line begins, or the clock."""
    clock = Clock()
    monkeypatch.setattr("thumbnet.challenge.web.live.time", clock)
    with world.client() as client:
        slowed(client, clock, monkeypatch)
        shown = []
        for phase in ("closed", "revealed"):
            client.get("/api/board")
            set_phase(world.challenge, phase)
            clock.now += REFRESH_SECONDS
            shown.append(client.get("/api/board").json()["phase"])
    assert shown == ["closed", "revealed"]


def test_a_board_that_was_begun_before_a_phase_does_not_stand_for_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = LiveBoard(world.challenge)
    usual = kept._renewed

    def made_before_the_phase(before: Snapshot | None, rests: bool) -> Snapshot:
        made = usual(before, rests)
        if before is None:
            set_phase(world.challenge, "closed")
            kept.begin_phase()
        return made

    monkeypatch.setattr(kept, "_renewed", made_before_the_phase)
    assert asyncio.run(kept.get()).board.state.phase == "closed"


def test_few_changes_show_at_once(world: World, client: TestClient) -> None:
    for number in range(5):
        sent = world.token(world.join(f"p{number}"))
        assert client.post("/api/submissions", content=answers(number), headers=TEXT | bearer(sent)).status_code == 201
        assert len(client.get("/api/board").json()["rows"]) == number + 1

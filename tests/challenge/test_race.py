"""Fifty requests at one moment: one gets in."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest
from benchmarks.challenge.postgres import Cluster
from benchmarks.challenge.processes import write_settings
from sqlalchemy import Connection, select

from tests.challenge.world import TEXT, World, answers, bearer, server
from thumbnet.challenge.database.schema import submissions
from thumbnet.challenge.database.schema import throttle as throttle_table
from thumbnet.challenge.keeping import verify
from thumbnet.challenge.people import accounts, throttle
from thumbnet.challenge.people.throttle import Limit
from thumbnet.challenge.refusals import RefusalError
from thumbnet.challenge.settings import Settings, load

AT_ONCE = 50


def all_at_once(call: Callable[[int], str]) -> Counter[str]:
    barrier = threading.Barrier(AT_ONCE)

    def wait_and_call(number: int) -> str:
        barrier.wait()
        return call(number)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return Counter(pool.map(wait_and_call, range(AT_ONCE)))


@pytest.mark.parametrize("same", [False, True])
def test_of_fifty_posts_of_a_team_one_gets_in(same: bool, both: World) -> None:
    anna = both.join("anna")

    def post(number: int) -> str:
        try:
            outcome = both.send(anna, answers(20, variant=1 if same else number + 1))
        except RefusalError as error:
            return error.code
        return "new" if outcome.is_new else "seen"

    found = all_at_once(post)
    assert found["new"] == 1
    assert sum(found.values()) == AT_ONCE
    assert set(found) <= ({"new", "seen"} if same else {"new", "cooldown"})
    checked = verify(both.challenge)
    assert (checked.submissions, checked.scores, checked.problems) == (1, 1, [])
    # Of other posts, only those that were stored before one got in have left a file.
    assert checked.orphans == len(both.challenge.files.digests()) - 1
    assert checked.orphans < (1 if same else AT_ONCE)


def test_teams_at_once_all_get_in_and_the_ledger_holds(both: World) -> None:
    people = [both.join(f"p{number}") for number in range(AT_ONCE)]
    found = all_at_once(lambda number: str(both.send(people[number], answers(number % 41)).is_new))
    assert found == {"True": AT_ONCE}
    checked = verify(both.challenge)
    assert (checked.submissions, checked.problems, checked.orphans) == (AT_ONCE, [], 0)


def test_invalid_files_at_once_stay_within_their_limit(both: World) -> None:
    anna = both.join("anna")

    def post(_number: int) -> str:
        with pytest.raises(RefusalError) as refused:
            both.send(anna, b"nonsense")
        return refused.value.code

    found = all_at_once(post)
    assert found == {"invalid_submission": 20, "too_many_invalid": AT_ONCE - 20}


def test_a_code_and_a_last_place_are_given_once(database: str, tmp_path: Path) -> None:
    from thumbnet.challenge.people import roster, teams

    world = World(Settings(folder=tmp_path / "c", database=database, team_size=3))
    (invited,) = roster.invite(world.challenge, roster.parse(b"name\nAnna Ansel\n")).made

    def use(number: int) -> str:
        try:
            world.join(f"a{number}", code=invited.code)
        except RefusalError as error:
            return error.code
        return "in"

    assert all_at_once(use) == {"in": 1, "bad_code": AT_ONCE - 1}
    code = teams.new_code(world.challenge.database, 1)

    def enter(_number: int) -> str:
        with world.challenge.database.write() as connection:
            try:
                teams.enter_by_code(connection, code, 3)
            except RefusalError as error:
                return error.code
        return "in"

    assert all_at_once(enter) == {"in": 2, "conflict": AT_ONCE - 2}
    world.challenge.close()


def test_doors_used_in_every_order_do_not_wait_for_each_other(both: World) -> None:
    """Taking, forgetting and giving back at once lock the same rows, named in other orders."""
    database, keys = both.challenge.database, [f"door {number}" for number in range(6)]

    def use(number: int) -> str:
        order = keys[number % 6 :] + keys[: number % 6]
        order = order[:: 1 if number % 2 else -1]
        for _ in range(5):
            throttle.take(database, [Limit(key, 10_000) for key in order], "attempts")
            (throttle.forget if number % 3 else throttle.give_back)(database, order)
            throttle.drop_old(database)
        return "done"

    assert all_at_once(use) == {"done": AT_ONCE}


def test_a_write_that_was_in_the_way_of_another_is_done_again(cluster: Cluster, tmp_path: Path) -> None:
    """Two writes that lock two rows crosswise: PostgreSQL undoes one of them, which is then done once more."""
    world = World(Settings(folder=tmp_path / "c", database=cluster.new_database()))
    with world.challenge.database.write() as connection:
        for key in ("a", "b"):
            connection.execute(throttle_table.insert().values(key=key, since=0, count=0))
    barrier, tries = threading.Barrier(2), []

    def change(first: str, second: str) -> None:
        def work(connection: Connection) -> None:
            tries.append(first)
            for key in (first, second):
                counted = throttle_table.update().where(throttle_table.c.key == key)
                connection.execute(counted.values(count=throttle_table.c.count + 1))
                if len(tries) <= 2 and key == first:
                    barrier.wait(10)

        world.challenge.database.change(work)

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(change, "a", "b"), pool.submit(change, "b", "a")]:
            done.result(30)
    assert len(tries) == 3
    with world.challenge.database.read() as connection:
        assert connection.execute(select(throttle_table.c.count)).scalars().all() == [2, 2]
    world.challenge.close()


def test_attempts_at_once_are_all_counted(both: World) -> None:
    limit = Limit("a door", 7)

    def attempt(_number: int) -> str:
        try:
            throttle.take(both.challenge.database, [limit], "attempts")
        except RefusalError as error:
            return error.code
        return "passed"

    assert all_at_once(attempt) == {"passed": 7, "too_many_attempts": AT_ONCE - 7}


@pytest.mark.parametrize(
    ("database", "processes"), [("sqlite", 1), ("sqlite", 2), ("postgresql", 2)], indirect=["database"]
)
def test_one_gets_in_over_server_processes(database: str, processes: int, tmp_path: Path) -> None:
    folder = tmp_path / "challenge"
    world = World(load(write_settings(folder, database=database, sign_up="open")))
    token = world.token(world.join("anna"))
    with ExitStack() as stack:
        urls = [stack.enter_context(server(folder)).url for _ in range(processes)]
        clients = [
            stack.enter_context(
                httpx2.Client(headers=TEXT | bearer(token), timeout=60, limits=httpx2.Limits(max_connections=AT_ONCE))
            )
            for _ in urls
        ]

        def post(number: int) -> str:
            place = number % processes
            sent = clients[place].post(f"{urls[place]}/api/submissions", content=answers(20, variant=number + 1))
            if sent.status_code == 429:
                assert sent.headers["Next-Submission"] == sent.json()["error"]["next_allowed"]
                assert 7000 < int(sent.headers["Retry-After"]) <= 7200
            return str(sent.status_code)

        assert all_at_once(post) == {"201": 1, "429": AT_ONCE - 1}
        accepted = [client.get(f"{url}/api/board").json()["rows"] for client, url in zip(clients, urls, strict=True)]
        assert all(len(rows) == 1 and rows[0]["submissions"] == 1 for rows in accepted)
    with world.challenge.database.read() as connection:
        assert len(connection.execute(select(submissions)).all()) == 1
    assert verify(world.challenge).problems == []
    assert accounts.find_account(world.challenge, "anna").name == "anna"
    world.challenge.close()

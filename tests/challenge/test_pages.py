"""The pages as requests and HTML; what they do in a browser is in test_browser."""

import csv
import io
import re
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from benchmarks.challenge.processes import PASSWORD
from starlette.testclient import TestClient

from tests.challenge.responses import ORIGIN, problem
from tests.challenge.world import World, answers, bearer, requests
from thumbnet.challenge.people import roster
from thumbnet.challenge.state import set_phase


def sign_up(client: TestClient, name: str, **more: str) -> None:
    made = client.post("/sign-up", data={"name": name, "password": PASSWORD} | more)
    assert (made.status_code, made.headers["Location"]) == (303, "/submit"), made.text


def submit(client: TestClient, content: bytes) -> Any:
    return client.post("/submit", files={"file": ("any.txt", content)})


def secret(found: Any) -> str:
    assert found.status_code == 200
    shown = re.search(r'class="secret">([^<]+)<', found.text)
    assert shown is not None
    return shown[1]


def test_signing_in_and_out(world: World, client: TestClient) -> None:
    world.join("anna")
    assert client.get("/submit").headers["Location"] == "/sign-in"
    wrong = client.post("/sign-in", data={"name": "anna", "password": "wrong horse"})
    assert problem(wrong, 401) == "Account name and password do not fit; try again."
    assert 'value="anna"' in wrong.text
    assert "wrong horse" not in wrong.text
    assert problem(client.post("/sign-in", data={"token": "tn_x"}), 401) == "This API token is not valid."
    right = client.post("/sign-in", data={"name": " anna ", "password": PASSWORD})
    assert (right.status_code, right.headers["Location"]) == (303, "/")
    assert "HttpOnly" in right.headers["Set-Cookie"]
    assert client.get("/submit").status_code == 200
    assert problem(client.get("/admin"), 403) == "This is for admins."
    session = client.cookies["thumbnet_session"]
    assert client.post("/sign-out").headers["Location"] == "/"
    # The session has ended on the server too, not just in this browser.
    client.cookies.set("thumbnet_session", session)
    assert client.get("/submit").headers["Location"] == "/sign-in"
    client.cookies.clear()
    client.post("/sign-in", data={"token": world.admin_token()})
    assert client.get("/admin").status_code == 200
    assert problem(client.get("/submit"), 403).startswith("This is for participants")
    # The first admin has a token alone, and may choose a password.
    assert client.post("/account/password", data={"new": "admin's horse"}).status_code == 303
    known = client.post("/sign-in", data={"name": "admin", "password": "admin's horse"})
    assert known.headers["Location"] == "/admin"
    problem(client.post("/account/password", data={"new": "another horse"}), 401)
    for _ in range(10):
        last = client.post("/sign-in", data={"name": "anna", "password": "wrong horse"})
    assert problem(client.post("/sign-in", data={"name": "anna", "password": PASSWORD}), 429)
    assert last.status_code == 401


def test_signing_up_with_a_code_and_into_a_team(world: World) -> None:
    with world.client(sign_up="invite") as client:
        client.headers.update(ORIGIN)
        client.follow_redirects = False
        given = {"name": "bert", "password": PASSWORD, "team": "Owls"}
        refused = client.post("/sign-up", data=given)
        assert "invite code" in problem(refused, 403)
        assert 'value="bert"' in refused.text
        assert 'value="Owls"' in refused.text
        assert PASSWORD not in refused.text
        admin = bearer(world.admin_token())
        listed = client.post(
            "/admin/roster",
            files={"file": ("a.csv", "name,id\n=1+1,s1\nAnna,s2\n")},
            data={"answer": "csv"},
            headers=admin,
        )
        assert listed.headers["Content-Disposition"] == 'attachment; filename="codes.csv"'
        first, second = list(csv.DictReader(io.StringIO(listed.text)))
        assert (first["name"], second["name"]) == ("'=1+1", "Anna")
        assert f'value="{first["code"]}"' in client.get("/sign-up", params={"code": first["code"]}).text
        sign_up(client, "bert", code=f" {first['code'].lower()} ", team="Owls")
        code = secret(client.post("/account/team-code"))
        client.cookies.clear()
        sign_up(client, "anna", code=second["code"], team_code=code)
        assert "Members: bert, anna" in client.get("/team").text


def test_the_account_shows_a_way_into_a_team_where_there_is_one(world: World, client: TestClient) -> None:
    invited = roster.invite(world.challenge, roster.parse(b"name,team\nAnna,Owls\n")).made
    sign_up(client, "anna", code=invited[0].code)
    page = client.get("/account").text
    assert "<dd>anna</dd>" in page
    assert "of at most" not in page
    assert "team code" not in page
    assert "decides who is in it" in problem(client.post("/account/team-code"), 409)
    assert client.post("/api/team/code").status_code == 409
    client.cookies.clear()
    sign_up(client, "bert")
    page = client.get("/account").text
    assert "bert (of at most 4)" in page
    assert "Make a team code" in page


def test_submitting(world: World, client: TestClient) -> None:
    sign_up(client, "anna", team="Owls")
    assert "may submit now" in client.get("/submit").text
    assert "no file was chosen" in problem(client.post("/submit"), 422).lower()
    wrong = submit(client, b"test_0.JPEG n01\ntest_0.JPEG n01\n")
    assert "line 2" in problem(wrong, 422)
    assert "Line 2 is the first one that is wrong" in wrong.text
    sent = submit(client, answers(31))
    assert (sent.status_code, sent.headers["Location"]) == (303, "/submissions/1?done=new")
    page = client.get("/submissions/1?done=new").text
    assert "77.50%" in page
    assert "31 of 40 images right" in page
    receipt = client.get("/api/submissions/1/receipt").json()
    assert receipt["hash"] in page
    assert receipt["entry_hash"] in page
    early = submit(client, answers(32))
    assert problem(early, 429).startswith("Your team may submit again at 2")
    assert early.headers["Next-Submission"] == client.get("/api/team").json()["next_allowed"]
    assert f'data-until="{early.headers["Next-Submission"]}"' in early.text
    assert 7100 < int(early.headers["Retry-After"]) <= 7200
    assert submit(client, answers(31)).headers["Location"] == "/submissions/1?done=seen"
    problem(client.get("/submissions/2"), 404)
    set_phase(world.challenge, "closed")
    assert "challenge is closed" in problem(submit(client, answers(32)), 409)


def test_the_account_page(client: TestClient) -> None:
    sign_up(client, "anna")
    blank = {"label": " ", "password": PASSWORD}
    assert "visible characters" in problem(client.post("/account/token", data=blank), 422)
    token = secret(client.post("/account/token", data={"label": "laptop <b>", "password": PASSWORD}))
    problem(client.post("/account/token", data={"label": "stolen"}), 401)
    page = client.get("/account").text
    assert "laptop &lt;b&gt;" in page
    assert token not in page
    assert client.get("/api/me", headers=bearer(token)).json()["name"] == "anna"
    number = re.search(r'name="number" value="(\d+)"', page)
    assert number is not None
    assert (
        client.post("/account/token/remove", data={"number": number[1]}).headers["Location"].endswith("done=removed")
    )
    problem(client.post("/account/token/remove", data={"number": number[1]}), 404)
    problem(client.post("/account/token/remove", data={"number": "0"}), 422)
    assert client.get("/api/me", headers=bearer(token)).status_code == 401
    changed = {"old": PASSWORD, "new": "another horse"}
    problem(client.post("/account/password", data=changed | {"old": "wrong"}), 401)
    assert "8 to 200" in problem(client.post("/account/password", data=changed | {"new": "short"}), 422)
    assert client.post("/account/password", data=changed).headers["Location"] == "/sign-in?done=password"
    assert client.get("/account").headers["Location"] == "/sign-in"
    assert client.post("/sign-in", data={"name": "anna", "password": "another horse"}).status_code == 303


def test_the_admin_page(world: World, client: TestClient) -> None:
    anna = world.join("anna", team="<Owls>")
    world.send(anna, answers(31))
    world.join("bert")
    client.headers.update(bearer(world.admin_token()))
    page = client.get("/admin").text
    assert "&lt;Owls&gt;" in page
    assert "<Owls>" not in page
    assert page.index("&lt;Owls&gt;") < page.index("bert")
    assert "77.50%" in page
    assert 'aria-label="Turn now for &lt;Owls&gt;"' in page
    assert page.count("Turn now for") == 1  # the other team may submit
    assert client.post("/admin/turn", data={"team": "<Owls>"}).headers["Location"] == "/admin?done=turn"
    page = client.get("/admin?done=turn").text
    assert "The team may submit now." in page
    assert "Turn now for" not in page
    assert world.send(anna, answers(30)).is_new
    assert "No team is called" in problem(client.post("/admin/turn", data={"team": "Bats"}), 404)
    assert "tick the box" in problem(client.post("/admin/phase", data={"to": "closed"}), 422)
    assert client.get("/api/challenge").json()["phase"] == "open"
    assert "close it before" in problem(client.post("/admin/phase", data={"to": "revealed", "sure": "yes"}), 409)
    problem(client.post("/admin/phase", data={"to": "gone", "sure": "yes"}), 422)
    for phase in ("closed", "open", "closed", "revealed"):
        done = client.post("/admin/phase", data={"to": phase, "sure": "yes"})
        assert done.headers["Location"] == f"/admin?done={phase}"
        assert client.get("/api/challenge").json()["phase"] == phase
        assert client.get("/api/board").json()["phase"] == phase
    assert "the scores stay as they are unless labels are corrected" in client.get("/admin").text
    invited = client.post("/admin/roster", files={"file": ("a.csv", "name,team\nBert Bär,Foxes\n")})
    assert re.search(r"<code>[A-Z2-9]{4}(-[A-Z2-9]{4}){3}</code>", invited.text)
    again = client.post("/admin/roster", files={"file": ("a.csv", "name,team\nBert Bär,Foxes\nCleo,\n")})
    assert "1 person invited." in again.text
    assert "left out: Bert Bär." in again.text
    assert "line 1" in problem(client.post("/admin/roster", files={"file": ("a.csv", "nam\nx\n")}), 422)
    assert "UTF-8" in problem(client.post("/admin/roster", files={"file": ("a.csv", b"name\n\xff\n")}), 422)
    assert "no file" in problem(client.post("/admin/roster"), 422)


def test_the_board_says_when_submissions_end(world: World) -> None:
    ends = datetime(2040, 12, 24, 12, tzinfo=timezone(timedelta(hours=1)))
    with world.client(closes_at=ends) as client:
        stated = client.get("/api/challenge").json()["closes_at"]
        page = client.get("/").text
    assert f'Submissions end on <time datetime="{stated}">24 Dec 2040, 11:00 UTC</time>.' in page


@pytest.mark.parametrize("origin", ["http://evil.example", "null", None])
def test_another_site_can_post_no_form(origin: str | None, world: World) -> None:
    token = world.token(world.join("anna"))
    with world.client() as client:
        client.follow_redirects = False
        assert client.post("/sign-in", data={"token": token}, headers=ORIGIN).status_code == 303
        headers = {} if origin is None else {"Origin": origin}
        posts = [path for method, path in requests(client) if method == "POST" and not path.startswith("/api/")]
        assert len(posts) >= 10
        for path in posts:
            found = client.post(path, data={"number": "1", "to": "closed", "sure": "yes"}, headers=headers)
            assert "own pages" in problem(found, 403), path
        assert client.get("/submit").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "given", "status"),
    [
        ("GET", "/nothing", {}, 404),
        ("GET", "/static/evil.css", {}, 404),
        ("GET", "/static/..%2Fapp.py", {}, 404),
        ("DELETE", "/", {}, 405),
        ("GET", "/team?name=nobody", {}, 404),
        ("GET", "/team?name=%00", {}, 404),
        ("GET", "/submissions/0", {"token": True}, 422),
        ("GET", "/submissions/99999999999999999999", {"token": True}, 422),
        ("POST", "/submit", {"token": True, "content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 400),
        ("POST", "/submit", {"token": True, "data": {"file": "text"}}, 422),
        ("POST", "/submit", {"token": True, "content": bytes(6_000_000)}, 413),
        ("POST", "/sign-in", {"content": bytes(70_000)}, 413),
        ("POST", "/sign-in", {"content": b"x", "headers": {"Content-Encoding": "gzip"}}, 415),
        ("POST", "/sign-up", {"data": {"name": "a\x00b", "password": PASSWORD}}, 422),
        ("POST", "/sign-up", {"data": {"name": "ab", "password": PASSWORD, "team": "\u202e"}}, 422),
    ],
)
def test_what_people_ask_for_is_refused_with_a_page(
    *, method: str, path: str, given: dict[str, Any], status: int, world: World, client: TestClient
) -> None:
    given = dict(given)
    headers = dict(given.pop("headers", {}))
    if given.pop("token", False):
        headers |= bearer(world.token(world.join("anna")))
    found = client.request(method, path, headers=headers, **given)
    assert len(problem(found, status)) > 10
    # Who is signed in is not told to sign in; a form that is shown again still asks others to.
    assert ("/sign-in" in found.text) == ('name="password"' in found.text)


def test_a_fault_shows_a_page_that_tells_nothing(world: World, client: TestClient) -> None:
    sign_up(client, "anna")
    world.challenge.files.folder.write_text("in the way")
    found = submit(client, answers(1))
    assert problem(found, 500).startswith("The server failed")
    assert str(world.settings.folder) not in found.text
    world.challenge.files.folder.unlink()


def test_pages_ask_for_nothing_but_their_own_files(client: TestClient) -> None:
    sign_up(client, "anna")
    client.post("/submit", files={"file": ("x", answers(5))})
    for path in ("/", "/submit", "/team", "/account", "/sign-in", "/sign-up", "/submissions/1", "/nothing"):
        html = client.get(path).text
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?! src=\"/static/challenge\.js\")|//[a-z]+\.", html), (
            path
        )
        for link in re.findall(r'(?:href|src|action)="([^"]*)"', html):
            assert re.match(r"[/#](?!/)", link), (path, link)
        for link in re.findall(r'(?:href|src)="(/static/[^"]*)"', html):
            assert client.get(link).status_code == 200
    style = client.get("/static/challenge.css")
    assert style.headers["Content-Type"].startswith("text/css")
    assert "url(" not in style.text
    again = client.get("/static/challenge.css", headers={"If-None-Match": style.headers["ETag"]})
    assert again.status_code == 304

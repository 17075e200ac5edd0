"""The challenge as people meet it in a browser, with JavaScript and without."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks.challenge.processes import PASSWORD
from playwright.sync_api import Browser, Page, expect

from tests.browser import overflow
from tests.challenge.browser import PATIENCE_MS, board, send, sign_in, visited
from tests.challenge.world import World, answers
from thumbnet.challenge.settings import Settings

EVIL = "<img src=x onerror=alert(1)>\"'&"
PHONE = {"viewport": {"width": 390, "height": 844}}


@pytest.fixture
def divided(tmp_path: Path) -> Iterator[World]:
    """A challenge of which half is private, whose board shows the teams' names."""
    made = World(Settings(folder=tmp_path / "challenge", sign_up="open", board="open", public_fraction=0.5, seed=3))
    yield made
    made.challenge.close()


def split(world: World, public: int, private: int) -> bytes:
    """Return a submission with so many right answers on the public images and on the private ones."""
    hidden = world.challenge.labels(1).private
    places = [[place for place in range(40) if hidden[place] == part] for part in (False, True)]
    return answers([*places[0][:public], *places[1][:private]])


def sign_up_by_keyboard(page: Page, name: str, team: str) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    for _ in range(9):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Sign up":
            break
    page.keyboard.press("Enter")
    page.wait_for_url("**/sign-up")
    page.locator("#name").focus()
    for value in (name, PASSWORD, team):
        page.keyboard.type(value)
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/submit")


def test_a_challenge_from_signing_up_to_the_final_scores(browser: Browser, divided: World) -> None:
    token = divided.admin_token()
    with visited(browser, divided) as visitors:
        watcher, anna, bert, admin = (visitors.come() for _ in range(4))
        watcher.goto("/")
        expect(watcher.locator("#board")).to_contain_text("Nobody has submitted yet.")
        watcher.evaluate("window.sameDocument = true")
        sign_up_by_keyboard(anna, "anna", "Owls")
        _submit_first(divided, anna)
        # The board moves by itself, for somebody who only looks on.
        watcher.locator("table.board").wait_for(timeout=PATIENCE_MS)
        assert board(watcher) == [["1", "Owls", "60.00%"]]
        _refused_within_the_cooldown(divided, anna)
        anna.goto("/")
        expect(anna.locator("tr.own")).to_contain_text("Owls")
        expect(anna.locator("[data-own-rank]")).to_have_text("1")
        bert.goto("/sign-up")
        bert.fill("#name", "bert")
        bert.fill("#password", PASSWORD)
        bert.fill("#team", "Foxes")
        bert.click("button.main")
        send(bert, split(divided, 14, 5))
        expect(anna.locator("[data-own-rank]")).to_have_text("2", timeout=PATIENCE_MS)
        expect(anna.locator("[data-own-teams]")).to_have_text("2")
        assert board(anna) == [["1", "Foxes", "70.00%"], ["2", "Owls", "60.00%"]]
        expect(anna.locator("tr.own th")).to_have_text("Owls")
        expect(watcher.locator("tr", has_text="Foxes").locator(".like")).to_contain_text("cannot be told apart")
        _close_and_reveal(admin, anna, watcher, token)
        assert watcher.evaluate("window.sameDocument") is True
        anna.goto("/team")
        expect(anna.locator("svg.chart .private circle")).to_have_count(1)
        expect(anna.locator("table")).to_contain_text("90.00%")
        assert visitors.refusals() == ["422", "429"]


def _submit_first(world: World, anna: Page) -> None:
    send(anna, b"test_0.JPEG n01\ntest_1.JPEG n99\n")
    expect(anna.get_by_role("alert").first).to_contain_text("line 2: class 'n99' is unknown")
    expect(anna.get_by_role("alert").first).to_contain_text("not counted")
    send(anna, split(world, 12, 18), "../../evil <b>.txt")
    anna.wait_for_url("**/submissions/1?done=new")
    expect(anna.locator(".figure")).to_have_text("60.00%")
    expect(anna.locator("main")).to_contain_text("12 of 20 public images right")
    with anna.expect_download() as saved:
        anna.get_by_text("Save the receipt").click()
    assert saved.value.suggested_filename == "receipt-1.json"
    assert anna.locator("dd code").last.inner_text() in Path(saved.value.path()).read_text()


def _refused_within_the_cooldown(world: World, anna: Page) -> None:
    send(anna, split(world, 20, 20))
    expect(anna.get_by_role("alert").first).to_contain_text("your team may submit again at".capitalize())
    countdown = anna.locator(".countdown")
    expect(countdown).to_have_text(re.compile(r"^, in (2:00:00|1:59:\d\d)$"))
    first = countdown.inner_text()
    expect(countdown).not_to_have_text(first)
    # The same answers again cost nothing, also within the cooldown.
    send(anna, split(world, 12, 18))
    anna.wait_for_url("**/submissions/1?done=seen")


def _close_and_reveal(admin: Page, anna: Page, watcher: Page, token: str) -> None:
    admin.goto("/sign-in")
    admin.fill("#token", token)
    admin.press("#token", "Enter")
    admin.wait_for_url("**/admin")
    admin.get_by_role("button", name="Close").click()
    # The box beside it is not ticked, and the browser says so.
    assert admin.evaluate("document.activeElement.name") == "sure"
    admin.keyboard.press("Space")
    admin.keyboard.press("Tab")
    admin.keyboard.press("Enter")
    admin.wait_for_url("**/admin?done=closed")
    expect(watcher.locator(".phase")).to_contain_text("Closed.", timeout=PATIENCE_MS)
    assert "%" not in watcher.locator(".phase").inner_text()
    assert board(watcher) == [["1", "Foxes", "70.00%"], ["2", "Owls", "60.00%"]]
    admin.locator(".phase-form", has_text="for good").get_by_role("checkbox").check()
    admin.get_by_role("button", name="Reveal").click()
    admin.wait_for_url("**/admin?done=revealed")
    for page in (watcher, anna):
        expect(page.locator(".phase")).to_contain_text("Final.", timeout=PATIENCE_MS)
        assert board(page) == [["1", "Owls", "90.00%"], ["2", "Foxes", "25.00%"]]
        assert [text.strip() for text in page.locator("td.moved").all_text_contents()] == ["▲up 1", "▼down 1"]
    expect(anna.locator("[data-own-score]")).to_have_text("90.00%")


def test_the_whole_way_without_javascript(browser: Browser, divided: World) -> None:
    token = divided.admin_token()
    with visited(browser, divided) as visitors:
        anna, admin = (visitors.come(java_script_enabled=False) for _ in range(2))
        anna.goto("/sign-up")
        anna.fill("#name", "anna")
        anna.fill("#password", PASSWORD)
        anna.click("button.main")
        anna.wait_for_url("**/submit")
        send(anna, split(divided, 12, 18))
        anna.wait_for_url("**/submissions/1?done=new")
        send(anna, split(divided, 13, 18))
        expect(anna.locator(".turn")).to_contain_text(re.compile(r"again at \d+ \w{3} \d{4}, \d\d:\d\d UTC"))
        anna.goto("/")
        assert board(anna) == [["1", "anna", "60.00%"]]
        expect(anna.locator("tr.own")).to_have_count(1)
        expect(anna.locator("#updated")).to_contain_text(re.compile(r"As of \d+ \w{3} \d{4}, \d\d:\d\d UTC\. Reload"))
        anna.click("tr.own a")
        expect(anna.locator("svg.chart .public circle")).to_have_count(1)
        anna.goto("/account")
        anna.fill("#label", "laptop")
        anna.fill("#password", PASSWORD)
        anna.click("text=Make a token")
        assert re.fullmatch(r"tn_[\w-]{43}", anna.locator(".secret").inner_text())
        anna.click("text=Sign out")
        anna.wait_for_url("**/")
        anna.goto("/submit")
        anna.wait_for_url("**/sign-in")
        admin.goto("/sign-in")
        admin.fill("#token", token)
        admin.click("text=Sign in with the token")
        for button, done in (("Close", "closed"), ("Reveal", "revealed")):
            form = admin.locator(".phase-form", has=admin.get_by_role("button", name=button))
            form.get_by_role("checkbox").check()
            form.get_by_role("button").click()
            admin.wait_for_url(f"**/admin?done={done}")
        sign_in(anna, "anna")
        assert board(anna) == [["1", "anna", "90.00%"]]
        assert visitors.refusals() == ["429"]


def test_hostile_names_are_shown_and_nothing_else(browser: Browser, divided: World) -> None:
    mallory = divided.join("mallory", team=EVIL)
    with visited(browser, divided) as visitors:
        watcher, page = visitors.come(), visitors.come()
        watcher.goto("/")
        divided.send(mallory, split(divided, 12, 3))
        watcher.locator("table.board").wait_for(timeout=PATIENCE_MS)
        assert board(watcher) == [["1", EVIL, "60.00%"]]
        watcher.click("table.board a")
        expect(watcher.locator("h1")).to_have_text(EVIL)
        sign_in(page, "mallory")
        expect(page.locator("tr.own")).to_have_count(1)
        expect(page.locator(".own-name")).to_have_text(EVIL)
        page.goto("/sign-up?code=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")
        expect(page.locator("#code")).to_have_value('"><script>alert(1)</script>')
        assert page.locator("main img, main script").count() == 0


def test_a_lost_connection_is_said_and_mended(browser: Browser, divided: World) -> None:
    anna = divided.join("anna", team="Owls")
    with visited(browser, divided) as visitors:
        page = visitors.come()
        page.goto("/")
        expect(page.locator("#updated")).to_contain_text("Live, updated")
        page.route("**/board/live", lambda route: route.abort())
        expect(page.locator("#updated")).to_contain_text("Connection lost", timeout=PATIENCE_MS)
        divided.send(anna, split(divided, 3, 3))
        page.unroute("**/board/live")
        page.locator("table.board").wait_for(timeout=PATIENCE_MS)
        expect(page.locator("#updated")).to_contain_text("Live, updated")
        expect(page.locator("#announcement")).to_contain_text("The scoreboard changed")
        visitors.said = [line for line in visitors.said if "ERR_FAILED" not in line]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_fits_a_phone(browser: Browser, divided: World, scheme: str) -> None:
    for number in range(6):
        divided.send(
            divided.join(f"p{number}", team="W" * 64 if number == 3 else f"Team {number}"), answers(20 + number)
        )
    token = divided.admin_token()
    with visited(browser, divided) as visitors:
        page, admin = visitors.come(**PHONE, color_scheme=scheme), visitors.come(**PHONE, color_scheme=scheme)
        sign_in(page, "p3")
        admin.goto("/sign-in")
        admin.fill("#token", token)
        admin.press("#token", "Enter")
        admin.wait_for_url("**/admin")
        assert overflow(admin) == 0
        for path in ("/", "/submit", "/team", "/account", "/sign-in", "/sign-up", "/submissions/4"):
            page.goto(path)
            assert overflow(page) == 0, path
            # Each control has a name, and can be hit with a finger.
            for control in page.locator(
                "main button:visible, main input:visible:not([type=hidden]):not(.unseen)"
            ).all():
                box = control.bounding_box()
                assert box is not None
                assert box["height"] >= 36, path
            assert page.locator("h1").count() == 1, path
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (background == "rgb(18, 20, 23)") == (scheme == "dark")


def test_a_file_that_is_too_large_is_not_even_sent(browser: Browser, divided: World) -> None:
    divided.join("anna")
    with visited(browser, divided, max_bytes=2000) as visitors:
        page, plain = visitors.come(), visitors.come(java_script_enabled=False)
        sign_in(page, "anna")
        send(page, bytes(300_000))
        expect(page.locator("[data-file-problem]")).to_contain_text("300,000 bytes, more than the 2,000 allowed")
        assert page.url.endswith("/submit")
        sign_in(plain, "anna")
        send(plain, bytes(300_000))
        expect(plain.get_by_role("alert")).to_contain_text("larger than 67,536 bytes")
        assert visitors.refusals() == ["413"]

"""What every page has: the header with who is signed in and when their team may submit, and how values are written."""

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from http import HTTPStatus
from typing import Any

from fastapi import Request
from jinja2 import Environment
from markupsafe import Markup
from starlette.responses import HTMLResponse

from thumbnet import __version__, text
from thumbnet.challenge.board import shown_name
from thumbnet.challenge.moments import iso, milliseconds
from thumbnet.challenge.people import teams
from thumbnet.challenge.people.secrets import LONGEST_PASSWORD, SHORTEST_PASSWORD
from thumbnet.challenge.people.teams import Team
from thumbnet.challenge.refusals import RefusalError
from thumbnet.challenge.settings import Settings
from thumbnet.challenge.web.refused import refusal_headers
from thumbnet.challenge.web.security import Viewer, challenge_of, own_address
from thumbnet.templates import html_templates


@dataclass(frozen=True)
class Frame:
    """What stands around every page.

    Attributes:
        settings: of the challenge; templates take what everyone may know.
        path: of the page.
        address: how the browser reaches the server.
        now: the time, ISO 8601 in UTC; empty on pages that were made without asking the database.
        phase: of the challenge; empty as `now`.
        viewer: who is asking; `None` for somebody unknown, and where `now` is empty.
        team: the viewer's.
        next_allowed: when the team may submit again; `None` for now.
    """

    settings: Settings
    path: str
    address: str
    now: str = ""
    phase: str = ""
    viewer: Viewer | None = None
    team: Team | None = None
    next_allowed: str | None = None

    @property
    def team_shown(self) -> str:
        """The name under which the viewer's team stands on the board; empty where there is none."""
        return "" if self.team is None else shown_name(self.team, self.settings.board)

    @property
    def is_divided(self) -> bool:
        """Whether some images are private."""
        return self.settings.public_fraction < 1

    @property
    def is_nobody(self) -> bool:
        """Whether somebody unknown is asking; false on pages that were made without asking who it is."""
        return self.viewer is None and bool(self.now)

    @property
    def is_admin(self) -> bool:
        """Whether an admin is asking."""
        return self.viewer is not None and self.viewer.account.role == "admin"


def show(
    request: Request,
    viewer: Viewer | None,
    page: str,
    *,
    problem: RefusalError | None = None,
    **values: Any,
) -> HTMLResponse:
    """Return a page.

    Args:
        request: that it answers.
        viewer: who is asking.
        page: name of the template, without '.html'.
        problem: what was refused; the response has its status and headers.
        values: what the template needs besides the frame.
    """
    content = render(page, frame=_frame(request, viewer), problem=problem, **values)
    if problem is None:
        return HTMLResponse(content)
    return HTMLResponse(content, problem.status, refusal_headers(problem))


def error_page(request: Request, refusal: RefusalError, headers: dict[str, str]) -> HTMLResponse:
    """Return the page that tells of `refusal`; the database, which may be what failed, is not asked."""
    frame = Frame(challenge_of(request).settings, request.url.path, own_address(request))
    phrase = HTTPStatus(refusal.status).phrase
    return HTMLResponse(render("error", frame=frame, problem=refusal, phrase=phrase), refusal.status, headers)


def render(template: str, **values: Any) -> str:
    """Return a template filled with `values`, all of which are escaped."""
    return _environment().get_template(f"{template}.html").render(**values)


def percent(fraction: float | None) -> str:
    """Return `fraction` as '61.25%', '-' for none."""
    return "-" if fraction is None else text.percent(fraction, 2)


def moment(given: str) -> Markup:
    """Return a time, ISO 8601 in UTC, for people; the script writes it in the reader's own time zone."""
    time = datetime.fromisoformat(given)
    return Markup('<time datetime="{}">{} {:%b %Y, %H:%M} UTC</time>').format(given, time.day, time)


def duration(seconds: float) -> str:
    """Return a length of time as '2 hours' or '1 hour 30 minutes', with its two largest parts."""
    rest, parts = round(seconds), []
    for size, unit in ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count} {unit}{'' if count == 1 else 's'}")
    return " ".join(parts[:2]) or "no time"


def _frame(request: Request, viewer: Viewer | None) -> Frame:
    challenge = challenge_of(request)
    team = None
    with challenge.database.read() as connection:
        state = challenge.state(connection)
        if viewer is not None and viewer.account.team_id is not None:
            team = teams.find(connection, viewer.account.team_id, state.now)
    return Frame(
        settings=challenge.settings,
        path=request.url.path,
        address=own_address(request),
        now=iso(state.now),
        phase=state.phase,
        viewer=viewer,
        team=team,
        next_allowed=None if team is None else team.waits_until(state.now),
    )


@cache
def _environment() -> Environment:
    made = html_templates(
        "thumbnet.challenge.web",
        percent=percent,
        span=text.interval,
        moment=moment,
        duration=duration,
        iso=iso,
        milliseconds=milliseconds,
    )
    passwords = {"shortest_password": SHORTEST_PASSWORD, "longest_password": LONGEST_PASSWORD}
    made.globals.update(version=__version__, **passwords)
    return made

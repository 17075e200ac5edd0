"""What the pages' routes share."""

from typing import Annotated

from fastapi import Depends, File, Form, Request, UploadFile
from starlette.responses import RedirectResponse

from thumbnet.challenge.board import Row
from thumbnet.challenge.web.live import Snapshot, live_board
from thumbnet.challenge.web.security import Viewer

Text = Annotated[str, Form()]


async def _snapshot(request: Request) -> Snapshot:
    return await live_board(request).get()


async def _content(file: Annotated[UploadFile | None, File()] = None) -> bytes:
    return b"" if file is None else await file.read()


FileContent = Annotated[bytes, Depends(_content)]
"""The bytes of the file in a form; its name is not used. Nothing where none was chosen."""
Now = Annotated[Snapshot, Depends(_snapshot)]
"""The board, as new as `LiveBoard.get` has it."""


def own_row(snapshot: Snapshot, viewer: Viewer | None) -> Row | None:
    """Return the row of the viewer's team; `None` where it has none."""
    team = None if viewer is None else viewer.account.team_id
    return next((row for row in snapshot.board.rows if row.team == team), None)


def see(path: str) -> RedirectResponse:
    """Send the browser on to another page after a form, so that a reload does not send the form again."""
    return RedirectResponse(path, status_code=303)

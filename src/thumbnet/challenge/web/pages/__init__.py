"""Pages for people: they work without JavaScript, and call what the API calls."""

from thumbnet.challenge.web.pages import account, admin, entry, scoreboard, static, submitting

ROUTERS = (scoreboard.router, entry.router, submitting.router, account.router, admin.router, static.router)

__all__ = ["ROUTERS"]

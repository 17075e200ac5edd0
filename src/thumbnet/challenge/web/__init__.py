"""The server: a JSON API, described by OpenAPI, on which pages and programs stand."""

from thumbnet.challenge.web.app import make_app

__all__ = ["make_app"]

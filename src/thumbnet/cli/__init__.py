"""The command line: parse, call, print. Nothing here computes."""

from thumbnet.cli.main import main

__all__ = ["main"]

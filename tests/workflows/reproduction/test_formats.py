"""Tables in a terminal."""

import io

from rich.console import Console

from thumbnet.workflows.reproduction.formats import text_table


def test_text_keeps_brackets() -> None:
    console = Console(width=60, file=io.StringIO())
    console.print(text_table(("row", "note"), [["a", "pip install 'thumbnet[offline]'"]], "a [b] c", "[d]"))
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    assert "thumbnet[offline]" in shown
    assert "a [b] c" in shown
    assert "[d]" in shown

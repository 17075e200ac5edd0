"""HTML from templates: what is untrusted is escaped, and what is missing is an error."""

import pytest
from jinja2 import UndefinedError

from thumbnet.templates import html_templates


def test_values_are_escaped() -> None:
    template = html_templates("thumbnet.report", loud=str.upper).from_string("<p>{{ name | loud }}</p>")
    assert template.render(name="<b>'&\"") == "<p>&lt;B&gt;&#39;&amp;&#34;</p>"


def test_a_name_without_a_value_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="'name' is undefined"):
        html_templates("thumbnet.report").from_string("{{ name }}").render()


def test_statements_leave_no_lines() -> None:
    lines = html_templates("thumbnet.report").from_string("a\n  {% if true %}\nb\n  {% endif %}\nc")
    assert lines.render() == "a\nb\nc"

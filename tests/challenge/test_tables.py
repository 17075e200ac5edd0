"""Tables for spreadsheets, which run nothing that participants wrote."""

import csv
import io

import pytest

from thumbnet.challenge.tables import to_csv


@pytest.mark.parametrize("delimiter", [",", ";", "|", "\t"])
@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_a_spreadsheet_runs_nothing_wherever_it_splits(sign: str, delimiter: str) -> None:
    cells = [f"{start}{sign}1+1" for start in ("Owls;", "Owls; ", "a|", "a\t", "a,", " ", "")] + ["a-b;c=d, e@f"]
    text = to_csv([cells])
    for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_NONE):
        for row in csv.reader(io.StringIO(text), delimiter=delimiter, quoting=quoting):
            assert not any(cell.lstrip(' "').startswith(sign) for cell in row)
    assert "a-b;c=d, e@f" in text


def test_what_is_no_formula_is_written_as_it_is() -> None:
    text = to_csv([["\t=1", "a,b", 'c"d', None, -1.5]])
    assert text.endswith(",-1.5\r\n")
    assert list(csv.reader(io.StringIO(text))) == [["'\t'=1", "a,b", 'c"d', "", "-1.5"]]

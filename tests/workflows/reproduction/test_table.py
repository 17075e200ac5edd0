"""The table as text, Markdown and single lines: every figure where it belongs, and nothing cut off."""

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from tests.workflows.recorded import CPU, H100, history, run_record, study_record
from tests.workflows.reproduction.judged import STUDY
from thumbnet.recipes import ROWS
from thumbnet.records import Measurement, Record
from thumbnet.text import markdown_table
from thumbnet.workflows.reproduction.lines import Line, all_rows, make_lines, row_line
from thumbnet.workflows.reproduction.table import (
    markdown,
    notes,
    reported_text,
    sections,
    text_tables,
    verdict_line,
)

M1 = "mkrtchyan-m1"
RECORDS: list[Record | Measurement] = [
    run_record(M1, correct=2582, best=(17, 2676)),
    run_record("mkrtchyan-m1+", correct=3127, best=(19, 3137)),
    run_record("mkrtchyan-alexnet", best=(12, 1820)),
    run_record(
        "ma-overfit-scratch",
        correct=90,
        epochs=100,
        train_seconds=26.4,
        history=history(eval_train_top1=[0.5] * 11 + [1.0], running_train_top1=[0.5] * 10 + [1.0] * 2),
    ),
    run_record("ma-finetune", correct=7400, best=(7, 7430), epochs=7, train_seconds=36_000.0, device=H100),
    study_record("milani-snapshots", STUDY),
    run_record("resnet18-64", correct=4952, epochs=17),
    Measurement("expected-times", "python x", None, {}, CPU, {"yu-vgg": 2500, "yu-transfer": 200_000}),
]
MEASURED = ["ma-overfit-scratch", "milani-snapshots", M1, "mkrtchyan-m1+", "mkrtchyan-alexnet"]
ROW_HEAD = ["row", "reported", "measured", "95% interval", "verdict", "last", "epochs", "time", "device"]


def lines() -> list[Line]:
    return make_lines(RECORDS)


def tables(text: str) -> list[list[list[str]]]:
    """The tables of a Markdown text, each as a list of rows of cells."""
    found: list[list[list[str]]] = [[]]
    for line in text.splitlines():
        if line.startswith("| "):
            cells = re.split(r"(?<!\\)\|", line)[1:-1]
            found[-1].append([cell.strip().replace("\\|", "|") for cell in cells])
        elif found[-1]:
            found.append([])
    return [table for table in found if table]


def printed(width: int, *, of: list[Line] | None = None) -> list[str]:
    """The lines that a terminal of that width shows."""
    console = Console(width=width, file=io.StringIO())
    for table in text_tables(lines() if of is None else of, width):
        console.print(table)
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue().splitlines()


def test_markdown_states_every_measured_figure() -> None:
    (scratch, open_scratch, pretrained, open_pretrained, own) = tables(markdown(lines()))
    head, rule, *rows = scratch
    assert head == ROW_HEAD
    assert rule == ["---"] * len(head)
    device = "1 of 2 CPU cores"
    assert rows == [
        [
            "[`ma-overfit-scratch`](records/ma-overfit-scratch.json)",
            "~40 iterations (Ma 2017, figure 4)",
            *("12 iterations (11 running)", "", "above", "", "100", "26 s", device),
        ],
        [
            "[`milani-snapshots`](records/milani-snapshots.json)",
            "52.2% (Milani 2017, table 1)",
            *("52.5%", "51.5 to 53.5%", "within", "", "30", "2.0 h", "H100"),
        ],
        [
            "[`mkrtchyan-m1`](records/mkrtchyan-m1.json)",
            "29.5% (Mkrtchyan 2022, figure 3)",
            *("26.8%", "25.9 to 27.6%", "below", "25.8%", "17 of 20", "42 min", device),
        ],
        [
            "[`mkrtchyan-m1+`](records/mkrtchyan-m1+.json)",
            "29.5% (Mkrtchyan 2022, figure 3)",
            *("31.4%", "30.5 to 32.3%", "above", "31.3%", "19 of 20", "42 min", device),
        ],
        [
            "[`mkrtchyan-alexnet`](records/mkrtchyan-alexnet.json)",
            "val below 20% (Mkrtchyan 2022, figure 7)",
            *("18.2%", "17.5 to 19.0%", "", "25.0%", "12 of 20", "42 min", device),
        ],
    ]
    assert pretrained[2:] == [
        [
            "[`ma-finetune`](records/ma-finetune.json)",
            "74.3% (Ma 2017, section 6)",
            *("74.3%", "73.4 to 75.1%", "within", "74.0%", "7 of 7", "10.0 h", "H100"),
        ]
    ]
    assert own == [
        ["recipe", "val", "95% interval", "epochs", "time", "device"],
        ["---"] * 6,
        ["[`resnet18-64`](records/resnet18-64.json)", "49.5%", "48.5 to 50.5%", "17", "42 min", device],
    ]
    assert len(open_scratch) + len(open_pretrained) - 4 == len(ROWS) - len(MEASURED) - 1


def test_markdown_folds_in_what_is_not_measured_with_its_command() -> None:
    text = markdown(lines())
    folded = re.findall(r"<details><summary>(.*?)</summary>\n\n(.*?)\n\n</details>", text, re.DOTALL)
    assert len(folded) == 2
    for (summary, table), pretrained in zip(folded, (False, True), strict=True):
        expected = [
            line.row for line in lines() if line.report and line.pretrained == pretrained and not line.measured
        ]
        (head, _, *rows) = tables(table)[0]
        assert head == ["row", "reported", "expected time", "command"]
        assert summary == f"{len(expected)} rows not measured yet (expected times on 1 of 2 CPU cores)"
        assert [row[0] for row in rows] == [f"`{name}`" for name in expected]
        assert [row[3] for row in rows] == [f"`thumbnet reproduce {name}`" for name in expected]
    assert "| `yu-vgg` | 45.88% | 42 min | `thumbnet reproduce yu-vgg` |" in text
    assert "| `yu-transfer` | no figure | 2.3 days | `thumbnet reproduce yu-transfer` |" in text
    assert "| `ma-relu` | losses as leaky ReLU's |  | `thumbnet reproduce ma-relu` |" in text


def test_without_expected_times_their_column_is_left_out() -> None:
    text = markdown(make_lines([]))
    assert [table[0] for table in tables(text)] == [["row", "reported", "command"]] * 2
    assert "expected" not in text
    assert "expected" not in " ".join(printed(120, of=make_lines([])))
    assert notes(make_lines([])) == []
    assert text.startswith("### From scratch\n")
    one_left = [line for line in lines() if line.row in (M1, "ma-relu")]
    assert "<summary>1 row not measured yet</summary>" in markdown(one_left)


def test_pretrained_rows_stand_apart_with_what_must_be_known_of_them() -> None:
    text = markdown(lines())
    scratch, rest = text.split("### From pretrained weights\n")
    pretrained, own = rest.split("### Our own recipes\n")
    assert "may have seen the originals of these images, in full size" in pretrained
    assert "may have seen" not in scratch + own
    assert "[`ma-finetune`]" in pretrained
    assert "[`resnet18-64`]" in own
    study = study_record("hansen-ensemble", STUDY | {"pretrained": True})
    kinds = {one.title: [line.row for line in one.measured] for one in sections(make_lines([study]))}
    assert kinds == {"From scratch": [], "From pretrained weights": ["hansen-ensemble"]}
    assert any("may have seen the originals" in line for line in printed(120))


def test_our_pretrained_recipes_stand_apart_from_ours_from_scratch() -> None:
    own = [run_record("resnet18-64"), run_record("finetune-lite2", pretrained=True)]
    kinds = {one.title: [line.row for line in one.measured] for one in sections(make_lines(own)) if one.measured}
    assert kinds == {
        "Our own recipes": ["resnet18-64"],
        "Our own recipes, from pretrained weights": ["finetune-lite2"],
    }
    _, pretrained = markdown(make_lines(own)).split("### Our own recipes, from pretrained weights\n")
    assert "may have seen the originals" in pretrained


def test_links_lead_to_the_folder_of_the_records() -> None:
    text = markdown([row_line(M1, run_record(M1))], folder="my runs/records")
    assert f"[`{M1}`](my%20runs/records/{M1}.json)" in text


@pytest.mark.parametrize("width", [80, 110, 120, 165, 200])
def test_text_fits_the_terminal(width: int) -> None:
    shown = printed(width)
    assert max(len(line.rstrip()) for line in shown) <= width
    starts = [line.split()[0] for line in shown if line.strip()]
    for name in [*all_rows(), "resnet18-64"]:
        assert starts.count(name) == 1, name
    m1 = next(line for line in shown if line.startswith(f"{M1} "))
    for cell in ("29.5%", "26.8%", "25.9 to 27.6%", "below", "42 min"):
        assert cell in m1
    assert ("17 of 20" in m1) == ("25.8%" in m1) == ("1 of 2 CPU cores" in m1) == (width >= 110)
    assert ("Mkrtchyan 2022, figure 3" in m1) == (width >= 165)


@pytest.mark.parametrize(("name", "time"), [("linear-lite2", "42 min + features"), ("finetune-lite2", "42 min")])
def test_the_time_of_cached_features_is_said_to_be_left_out(name: str, time: str) -> None:
    (line,) = (one for one in make_lines([run_record(name, pretrained=True)]) if one.row == name)
    assert any(cells[-2] == time for table in tables(markdown([line])) for cells in table)
    assert any('"+ features" leaves out' in note for note in notes([line])) is time.endswith("features")
    assert line.to_json()["features_apart"] is time.endswith("features")


def test_notes_say_what_the_lines_need() -> None:
    said = {name: " ".join(notes([line])) for name in MEASURED for line in lines() if line.row == name}
    assert "best epoch on val" in said[M1]
    assert "95% interval" in said[M1]
    assert "terations" not in said[M1]
    assert "best epoch on val" not in said["milani-snapshots"]
    assert "95% interval" in said["milani-snapshots"]
    assert said["ma-overfit-scratch"].startswith("Iterations ")
    assert "95%" not in said["ma-overfit-scratch"]
    assert "verdict" not in said["mkrtchyan-alexnet"]
    assert markdown(lines()).startswith(" ".join(notes(lines())))


@pytest.mark.parametrize(
    ("record", "reached", "judged"),
    [
        (RECORDS[0], "val 26.8% (25.9 to 27.6%) at epoch 17, last 25.8%", "29.5%: below"),
        (run_record(M1, correct=2950), "val 29.5% (28.6 to 30.4%) at the last step", "29.5%: within"),
        (RECORDS[2], "val 18.2% (17.5 to 19.0%) at epoch 12, last 25.0%", "val below 20%"),
        (
            RECORDS[3],
            "100% of the training images after 12 iterations (11 as accuracy runs)",
            "~40 iterations: above",
        ),
        (
            run_record("ma-overfit-scratch", epochs=100),
            "100% of the training images never reached in 100 epochs",
            "~40 iterations: below",
        ),
        (
            RECORDS[5],
            "val 52.5% (51.5 to 53.5%) by the best 7, chosen on val, 48.0% by the best alone",
            "52.2%: within",
        ),
    ],
)
def test_a_verdict_in_a_line(record: Record | Measurement, reached: str, judged: str) -> None:
    line, name = row_line(record.name, record), record.name
    assert verdict_line(line) == f"{name}: {reached}; reported {judged}"
    assert verdict_line(line, "a quick look") == f"{name} (a quick look): {reached}; reported {judged}"


def test_a_figure_with_views_says_so() -> None:
    line = row_line("milani-transfer-v3", run_record("milani-transfer-v3", correct=7700, best=(4, 7700)))
    text = markdown([line])
    assert "| 77.0% (ten-crop) | 76.2 to 77.8% | within | 76.0% |" in text
    assert "A figure with test-time views behind it" in text
    assert "Measured is top-1 at the best epoch" not in text
    expected = "milani-transfer-v3: val 77.0% (76.2 to 77.8%) at the last step with ten-crop, 76.0% without"
    assert verdict_line(line).startswith(expected)


def test_a_line_of_our_own_has_no_report() -> None:
    own = make_lines([run_record("resnet18-64", correct=4952)])[-1]
    assert reported_text(own) == ""
    assert verdict_line(own) == "resnet18-64: val 49.5% (48.5 to 50.5%) at the last step"


def test_never_reached_is_said_in_the_table() -> None:
    rows = history(eval_train_top1=[0.5], running_train_top1=[1.0])
    line = row_line("ma-overfit-scratch", run_record("ma-overfit-scratch", history=rows))
    assert "| never (1 running) |  | below |" in markdown([line])
    unknown = replace(line, measured=None)
    assert "| `ma-overfit-scratch` | ~40 iterations |" in markdown([unknown])


def test_a_bar_in_a_cell_stays_in_its_cell() -> None:
    head, cells = ["a", "b"], ["x | y", "|"]
    assert tables(markdown_table(head, [cells])) == [[head, ["---", "---"], cells]]

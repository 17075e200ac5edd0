"""`thumbnet report`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from thumbnet.cli.options import JsonFlag, open_run
from thumbnet.cli.printing import print_json, show_page


def report(
    runs: Annotated[
        list[Path], Parameter(help="Folders of runs; of exactly two, the second is compared with the first.")
    ],
    /,
    *,
    out: Annotated[
        Path | None,
        Parameter(help="The page (.html); by default RUN/report.html, of several runs comparison.html in the first."),
    ] = None,
    data: Annotated[
        list[Path] | None,
        Parameter(
            name="--data",
            negative=(),
            help="Where packed data of the runs lies now; may be repeated, and each run takes what it was made from.",
        ),
    ] = None,
    images: Annotated[
        list[str] | None,
        Parameter(
            name="--image",
            negative=(),
            help="Show the nearest neighbours of the judged image with this id; may be repeated.",
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Write one HTML page that shows what runs learned and where they fail, with its figures as JSON and CSV."""
    from thumbnet.report import check_place, make_report, write_report

    opened = [open_run(path) for path in runs]
    target = out or (opened[0].report_path if len(opened) == 1 else opened[0].comparison_path)
    check_place(target)
    page, figures, tables = write_report(make_report(opened, data or (), images or ()), target)
    if as_json:
        print_json({"page": str(page), "figures": str(figures), "tables": str(tables)})
    else:
        show_page(page, figures, tables)

"""Reports: one self-contained HTML page about runs, with the same figures as JSON and CSV, without torch.

`facts` computes what a section states, `charts` draws figures as SVG and PNG text, `panels` puts both into HTML, and
`sections` lists all of them in their order. `page` makes the whole.
"""

from thumbnet.report.page import Report, check_place, make_report, write_report

__all__ = ["Report", "check_place", "make_report", "write_report"]

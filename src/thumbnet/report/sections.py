"""All sections of a report in their order: the one place to list a new one.

A section is a module of `facts` (its figures), a module of `panels` (its HTML) with a template, and a line here.
"""

from typing import Any

from thumbnet.report.panels import (
    calibration,
    classes,
    compare,
    confusions,
    curves,
    errors,
    features,
    filters,
    header,
    maps,
    quality,
    robustness,
)
from thumbnet.report.section import Section

SECTIONS: tuple[Section[Any], ...] = (
    header.SECTION,
    curves.SECTION,
    compare.SECTION,
    classes.SECTION,
    confusions.SECTION,
    errors.SECTION,
    quality.SECTION,
    calibration.SECTION,
    features.SECTION,
    filters.SECTION,
    maps.SECTION,
    robustness.SECTION,
)
"""Sections about all runs come first on the page, then those of a pair, then each run's."""

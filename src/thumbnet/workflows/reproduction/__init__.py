"""Reproduction: the rows of the reports run, judged against what was reported, and shown as a table."""

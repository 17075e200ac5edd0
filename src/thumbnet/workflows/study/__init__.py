"""Studies: several trainings with one thing varied, compared in a table and a figure."""

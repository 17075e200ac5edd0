"""The figures of each section of a report, computed from runs, their predictions and packed data; nothing is drawn."""

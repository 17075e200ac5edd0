"""Searches: a recipe's settings chosen on the holdout, and what the choice gains on val."""

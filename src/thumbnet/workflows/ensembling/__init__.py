"""Ensembles of predictions and soups of weights: their members, what they reach, and a figure of it."""

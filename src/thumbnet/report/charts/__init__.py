"""Figures as SVG and PNG, drawn by small functions; colours are CSS variables, so that light and dark both work."""

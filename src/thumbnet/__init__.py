"""thumbnet: train, judge and explain classifiers of small images."""

__version__ = "0.1.0"

"""Sources of images (archives, folders, the embedded digits) and the packing of them."""

from thumbnet.sources.opening import source_of
from thumbnet.sources.pack import pack
from thumbnet.sources.tree import source_name

__all__ = ["pack", "source_name", "source_of"]

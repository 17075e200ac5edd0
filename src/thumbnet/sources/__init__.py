"""Sources of images (archives, folders, the embedded digits) and the packing of them."""

from thumbnet.sources.pack import pack

__all__ = ["pack"]

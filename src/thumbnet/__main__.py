"""`python -m thumbnet`, the same as `thumbnet`."""

from thumbnet.cli import main

main()

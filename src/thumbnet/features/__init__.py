"""Features of a frozen network: computed once, kept on disk, verified when they are opened.

The features of an image are what goes into the network's head, f[D], in evaluation mode. `body` computes them,
`description` states everything that decides them and derives the key of their folder from it, `entry` writes and
opens such a folder, `cache` lists and removes folders, and `extraction` puts these together.
"""

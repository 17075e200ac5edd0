"""Seeds for every random draw, derived from the run's seed, a purpose and a position.

No generator's state is ever carried along, so a run that resumes at a step draws what it would have drawn.
"""

import hashlib


def derive_seed(seed: int, purpose: str, *position: int) -> int:
    """Return a 63-bit seed that depends on all arguments and nothing else (BLAKE2b of their text)."""
    text = "/".join([str(seed), purpose, *map(str, position)])
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1

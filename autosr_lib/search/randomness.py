"""Random number generators that depend on what is drawn, not on when (docs/method.md §7)."""

import hashlib

import numpy as np


def generator(seed: int, prompt_id: str, generation: int, role: str, index: int = 0) -> np.random.Generator:
    """Return the random number generator for one purpose; concurrency, order and resuming do not affect it.

    >>> int(generator(7, "p1", 0, "selection").integers(100)) == int(generator(7, "p1", 0, "selection").integers(100))
    True
    """
    name = f"{seed}\x1f{prompt_id}\x1f{generation}\x1f{role}\x1f{index}"
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))

"""Randomness that depends on what is drawn, never on when (docs/method.md §7)."""

import hashlib

import numpy as np


def generator(seed: int, prompt_id: str, generation: int, role: str, index: int = 0) -> np.random.Generator:
    """Return the generator of this one draw; concurrency, order and resuming cannot change it."""
    name = f"{seed}\x1f{prompt_id}\x1f{generation}\x1f{role}\x1f{index}"
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))

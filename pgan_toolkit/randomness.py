"""Random generators derived from what they are for, so that any number can be made again."""

import hashlib

import numpy as np

__all__ = ["generator"]


def generator(seed: int, purpose: str, index: int = 0) -> np.random.Generator:
    """Return the generator of one seed, purpose and index: the same in every process and order.

    Parameters
    ----------
    seed : int
        The user's seed, 0 or more.
    purpose : str
        What the numbers are for: two purposes never share numbers.
    index : int
        Which of many: a step, a picture, 0 or more.
    """
    word = int.from_bytes(hashlib.sha256(purpose.encode()).digest()[:8], "big")
    return np.random.default_rng(np.random.SeedSequence([seed, word, index]))

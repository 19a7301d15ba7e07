"""Which pictures of a set are used where not all are."""

from pgan_toolkit.randomness import generator

__all__ = ["choose_images", "draw_order"]


def choose_images(total: int, images: int | None, *, seed: int) -> tuple[int, ...]:
    """Return the indices of the pictures to use, ascending.

    All of them if there are not more than asked for; else the first `images` of a seeded random
    order of all, so that fewer images are always a subset of more, and two sets of equal length use
    pictures of equal indices.

    Parameters
    ----------
    total : int
        Pictures in the set.
    images : int | None
        How many to use; None: all.
    seed : int
        Of the order, 0 or more.
    """
    if images is None or images >= total:
        return tuple(range(total))
    return tuple(sorted(draw_order(total, seed=seed)[:images]))


def draw_order(total: int, *, seed: int) -> list[int]:
    """Return all indices in the order in which the seed takes them."""
    order: list[int] = generator(seed, "choice of images").permutation(total).tolist()
    return order

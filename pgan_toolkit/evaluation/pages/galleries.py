"""The pictures of an evaluation: samples, neighbours, typical and odd ones, and what is missing."""

from collections.abc import Callable, Iterable

import numpy as np

from pgan_toolkit.evaluation.pages.likeness import NEAREST, Likeness
from pgan_toolkit.evaluation.pages.looking import View
from pgan_toolkit.pages import Gallery, PagePicture, page_picture
from pgan_toolkit.randomness import generator

__all__ = ["missing_gallery", "neighbour_rows", "sample_galleries", "typical_galleries"]

_SAMPLES = 20
_OTHERS = 10
_NEAREST_ROWS, _DRAWN_ROWS = 4, 3


def sample_galleries(real: View, fake: View, *, seed: int) -> tuple[Gallery, Gallery]:
    """Return equally many pictures of both sides, drawn by the seed, not chosen by eye."""
    count = min(_SAMPLES, len(real), len(fake))
    found = []
    for view, side in ((real, "real"), (fake, "fake")):
        draw = generator(seed, f"page: {side} samples").permutation(len(view))
        pictures = [_picture(view, int(place), side=side) for place in sorted(draw[:count])]
        found.append(
            Gallery(f"{side.capitalize()} pictures", f"{count} drawn at random.", pictures)
        )
    return found[0], found[1]


def neighbour_rows(
    real: View, fake: View, likeness: Likeness, *, seed: int
) -> tuple[tuple[PagePicture, ...], ...]:
    """Return fake pictures, each followed by the real ones nearest to it.

    First those that are nearest to any, then some drawn by the seed.
    """
    closest = np.argsort(likeness.distances[:, 0], kind="stable")[:_NEAREST_ROWS]
    drawn = generator(seed, "page: neighbours").permutation(len(fake))
    others = [place for place in drawn if place not in closest][:_DRAWN_ROWS]
    return tuple(
        (
            _picture(fake, int(place), side="fake"),
            *(
                _picture(
                    real,
                    int(likeness.nearest_real[place, rank]),
                    side="real",
                    note=f"{likeness.distances[place, rank]:.2f}",
                )
                for rank in range(NEAREST)
            ),
        )
        for place in (*closest, *others)
    )


def typical_galleries(fake: View, likeness: Likeness) -> tuple[Gallery, Gallery]:
    """Return the fake pictures that are nearest to real ones, and those that are farthest."""
    distances = likeness.distances[:, -1]
    order = np.argsort(distances, kind="stable")
    count = min(_OTHERS, len(order) // 2)
    pictures = _noted(fake, side="fake", note=lambda place: f"{distances[place]:.2f}")
    meaning = "The number is the distance of the fifth nearest real picture, at 16x16 pixels"
    return (
        Gallery(
            "Most typical fake pictures",
            f"{meaning}; 1 is that of two unrelated real pictures.",
            pictures(order[:count]),
        ),
        Gallery("Least typical fake pictures", f"{meaning}.", pictures(order[::-1][:count])),
    )


def missing_gallery(real: View, likeness: Likeness) -> Gallery:
    """Return the real pictures that fake ones come least near to."""
    alone = likeness.loneliness
    order = np.argsort(-alone, kind="stable")[: min(_OTHERS, len(alone))]
    pictures = _noted(real, side="real", note=lambda place: f"{alone[place]:.2f}")
    return Gallery(
        "Real pictures that the fake ones come least near to",
        "The number is the distance of the nearest fake picture over that of the fifth nearest "
        "real one: above 1, no fake picture is near. Some are there by chance; look for what they "
        "have in common.",
        pictures(order),
    )


def _noted(
    view: View, *, side: str, note: Callable[[int], str]
) -> Callable[[Iterable[int]], list[PagePicture]]:
    return lambda places: [
        _picture(view, int(place), side=side, note=note(int(place))) for place in places
    ]


def _picture(view: View, place: int, *, side: str, note: str = "") -> PagePicture:
    key = view.key(place)
    return page_picture(view.picture(place), alt=f"{side} picture {key}", key=key, note=note)

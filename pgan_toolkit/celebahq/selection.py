"""Which faces the dataset keeps: a pure function of the ledger's rows."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pgan_toolkit.celebahq.ledger import Row, Verdict

__all__ = ["Wish", "select"]

_SAME_PLACE = 0.25


@dataclass(frozen=True)
class Wish:
    """What the user asked for.

    Attributes
    ----------
    count : int | None
        Keep at most so many; None for no limit.
    order : Sequence[str] | None
        Keys in the order of a given list; None to rank by score. A list is kept as it is, with
        the duplicates that it names.
    """

    count: int | None = None
    order: Sequence[str] | None = None


def select(rows: Iterable[Row], wish: Wish) -> list[Verdict]:
    """Decide about every row.

    Identical pictures are dropped but for the best: those whose photographs have equal pixels and
    whose crops lie in the same place (centres within a quarter of the side), so that two faces of
    one photograph both stay. Equal scores are ordered by key.

    Returns
    -------
    list of Verdict
        The kept ones by rank (0 is the best), then the rejected ones by rank, then duplicates
        and failed ones by key.
    """
    failed: list[Verdict] = []
    scored: list[_Candidate] = []
    for row in rows:
        if row.status == "failed":
            failed.append(Verdict(row.key, "failed"))
        else:
            scored.append(_candidate(row))
    _sort(scored, wish)
    duplicate_of = _duplicates(scored) if wish.order is None else {}
    ranked = [face.key for face in scored if face.key not in duplicate_of]
    limit = len(ranked) if wish.count is None else wish.count
    return [
        *(Verdict(key, "kept", rank) for rank, key in enumerate(ranked[:limit])),
        *(Verdict(key, "rejected", rank) for rank, key in enumerate(ranked[limit:], limit)),
        *(Verdict(key, "duplicate", None, kept) for key, kept in sorted(duplicate_of.items())),
        *sorted(failed, key=lambda verdict: verdict.key),
    ]


class _Candidate(NamedTuple):
    """What the selection must remember of a row, for there may be a million."""

    key: str
    photograph: str
    score: float
    pixels: bytes
    x: float
    y: float
    side: float


def _candidate(row: Row) -> _Candidate:
    quad = np.array(row.quad)
    x, y = quad.mean(axis=0).tolist()
    score = float("-inf") if row.score is None else row.score
    side = float(np.hypot(*(quad[3] - quad[0])))
    return _Candidate(row.key, row.photograph, score, row.pixel_digest.encode(), x, y, side)


def _sort(scored: list[_Candidate], wish: Wish) -> None:
    if wish.order is None:
        scored.sort(key=lambda face: (-face.score, face.key))
    else:
        place = {key: index for index, key in enumerate(wish.order)}
        scored.sort(key=lambda face: (place[face.photograph], face.key))


def _duplicates(scored: list[_Candidate]) -> dict[str, str]:
    """Key of each dropped face -> key of the better one that stays. Faces come best first."""
    kept: defaultdict[bytes, list[_Candidate]] = defaultdict(list)
    dropped: dict[str, str] = {}
    for face in scored:
        twin = next((other for other in kept[face.pixels] if _same_place(face, other)), None)
        if twin:
            dropped[face.key] = twin.key
        else:
            kept[face.pixels].append(face)
    return dropped


def _same_place(one: _Candidate, other: _Candidate) -> bool:
    return math.hypot(one.x - other.x, one.y - other.y) < _SAME_PLACE * one.side

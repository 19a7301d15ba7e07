"""Which faces the dataset keeps: a pure function of the ledger's rows."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

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
    rows = list(rows)
    failed = [Verdict(row.key, "failed") for row in rows if row.status == "failed"]
    scored = _ordered([row for row in rows if row.status == "scored"], wish)
    duplicate_of = _duplicates(scored) if wish.order is None else {}
    ranked = [row.key for row in scored if row.key not in duplicate_of]
    limit = len(ranked) if wish.count is None else wish.count
    return [
        *(Verdict(key, "kept", rank) for rank, key in enumerate(ranked[:limit])),
        *(Verdict(key, "rejected", rank) for rank, key in enumerate(ranked[limit:], limit)),
        *(Verdict(key, "duplicate", None, kept) for key, kept in sorted(duplicate_of.items())),
        *sorted(failed, key=lambda verdict: verdict.key),
    ]


def _ordered(scored: list[Row], wish: Wish) -> list[Row]:
    if wish.order is None:
        return sorted(scored, key=lambda row: (-_score(row), row.key))
    place = {key: index for index, key in enumerate(wish.order)}
    return sorted(scored, key=lambda row: (place[row.photograph], row.key))


def _score(row: Row) -> float:
    return float("-inf") if row.score is None else row.score


def _duplicates(scored: list[Row]) -> dict[str, str]:
    """Key of each dropped row -> key of the better one that stays. Rows come best first."""
    kept: defaultdict[str, list[Row]] = defaultdict(list)
    dropped: dict[str, str] = {}
    for row in scored:
        twin = next((other for other in kept[row.pixel_digest] if _same_place(row, other)), None)
        if twin:
            dropped[row.key] = twin.key
        else:
            kept[row.pixel_digest].append(row)
    return dropped


def _same_place(one: Row, other: Row) -> bool:
    first, second = np.array(one.quad), np.array(other.quad)
    side = np.hypot(*(first[3] - first[0]))
    return bool(np.hypot(*(first.mean(axis=0) - second.mean(axis=0))) < _SAME_PLACE * side)

"""The selection: order, ties, duplicates, lists."""

from hypothesis import given
from hypothesis import strategies as st

from pgan_toolkit.celebahq import Row, Wish, select

SQUARE = ((0.0, 0.0), (0.0, 100.0), (100.0, 100.0), (100.0, 0.0))


def _row(key: str, score: float, *, pixels: str = "", shift: float = 0.0) -> Row:
    quad = tuple((x + shift, y) for x, y in SQUARE)
    return Row(
        key=key, photograph=key, file=f"{key}.jpg", status="scored", score=score,
        pixel_digest=pixels or key, quad=quad,
    )  # fmt: skip


def _kept(rows: list[Row], wish: Wish) -> list[str]:
    return [verdict.key for verdict in select(rows, wish) if verdict.verdict == "kept"]


def test_the_best_are_kept_and_equal_scores_go_by_key() -> None:
    rows = [_row("c", 1.0), _row("a", 1.0), _row("b", 2.0), _row("d", 0.5)]
    verdicts = select(rows, Wish(count=2))
    assert [(v.key, v.verdict, v.rank) for v in verdicts] == [
        ("b", "kept", 0), ("a", "kept", 1), ("c", "rejected", 2), ("d", "rejected", 3),
    ]  # fmt: skip


def test_identical_pictures_are_dropped_but_for_the_best() -> None:
    rows = [_row("a", 1.0, pixels="p"), _row("b", 2.0, pixels="p", shift=5), _row("c", 0.0)]
    verdicts = {verdict.key: verdict for verdict in select(rows, Wish())}
    assert verdicts["a"].verdict == "duplicate"
    assert verdicts["a"].duplicate_of == "b"
    assert _kept(rows, Wish()) == ["b", "c"]


def test_two_faces_of_one_photograph_both_stay() -> None:
    rows = [_row("a", 1.0, pixels="p"), _row("a-face2", 2.0, pixels="p", shift=80)]
    assert _kept(rows, Wish()) == ["a-face2", "a"]


def test_a_list_is_kept_in_its_order_with_its_duplicates() -> None:
    rows = [_row("a", 9.0, pixels="p"), _row("b", 1.0, pixels="p"), _row("c", 5.0)]
    assert _kept(rows, Wish(order=("c", "b", "a"))) == ["c", "b", "a"]


def test_failed_rows_are_never_kept() -> None:
    failed = Row(key="a", photograph="a", file="a.jpg", status="failed")
    assert [v.verdict for v in select([failed], Wish())] == ["failed"]


@given(st.lists(st.floats(-5, 5), max_size=30), st.integers(1, 40), st.randoms())
def test_the_order_of_rows_does_not_matter_and_every_row_is_judged_once(
    scores: list[float], count: int, random: object
) -> None:
    rows = [_row(f"k{n}", score, pixels=f"p{n % 7}") for n, score in enumerate(scores)]
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    verdicts = select(rows, Wish(count=count))
    assert verdicts == select(shuffled, Wish(count=count))
    assert sorted(verdict.key for verdict in verdicts) == sorted(row.key for row in rows)
    assert len(_kept(rows, Wish(count=count))) == min(count, len({r.pixel_digest for r in rows}))

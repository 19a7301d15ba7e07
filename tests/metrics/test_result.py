import json

import pytest

from pgan_toolkit.errors import UsageError
from pgan_toolkit.metrics import Result
from pgan_toolkit.metrics.accumulator import next_range, take_ranges

RESULT = Result(
    metric="swd", value=2.5, images={"real": 4, "fake": 4}, convention="a", interval=(2.0, 3.0)
)


def test_a_result_goes_to_json_with_the_versions_that_made_it() -> None:
    found = json.loads(json.dumps(RESULT.to_dict()))
    assert found["interval"] == [2.0, 3.0]
    assert found["images"] == {"real": 4, "fake": 4}
    assert set(found["versions"]) == {"pgan-toolkit", "python", "numpy", "torch"}


def test_a_warning_is_said_once() -> None:
    warned = RESULT.warned("few images", "few images").warned("few images", "mixed sizes")
    assert warned.warnings == ("few images", "mixed sizes")
    assert RESULT.warnings == ()


def test_ranges_follow_each_other_and_join() -> None:
    seen: list[range] = []
    assert next_range(seen, first=None, count=3) == range(3)
    assert next_range(seen, first=5, count=2) == range(5, 7)
    assert next_range(seen, first=None, count=0) == range(7, 7)
    assert next_range(seen, first=3, count=2) == range(3, 5)
    assert seen == [range(7)]


@pytest.mark.parametrize(("first", "count"), [(0, 1), (2, 3), (0, 9), (-1, 1)])
def test_an_image_cannot_come_twice(first: int, count: int) -> None:
    seen = [range(2), range(4, 6)]
    with pytest.raises(UsageError):
        next_range(seen, first=first, count=count)
    assert seen == [range(2), range(4, 6)]


def test_ranges_are_taken_over_all_or_not_at_all() -> None:
    seen = [range(5, 7)]
    take_ranges(seen, [range(2), range(7, 9)])
    assert seen == [range(2), range(5, 9)]
    with pytest.raises(UsageError, match="images 8 to 9"):
        take_ranges(seen, [range(3, 4), range(8, 10)])
    assert seen == [range(2), range(5, 9)]

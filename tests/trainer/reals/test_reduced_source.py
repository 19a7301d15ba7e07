from pathlib import Path

import numpy as np
import pytest
from square_sets import reals_of, write_sizes, write_squares

from pgan_toolkit.errors import DataError
from pgan_toolkit.storage import open_source
from reference_trainer.reals import ReducedSource


def test_it_has_what_a_run_of_that_resolution_is_shown(tmp_path: Path) -> None:
    images = write_squares(tmp_path / "set", labelled=True)
    source = open_source(tmp_path / "set")
    reduced = ReducedSource(source, resolution=4)
    assert (list(reduced.keys()), list(reduced.labels())) == (
        list(source.keys()), list(source.labels()),
    )  # fmt: skip
    means = images.reshape(len(images), 3, 4, 4, 4, 4).mean(axis=(3, 5))
    found = np.stack([record.image.transpose(2, 0, 1) for record in reduced])
    assert np.array_equal(found, np.rint(means))
    shown = reals_of(source, resolution=8).pictures(range(len(source)), 4)
    assert np.array_equal(found, shown.numpy())
    assert (reduced.info(3).height, reduced.info(3).width) == (4, 4)


@pytest.mark.parametrize(
    ("size", "said"),
    [
        ((8, 8), r"0000\.png: 8x8 pixels, smaller than 16x16; pictures are reduced and not"),
        ((20, 16), "20x16 pixels, not square"),
        ((48, 48), "halving does not bring"),
    ],
)
def test_what_is_no_such_square_is_refused(
    size: tuple[int, int], said: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=said):
        ReducedSource(open_source(write_sizes(tmp_path / "set", size)), resolution=16)

import numpy as np
import pytest
import torch

from pgan_toolkit.errors import DataError
from pgan_toolkit.metrics import as_images


def test_bytes_come_through_untouched() -> None:
    batch = torch.randint(0, 256, (2, 3, 4, 5), dtype=torch.uint8)
    assert as_images(batch) is batch
    assert torch.equal(as_images(batch.numpy()), batch)


def test_floats_are_rounded_to_what_a_file_would_hold() -> None:
    batch = torch.tensor([0.4, 0.6, 254.5]).reshape(1, 3, 1, 1)
    assert as_images(batch).flatten().tolist() == [0, 1, 254]  # halves go to even numbers


def test_black_floats_are_black() -> None:
    assert as_images(np.zeros((1, 3, 2, 2))).sum() == 0


def test_nearly_black_bytes_and_floats_above_1_are_not_questioned() -> None:
    assert as_images(np.full((1, 3, 1, 1), 1, np.uint8)).flatten().tolist() == [1, 1, 1]
    assert as_images(np.full((1, 3, 1, 1), 1.2)).flatten().tolist() == [1, 1, 1]


def test_no_images_are_a_batch() -> None:
    assert as_images(np.zeros((0, 3, 2, 2))).shape == (0, 3, 2, 2)


def test_arrays_may_lie_in_memory_as_they_like() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 3, 4, 5), dtype=np.uint8)
    expected = torch.from_numpy(pixels[:, ::-1].copy())
    assert torch.equal(as_images(pixels[:, ::-1]), expected)  # from BGR
    assert torch.equal(as_images(expected.numpy().astype(">f4")), expected)
    fixed = expected.numpy().copy()
    fixed.setflags(write=False)
    assert torch.equal(as_images(fixed), expected)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 8, 8, 3), np.uint8), r"permute\(0, 3, 1, 2\)"),
        (np.zeros((8, 8, 3), np.uint8), r"shape \(8, 8, 3\); expected \(N, 3, H, W\)"),
        (np.zeros((2, 1, 8, 8), np.uint8), r"shape \(2, 1, 8, 8\)"),
        (np.zeros((2, 3, 8, 8), np.int32), r"torch.int32; expected uint8"),
        (np.full((1, 3, 1, 1), 0.5), "from 0.5 to 0.5: .* Multiply by 255 .* as uint8"),
        (np.full((1, 3, 1, 1), 1.0), "nearly black on 0..255"),
        (np.full((1, 3, 1, 1), -1.0), r"\(x \+ 1\) \* 127.5"),
        (np.full((1, 3, 1, 1), 256.0), "from 256 to 256"),
        (np.full((1, 3, 1, 1), np.nan), "from nan to nan"),
    ],
)
def test_others_are_refused(images: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=f"^fake: .*{message}"):
        as_images(images, name="fake")

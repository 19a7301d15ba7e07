import io

import numpy as np
import PIL.Image
import pytest

from pgan_toolkit.storage.encodings import encoding_of, loss_of


@pytest.mark.parametrize(
    ("kind", "options", "encoding", "loss"),
    [
        ("PNG", {}, "PNG", "lossless"),
        ("JPEG", {}, "JPEG", "lossy"),
        ("BMP", {}, "BMP", "lossless"),
        ("PPM", {}, "PPM", "lossless"),
        ("TIFF", {}, "TIFF", "unknown"),
        ("WEBP", {"lossless": True}, "WebP lossless", "lossless"),
        ("WEBP", {"quality": 80}, "WebP lossy", "lossy"),
        ("AVIF", {}, "AVIF", "unknown"),
        ("GIF", {}, "other", "unknown"),
    ],
)
def test_what_pillow_writes_is_recognised(
    kind: str, options: dict[str, int], encoding: str, loss: str
) -> None:
    buffer = io.BytesIO()
    PIL.Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(buffer, kind, **options)
    assert encoding_of(buffer.getvalue()) == encoding
    assert loss_of(encoding) == loss


def test_extended_webp_may_be_either() -> None:
    assert encoding_of(b"RIFF\x00\x00\x00\x00WEBPVP8X") == "WebP"
    assert loss_of("WebP") == "unknown"


def test_short_files_are_other() -> None:
    assert encoding_of(b"") == "other"

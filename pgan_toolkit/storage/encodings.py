"""How a picture file is encoded, told by its first bytes, and whether that loses detail."""

from typing import Literal

__all__ = ["Loss", "encoding_of", "loss_of"]

Loss = Literal["lossy", "lossless", "unknown"]

_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"BM", "BMP"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"P5", "PGM"),
    (b"P6", "PPM"),
)
_LOSS: dict[str, Loss] = {
    "BMP": "lossless",
    "JPEG": "lossy",
    "PGM": "lossless",
    "PNG": "lossless",
    "PPM": "lossless",
    "WebP lossless": "lossless",
    "WebP lossy": "lossy",
    "pixels": "lossless",
}


def encoding_of(data: bytes) -> str:
    """Name the encoding of a picture file from its first 16 bytes; "other" if it is none of ours.

    A WebP file of the extended kind may be either and is called "WebP".
    """
    for signature, encoding in _SIGNATURES:
        if data.startswith(signature):
            return encoding
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return {b"VP8 ": "WebP lossy", b"VP8L": "WebP lossless"}.get(data[12:16], "WebP")
    if data[4:12] == b"ftypavif":
        return "AVIF"
    return "other"


def loss_of(encoding: str) -> Loss:
    """Whether an encoding loses detail; "unknown" where it may do either (AVIF, TIFF, WebP)."""
    return _LOSS.get(encoding, "unknown")

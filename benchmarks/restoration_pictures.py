"""Before and after: the pictures of docs/restoration.md, from the portrait of the demo.

python benchmarks/restoration_pictures.py --out docs/restoration.jpg
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

from pgan_toolkit.arrays import Image
from pgan_toolkit.celebahq.samples import write_samples
from pgan_toolkit.imaging import (
    Box,
    Section,
    Tile,
    bicubic_resize,
    contact_sheet,
    decode_image,
    encode_jpeg,
    lanczos_resize,
)
from pgan_toolkit.restoration import Restorer, open_restorer

FACE = Box(140, 20, 332, 212)
"""Of the portrait, pixels."""
JPEG_QUALITIES = (10, 30)
TILE_PX = FACE.width


def main() -> None:
    """Draw the sheet and write it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--psnr", default="nets-psnr")
    parser.add_argument("--adversarial", default="nets")
    arguments = parser.parse_args()
    portrait = _portrait()
    eye, fidelity = (open_restorer(spec) for spec in (arguments.adversarial, arguments.psnr))
    sections = [
        Section(_enlarged(portrait, fidelity, eye), "Reduced four times, quality 60, enlarged"),
        *(
            Section(_cleaned(portrait, fidelity, quality), f"JPEG of quality {quality}, 4:2:0")
            for quality in JPEG_QUALITIES
        ),
    ]
    sheet = contact_sheet(sections, columns=5, tile_px=TILE_PX)
    arguments.out.write_bytes(encode_jpeg(sheet, quality=93, subsampling="4:4:4"))


def _portrait() -> Image:
    with tempfile.TemporaryDirectory() as folder:
        write_samples(Path(folder) / "samples")
        path = Path(folder) / "samples" / "img_celeba" / "original.jpg"
        return decode_image(path.read_bytes(), name=str(path))


def _enlarged(portrait: Image, fidelity: Restorer, eye: Restorer) -> list[Tile]:
    height, width = portrait.shape[:2]
    small = bicubic_resize(portrait, width=width // 4, height=height // 4)
    given = decode_image(encode_jpeg(small, quality=60), name="the reduced portrait")
    size = {"width": given.shape[1] * 4, "height": given.shape[0] * 4}
    hard_pixels = np.repeat(np.repeat(given, 4, axis=0), 4, axis=1)
    return [
        Tile(_cut(hard_pixels, FACE), "given"),
        Tile(_cut(lanczos_resize(given, **size), FACE), "Lanczos"),
        Tile(_cut(fidelity.restore(given, scale=4), FACE), "nets-psnr"),
        Tile(_cut(eye.restore(given, scale=4), FACE), "nets (the default)"),
        Tile(_cut(portrait, FACE), "original"),
    ]


def _cleaned(portrait: Image, restorer: Restorer, quality: int) -> list[Tile]:
    given = decode_image(encode_jpeg(portrait, quality=quality), name="the compressed portrait")
    restored = restorer.restore(given, scale=1)
    return [
        Tile(_cut(given, FACE), "given"),
        Tile(_cut(restored, FACE), "restored"),
        Tile(_cut(portrait, FACE), "original"),
    ]


def _cut(image: Image, box: Box) -> Image:
    return np.ascontiguousarray(image[box.top : box.bottom, box.left : box.right])


if __name__ == "__main__":
    main()

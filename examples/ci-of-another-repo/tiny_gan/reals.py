"""Write the real pictures: `python -m tiny_gan.reals real.npy`. Yours are somewhere already."""

import sys

import numpy as np

from tiny_gan.pictures import draw

COUNT = 512


def main() -> None:
    """Write them to the place that the first argument names, uint8 (512, 32, 32, 3)."""
    images = draw(COUNT, seed=2018, sharpness=4.0)
    np.save(sys.argv[1], images.transpose(0, 2, 3, 1))


if __name__ == "__main__":
    main()

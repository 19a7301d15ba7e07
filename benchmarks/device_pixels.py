"""The build's device pipeline against the host's, photograph by photograph: pixels and ranking.

    python benchmarks/device_pixels.py --data celeba_wild [--device cuda] [--size 1024] [--json F]

Both take the same photographs through the same nets. What must hold: no value of a crop is more
than a grey level apart, and both rank the photographs alike. The exit code is 1 where it does not.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pgan_toolkit.celebahq import PROFILES, find_photographs
from pgan_toolkit.celebahq.on_device import DeviceRenderer
from pgan_toolkit.celebahq.rendering import HostRenderer
from pgan_toolkit.imaging import decode_image
from pgan_toolkit.restoration import open_restorer
from pgan_toolkit.restoration.nets import NetRestorer


@dataclass(frozen=True)
class Pair:
    """One photograph by both."""

    name: str
    host_score: float
    device_score: float
    largest_difference: int
    share_of_values_apart: float


def main() -> int:
    """Compare, print and, if asked, write the result."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, required=True, help="CelebA in-the-wild's folder")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--restorer", default="nets")
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    restorer = open_restorer(arguments.restorer, device=arguments.device)
    if not isinstance(restorer, NetRestorer):
        parser.error(f"--restorer {arguments.restorer}: the device pipeline takes nets alone")
    pairs = list(compare(arguments.data, restorer, size=arguments.size))
    result = {
        "device": str(restorer.device),
        "restorer": restorer.identity,
        "torch": torch.__version__,
        "size": arguments.size,
        **summarize(pairs),
    }
    print(json.dumps(result, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0 if result["largest_difference"] <= 1 and result["same_order"] else 1


def compare(folder: Path, restorer: NetRestorer, *, size: int) -> Iterator[Pair]:
    """Yield every photograph of the landmark table that is there."""
    host = HostRenderer(PROFILES["paper"], restorer, output_size=size)
    device = DeviceRenderer(PROFILES["paper"], restorer, output_size=size)
    for photograph in find_photographs(folder):
        if photograph.problem is not None or photograph.landmarks is None:
            continue
        image = decode_image(
            photograph.path.read_bytes(), name=str(photograph.path), apply_orientation=False
        )
        expected = host.render_scored(image, photograph.landmarks)
        found = device.render_scored(image, photograph.landmarks)
        apart = np.abs(found.crop.astype(np.int16) - expected.crop)
        share = float((apart > 0).mean())
        yield Pair(photograph.key, expected.score, found.score, int(apart.max()), share)


def summarize(pairs: list[Pair]) -> dict[str, Any]:
    """What is said of all of them."""
    scores = np.array([(pair.host_score, pair.device_score) for pair in pairs])
    by_host, by_device = (np.argsort(column, kind="stable") for column in scores.T)
    return {
        "photographs": len(pairs),
        "largest_difference": max(pair.largest_difference for pair in pairs),
        "largest_share_of_values_apart": max(pair.share_of_values_apart for pair in pairs),
        "largest_difference_of_scores": float(np.abs(scores[:, 0] - scores[:, 1]).max()),
        "least_gap_between_scores": float(np.diff(np.sort(scores[:, 0])).min()),
        "same_order": bool((by_host == by_device).all()),
    }


if __name__ == "__main__":
    sys.exit(main())

"""Speed of feature extraction, beside pytorch-fid's, with weights drawn by a rule.

    python benchmarks/features.py --images 32 --batch-size 16 --json result.json

Both networks get the same weights and the same images in one run, by turns; of each the median of
the rounds is given, and of each round the ratio. Where pytorch-fid cannot be imported, that is
said, and ours alone is measured. Their greatest difference is given for images of 299x299, which
neither resizes; what is left of it is the scale, 2 x / 255 - 1 there and (x - 128) / 128 here.
"""

import argparse
import importlib
import importlib.metadata
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from pgan_toolkit.devices import find_device
from pgan_toolkit.evaluation.extractors import INCEPTION, FeatureExtractor, open_extractor
from pgan_toolkit.metrics.networks import InceptionV3, VggFeatures, seeded_tensors

Extract = Callable[[Tensor], Tensor]


def main() -> None:
    """Measure, print and write."""
    options = _options()
    torch.set_num_threads(options.threads)
    device = find_device(options.device)
    images = _images(options.images, options.size)
    tensors = seeded_tensors(InceptionV3())
    ours = _extractor(INCEPTION, tensors, device, options.batch_size)
    runs: dict[str, Extract] = {"ours": ours.features}
    result: dict[str, Any] = _described(options, device)
    try:
        runs["pytorch-fid"] = _pytorch_fid(tensors, device, options.batch_size)
        result["pytorch_fid"] = importlib.metadata.version("pytorch-fid")
    except (ImportError, RuntimeError) as error:
        result["pytorch_fid"] = f"not measured: {error}"
    if len(runs) > 1:
        result["greatest_difference"] = _difference(runs, _images(4, 299))
    result |= _rounds(runs, images, options.rounds)
    result["batch_dependence"] = _batch_dependence(ours, images[:8])
    if options.vgg:
        result["vgg16_images_per_second"] = _vgg(device, images[:8], options.batch_size)
    text = json.dumps(result, indent=1)
    print(text)
    if options.json:
        options.json.write_text(f"{text}\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--size", type=int, default=128, help="pixels")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="auto")
    parser.add_argument("--vgg", action="store_true", help="measure VGG-16, too")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def _images(count: int, size: int) -> Tensor:
    random = np.random.default_rng(0)
    return torch.from_numpy(random.integers(0, 256, (count, 3, size, size), dtype=np.uint8))


def _extractor(
    name: str, tensors: dict[str, Tensor], device: torch.device, batch_size: int
) -> FeatureExtractor:
    """Open it as every command does, from a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "drawn.safetensors"
        save_file(tensors, path)
        extractor = open_extractor(name, weights=path, device=device)
    extractor.batch_size = batch_size
    return extractor


def _pytorch_fid(tensors: dict[str, Tensor], device: torch.device, batch_size: int) -> Extract:
    """Its module, called as its `get_activations` does."""
    theirs: Any = importlib.import_module("pytorch_fid.inception")

    counters = {name: value for name, value in InceptionV3().state_dict().items() if not value.ndim}
    theirs.load_state_dict_from_url = lambda *_, **__: tensors | counters
    network = theirs.InceptionV3().eval().to(device)

    def extract(images: Tensor) -> Tensor:
        parts = []
        for batch in torch.split(images, batch_size):
            with torch.no_grad():
                found = network(batch.to(device).float() / 255)[0]
            parts.append(found.squeeze(3).squeeze(2).cpu())
        return torch.cat(parts)

    return extract


def _difference(runs: dict[str, Extract], images: Tensor) -> float:
    """Greatest difference of features, of the greatest feature."""
    ours, theirs = (extract(images) for extract in runs.values())
    return float((ours - theirs).abs().max() / theirs.abs().max())


def _rounds(runs: dict[str, Extract], images: Tensor, rounds: int) -> dict[str, Any]:
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for extract in runs.values():
        extract(images[: min(len(images), 8)])
    for _ in range(rounds):
        for name, extract in runs.items():
            start = time.perf_counter()
            extract(images)
            seconds[name].append(time.perf_counter() - start)
    measured: dict[str, Any] = {
        f"{name}_images_per_second": round(len(images) / statistics.median(taken), 2)
        for name, taken in seconds.items()
    }
    if len(seconds) > 1:
        ours, theirs = seconds.values()
        ratios = [other / mine for mine, other in zip(ours, theirs, strict=True)]
        measured["times_as_fast"] = round(statistics.median(ratios), 2)
        measured["times_as_fast_by_round"] = [round(ratio, 2) for ratio in ratios]
    return measured


def _batch_dependence(extractor: FeatureExtractor, images: Tensor) -> float:
    """Greatest difference of features alone and in a batch, of the greatest feature."""
    together = extractor.features(images)
    alone = torch.cat([extractor.features(image[None]) for image in images])
    return float((together - alone).abs().max() / together.abs().max())


def _vgg(device: torch.device, images: Tensor, batch_size: int) -> float:
    extractor = _extractor("vgg16", seeded_tensors(VggFeatures()), device, batch_size)
    extractor.features(images[:1])
    start = time.perf_counter()
    extractor.features(images)
    return round(len(images) / (time.perf_counter() - start), 2)


def _described(options: argparse.Namespace, device: torch.device) -> dict[str, Any]:
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "machine": platform.machine(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "images": options.images,
        "size_px": options.size,
        "batch_size": options.batch_size,
    }


if __name__ == "__main__":
    main()

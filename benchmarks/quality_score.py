"""Measure how well the quality score tells a clean picture from the same one spoilt.

Every clean picture meets every degradation in three strengths; a pair is right where the clean one
scores higher, a triple where clean > mild > medium > strong. Three known sharpness measures are
scored on the same pictures in the same run. Example::

    python benchmarks/quality_score.py --data ../shared/data --json build/quality.json
"""

import argparse
import itertools
import json
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import scipy.stats
from degradations import degradations
from skimage.measure import blur_effect

from pgan_toolkit.arrays import Image
from pgan_toolkit.celebahq.quality import quality_score
from pgan_toolkit.imaging import decode_image

SETS = {
    "portraits": ("faces_1024/*.png", 0),
    "celeba-hq": ("celeba_hq_samples/*.jpg", 0),
    "held out": ("photos_train/face_*.jpg", 25),
}
"""Name -> pictures, and how many of them to leave out: those were seen while constants changed.

The constants were chosen with the first two sets in sight, and the third's first 25 pictures; its
others were only ever scored with constants that were final at the time.
"""


def variance_of_laplacian(image: Image) -> float:
    """Variance of the Laplacian of the grey picture."""
    return float(cv2.Laplacian(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var())


def tenengrad(image: Image) -> float:
    """Mean squared Sobel gradient of the grey picture."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    gx, gy = cv2.Sobel(grey, cv2.CV_64F, 1, 0), cv2.Sobel(grey, cv2.CV_64F, 0, 1)
    return float((gx * gx + gy * gy).mean())


def sharpness_by_blur_effect(image: Image) -> float:
    """1 - scikit-image's blur_effect (Crete et al., 2007)."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return 1 - float(blur_effect(grey))  # type: ignore[no-untyped-call]


METHODS: dict[str, Callable[[Image], float]] = {
    "ours": quality_score,
    "laplacian": variance_of_laplacian,
    "tenengrad": tenengrad,
    "blur_effect": sharpness_by_blur_effect,
}


@dataclass(frozen=True)
class Scores:
    """Every score of one clean picture and of its spoilt versions.

    `spoilt` maps (family, name) to its three strengths; each entry maps method to score.
    """

    file: str
    clean: dict[str, float]
    spoilt: dict[tuple[str, str], list[dict[str, float]]]
    unchanged: dict[str, tuple[float, float]]
    seconds: float


def _all_methods(image: Image) -> dict[str, float]:
    return {name: method(image) for name, method in METHODS.items()}


def score_picture(path: Path) -> Scores:
    """Score one picture, its spoilt versions, and those that should not change."""
    cv2.setNumThreads(1)
    image = decode_image(path.read_bytes(), name=str(path))
    quality_score(image)
    start = time.perf_counter()
    quality_score(image)
    seconds = time.perf_counter() - start
    spoilt = {
        (d.family, d.name): [_all_methods(version(image)) for version in d.versions]
        for d in degradations()
    }
    unchanged = {
        name: (quality_score(before), quality_score(after))
        for name, before, after in neutral_changes(image)
    }
    return Scores(path.name, _all_methods(image), spoilt, unchanged, seconds)


def neutral_changes(image: Image) -> Iterable[tuple[str, Image, Image]]:
    """Yield (name, before, after) of changes that must not move the score.

    Brightness and contrast start from the picture squeezed into 30..221, so that nothing clips.
    """
    plain = np.asarray(np.rint(30 + 0.75 * image.astype(np.float64)), np.uint8)
    levels = plain.astype(np.float64)
    for shift in (-25, 25):
        yield f"brightness {shift:+d}", plain, np.asarray(levels + shift, np.uint8)
    for gain in (0.7, 1.15):
        stretched = np.rint((levels - 128) * gain + 128)
        yield f"contrast x{gain}", plain, np.asarray(stretched, np.uint8)
    yield "mirrored", image, np.ascontiguousarray(image[:, ::-1])
    for turns in (1, 2, 3):
        yield f"turned {90 * turns} deg", image, np.ascontiguousarray(np.rot90(image, turns))


def family_row(scores: list[Scores], family: str, method: str) -> dict[str, float]:
    """Pairs, triples and separation of one method on one family of degradations.

    `auc` takes every clean picture against every spoilt version of every picture; `auc_strong`
    against the strongest versions only.
    """
    pairs, triples, spoilt, strong = [], [], [], []
    for item in scores:
        clean = item.clean[method]
        for key, versions in item.spoilt.items():
            if key[0] != family:
                continue
            ladder = [clean, *(version[method] for version in versions)]
            pairs += [clean > value for value in ladder[1:]]
            triples.append(all(a > b for a, b in itertools.pairwise(ladder)))
            spoilt += ladder[1:]
            strong.append(ladder[-1])
    clean_scores = np.array([item.clean[method] for item in scores])[:, None]
    return {
        "pairs": len(pairs),
        "right": float(np.mean(pairs)),
        "monotone": float(np.mean(triples)),
        "auc": float(np.mean(clean_scores > np.array(spoilt))),
        "auc_strong": float(np.mean(clean_scores > np.array(strong))),
    }


def neutral_rows(scores: list[Scores]) -> dict[str, dict[str, float]]:
    """Largest change of score, pictures whose rank moved, and rank correlation, per change."""
    rows = {}
    for name in scores[0].unchanged:
        before, after = np.array([item.unchanged[name] for item in scores]).T
        moved = scipy.stats.rankdata(before) != scipy.stats.rankdata(after)
        rows[name] = {
            "max_change": float(np.abs(after - before).max()),
            "ranks_moved": int(moved.sum()),
            "spearman": float(scipy.stats.spearmanr(before, after).statistic),
        }
    return rows


def summary(scores: list[Scores]) -> dict[str, object]:
    """Everything that is reported about one set of pictures."""
    families = list(dict.fromkeys(key[0] for key in scores[0].spoilt))
    wrong: dict[str, list[str]] = defaultdict(list)
    for item in scores:
        for (_, name), versions in item.spoilt.items():
            for strength, version in enumerate(versions, 1):
                if version["ours"] >= item.clean["ours"]:
                    wrong[f"{name}: strength {strength}"].append(item.file)
    return {
        "pictures": len(scores),
        "milliseconds": 1000 * float(np.median([item.seconds for item in scores])),
        "families": {f: {m: family_row(scores, f, m) for m in METHODS} for f in families},
        "neutral": neutral_rows(scores),
        "wrong": wrong,
        "clean": {item.file: item.clean["ours"] for item in scores},
    }


def print_summary(name: str, result: dict[str, object]) -> None:
    """Print the tables of one set in Markdown."""
    print(f"\n## {name}: {result['pictures']} pictures, {result['milliseconds']:.0f} ms each\n")
    print(
        f"| {'right pairs, %':14} | pairs | " + " | ".join(METHODS) + " | monotone | AUC | strong |"
    )
    print("|" + "---|" * (len(METHODS) + 5))
    families: dict[str, dict[str, dict[str, float]]] = result["families"]  # type: ignore[assignment]
    for family, rows in families.items():
        ours = rows["ours"]
        cells = [f"{100 * rows[method]['right']:.1f}" for method in METHODS]
        cells += [
            f"{100 * ours['monotone']:.0f}",
            f"{ours['auc']:.2f}",
            f"{ours['auc_strong']:.2f}",
        ]
        print(f"| {family:14} | {ours['pairs']:.0f} | " + " | ".join(cells) + " |")
    print("\n| neutral change | max change of score | ranks moved | rank correlation |")
    print("|---|---|---|---|")
    neutral: dict[str, dict[str, float]] = result["neutral"]  # type: ignore[assignment]
    for change, row in neutral.items():
        print(
            f"| {change} | {row['max_change']:.4f} | {row['ranks_moved']} | {row['spearman']:.5f} |"
        )


def main() -> None:
    """Run the sets that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True, help="folder of the picture sets")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--limit", type=int, default=None, help="pictures per set")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--json", type=Path, default=None, help="write the results here")
    options = parser.parse_args()
    results = {}
    with ProcessPoolExecutor(options.workers) as pool:
        for name in options.sets:
            pattern, seen = SETS[name]
            paths = sorted(options.data.glob(pattern))[seen:][: options.limit]
            if not paths:
                parser.error(f"no pictures at {options.data / pattern}")
            results[name] = summary(list(pool.map(score_picture, paths)))
            print_summary(name, results[name])
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()

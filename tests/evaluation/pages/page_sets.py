"""Sets of pictures with one thing wrong each, and reports about them."""

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

from pgan_toolkit.evaluation.comparing import BaselineNote, Measured, Report, Score, Verdict
from pgan_toolkit.evaluation.pages import Side, SideStatistics
from pgan_toolkit.imaging import decode_image, encode_jpeg, encode_png
from pgan_toolkit.metrics.result import Result

HOSTILE = "<script>alert('x')</script>"


def scenes(seed: int, count: int, *, size: int = 32) -> np.ndarray:
    """Pictures of coloured patches with texture, of many kinds: uint8 (N, size, size, 3)."""
    rng = np.random.default_rng(seed)
    layout = rng.normal(0, 1, (count, size, size, 3))
    smooth = np.stack([gaussian_filter(each, (6, 6, 0), mode="wrap") for each in layout])
    smooth *= 45 / smooth.std()
    texture = np.stack([gaussian_filter(each, (0.7, 0.7, 0)) for each in layout])
    return np.clip(120 + smooth + 40 * texture, 0, 255).astype(np.uint8)


def rectangles(seed: int, count: int) -> np.ndarray:
    """Pictures of a few hard edges each, at any place: uint8 (N, 32, 32, 3)."""
    rng = np.random.default_rng(seed)
    images = rng.integers(96, 104, (count, 32, 32, 3))
    for image in images:
        for _ in range(3):
            top, left, height, width = rng.integers(0, 24), rng.integers(0, 24), 6, 10
            image[top : top + height, left : left + width] += rng.integers(-40, 40, 3)
    return np.clip(images, 0, 255).astype(np.uint8)


def blurred(images: np.ndarray) -> np.ndarray:
    return np.stack([gaussian_filter(each, (1.5, 1.5, 0)) for each in images])


def through_jpeg(images: np.ndarray) -> np.ndarray:
    files = [encode_jpeg(each, quality=40) for each in images]
    return np.stack([decode_image(data, name="it") for data in files])


def side_of(images: np.ndarray) -> Side:
    statistics = SideStatistics()
    statistics.update(images.transpose(0, 3, 1, 2))
    return statistics.compute()


def some_of(side: Side, places: np.ndarray) -> Side:
    """The side of a sample of the pictures; the histogram stays that of all."""
    names = {field.name for field in fields(Side)} - {"histogram"}
    return replace(side, **{name: getattr(side, name)[places] for name in names})


def write_pictures(folder: Path, images: np.ndarray, *, name: str = "") -> Path:
    folder.mkdir(parents=True)
    for number, image in enumerate(images):
        (folder / f"{number:03d}{name}.png").write_bytes(encode_png(image))
    return folder


def a_report(*, hostile: str = "", status: str = "fail") -> Report:
    """A report of an SWD with a baseline; `hostile` stands in every text that others give."""
    versions = {"pgan-toolkit": f"1{hostile}"}
    result = Result(
        metric="swd", value=9.5, images={"real": 40, "fake": 40}, convention=f"a {hostile}",
        components={"32": 12.0, "16": 7.0}, component_errors={"32": 0.5, "16": 0.2},
        standard_error=0.3, interval=(9.0, 10.0), seed=0, versions=versions,
        warnings=(f"40 images: the protocol takes 16,384 {hostile}",),
    )  # fmt: skip
    scores = [("swd.avg", 9.5, 0.3), ("swd.32", 12.0, 0.5), ("swd.16", 7.0, 0.2)]
    verdict = Verdict(
        score="swd.avg", kind="max", status=status, message=f"9.5 is above 8 {hostile}",
        value=9.5, limit=8.0, caution=f"40 images {hostile}",
    )  # type: ignore[arg-type]  # fmt: skip
    return Report(
        real={"path": f"real{hostile}", "images": 40, "sha256": "ab" * 32},
        fake={"path": f"fake{hostile}", "images": 40, "encodings": {hostile or "PNG": 40}},
        measured={"swd": Measured(result=result, pictures={"real": "cd" * 32}, draws="d")},
        scores={
            name: Score(
                name=name, metric="swd", value=value, better="lower",
                headline=name == "swd.avg", standard_error=error,
            )
            for name, value, error in scores
        },
        skipped={f"fid{hostile}": f"no weights {hostile}"},
        verdicts=(verdict,),
        created="2026-01-02T03:04:05+00:00",
        versions=versions,
        baseline=BaselineNote(
            path=f"main{hostile}.json", created="2026-01-01T00:00:00+00:00", tolerance="2se",
            values={"swd.avg": 9.0, "swd.32": 11.0, "swd.16": 7.0},
        ),
    )  # fmt: skip

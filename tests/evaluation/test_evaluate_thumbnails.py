"""Real thumbnails against others of their kind, and against worse ones: what is said of each."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pgan_toolkit.evaluation import (
    Conditions,
    EvaluationSettings,
    ImageStream,
    Report,
    StreamSettings,
    evaluate,
)
from pgan_toolkit.evaluation.comparing import judge, report_json
from pgan_toolkit.imaging import decode_image, encode_jpeg, gaussian_blur, lanczos_resize

COUNT = 400
Change = Callable[[np.ndarray], np.ndarray]


def blurred(image: np.ndarray) -> np.ndarray:
    return gaussian_blur(image, sigma_px=1.0)


def compressed(image: np.ndarray) -> np.ndarray:
    return decode_image(encode_jpeg(image, quality=15), name="it")


def recoloured(image: np.ndarray) -> np.ndarray:
    return np.clip(0.7 * image + (60, 20, 0), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def thumbnails(shared_data: Path) -> tuple[np.ndarray, np.ndarray]:
    how = StreamSettings(images=2 * COUNT, mode="quiet")
    stream = ImageStream(shared_data / "celeba_thumbs_89x109.zip", how)
    images = [lanczos_resize(stream.image(n), width=64, height=64) for n in range(2 * COUNT)]
    return np.stack(images[:COUNT]), np.stack(images[COUNT:])


@pytest.fixture(scope="module")
def reports(
    thumbnails: tuple[np.ndarray, np.ndarray], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Report]:
    folder = tmp_path_factory.mktemp("thumbnails")
    real, fake = thumbnails
    np.save(folder / "real.npy", real)
    found = {}
    changes: dict[str, Change] = {
        "clean": lambda image: image,
        "blurred": blurred,
        "compressed": compressed,
        "recoloured": recoloured,
    }
    sets = {name: np.stack([change(each) for each in fake]) for name, change in changes.items()}
    sets["few"] = fake[np.arange(COUNT) % 4]  # four pictures, over and over
    for name, images in sets.items():
        np.save(folder / f"{name}.npy", images)
        found[name] = evaluate(
            folder / "real.npy",
            folder / f"{name}.npy",
            metrics=["swd", "ms-ssim"],
            images=COUNT,
            settings=EvaluationSettings(mode="quiet"),
        )
    base = folder / "base.json"
    base.write_bytes(report_json(found["clean"]))
    return {name: judge(report, Conditions(baseline=base)) for name, report in found.items()}


def value(report: Report, name: str) -> float:
    return report.scores[name].value


@pytest.mark.shared_data
@pytest.mark.slow
def test_what_swd_sees_is_a_regression(reports: dict[str, Report]) -> None:
    assert {name: each.status for name, each in reports.items()} == {
        "clean": "pass",
        "blurred": "fail",
        "compressed": "fail",
        "recoloured": "pass",  # alike in all pictures of a set: SWD normalises it away
        "few": "fail",
    }
    clean = reports["clean"]
    assert value(reports["blurred"], "swd.64") > 3 * value(clean, "swd.64")
    assert value(reports["blurred"], "swd.16") < 1.5 * value(clean, "swd.16")
    assert value(reports["compressed"], "swd.64") > 1.5 * value(clean, "swd.64")
    assert abs(value(reports["recoloured"], "swd.avg") / value(clean, "swd.avg") - 1) < 0.3


@pytest.mark.shared_data
@pytest.mark.slow
def test_pictures_that_come_again_are_seen_by_swd(reports: dict[str, Report]) -> None:
    assert value(reports["few"], "swd.16") > 2 * value(reports["clean"], "swd.16")


@pytest.mark.shared_data
@pytest.mark.slow
def test_errors_are_of_the_order_of_the_differences_between_samples(
    reports: dict[str, Report],
) -> None:
    for name in ("clean", "blurred"):
        score = reports[name].scores["swd.avg"]
        assert 0.02 < (score.standard_error or 0) / score.value < 0.5

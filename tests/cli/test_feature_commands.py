"""`fid`, `kid`, `inception-score` and `precision-recall` as a user sees them.

A small network stands in for Inception: what is tested is all that lies around it.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command_line import Outcome, run_main
from picture_sets import pictures, truncate, write_set
from torch import Tensor, nn

from pgan_toolkit.evaluation.extractors import FeatureExtractor
from pgan_toolkit.imaging import encode_png

COUNT = 40
COMMANDS = ("fid", "kid", "precision-recall", "inception-score")
DIGEST = "ab" * 32


class SmallNetwork(nn.Module):
    """Features are means of channels and cells; logits are random sums of them."""

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        cells = nn.functional.adaptive_avg_pool2d(images.float() / 64, 2).flatten(1)
        return cells, cells @ torch.linspace(-1, 1, 12 * 7).reshape(12, 7).sin()


@pytest.fixture(autouse=True)
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[FeatureExtractor]:
    """Put the small network in Inception's place, and a cache of the test's own."""
    made = []

    def open_small(name: str, *, device: torch.device, **_: object) -> FeatureExtractor:
        assert name == "inception-2015-12-05"
        extractor = FeatureExtractor(
            SmallNetwork(), name="small", device=device, digest=DIGEST, warnings=("it is small",)
        )
        made.append(extractor)
        return extractor

    monkeypatch.setattr("pgan_toolkit.evaluation.extractors.open_extractor", open_small)
    monkeypatch.setenv("PGAN_TOOLKIT_CACHE", str(tmp_path / "cache"))
    return made


@pytest.fixture
def real(tmp_path: Path) -> Path:
    return write_set(tmp_path / "real", pictures(0, COUNT))


@pytest.fixture
def fake(tmp_path: Path) -> Path:
    return write_set(tmp_path / "fake", pictures(5, COUNT) // 2)


def measured(tmp_path: Path, command: str, *words: object) -> tuple[Outcome, dict[str, Any]]:
    report = tmp_path / "out.json"
    done = run_main(command, *words, "--json", report, "--device", "cpu")
    assert done.code == 0, done.err
    [result] = json.loads(report.read_text())["results"]
    return done, result


def features(seed: int, *, divided_by: int = 1) -> np.ndarray:
    images = (pictures(seed, COUNT) // divided_by).transpose(0, 3, 1, 2) / 64
    return images.reshape(COUNT, 3, 2, 16, 2, 16).mean((3, 5)).reshape(COUNT, 12)


def test_fid_is_that_of_scipy(real: Path, fake: Path, tmp_path: Path) -> None:
    import scipy.linalg

    x, y = features(0), features(5, divided_by=2)
    s, t = np.cov(x.T), np.cov(y.T)
    root = scipy.linalg.sqrtm(s @ t).real
    expected = ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(s + t - 2 * root)
    done, result = measured(tmp_path, "fid", real, fake)
    assert result["value"] == pytest.approx(expected, rel=1e-5)
    assert result["extractor"] == f"small sha256:{DIGEST}"
    assert result["images"] == {"real": COUNT, "fake": COUNT}
    assert "warning: it is small" in done.err
    assert "40 real and 40 fake images: fewer than 2,048" in done.err
    assert f"{result['value']:.4f}" in done.out


@pytest.mark.parametrize("command", ["fid", "kid", "precision-recall"])
def test_cache_and_batches_change_nothing(
    real: Path, fake: Path, tmp_path: Path, command: str
) -> None:
    words = ["--subset-size", 20] if command == "kid" else []
    runs = [
        measured(tmp_path, command, real, fake, *words, *more)
        for more in ([], [], ["--no-cache"], ["--batch-size", 7, "--no-cache"])
    ]
    values = [result["value"] for _, result in runs]
    assert values == pytest.approx([values[0]] * 4, rel=1e-9, abs=1e-9)
    assert values[0] == values[1] == values[2]
    assert [done.err.count("real features") for done, _ in runs] == [1, 0, 1, 1]
    assert len(list((tmp_path / "cache" / "statistics").iterdir())) == 1


def test_all_metrics_share_the_cached_features(real: Path, fake: Path, tmp_path: Path) -> None:
    for number, command in enumerate(("fid", "kid", "precision-recall")):
        done, _ = measured(tmp_path, command, real, fake)
        assert ("real features" in done.err) == (number == 0)


def test_a_changed_file_and_another_network_are_never_served_stale(
    real: Path, fake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = measured(tmp_path, "fid", real, fake)[1]
    (real / "003.png").write_bytes(encode_png(pictures(77, 1)[0]))
    after = measured(tmp_path, "fid", real, fake)[1]
    assert after["value"] != before["value"]
    assert after["value"] == measured(tmp_path, "fid", real, fake, "--no-cache")[1]["value"]
    monkeypatch.setattr("test_feature_commands.DIGEST", "cd" * 32)
    done, _ = measured(tmp_path, "fid", real, fake)
    assert "real features" in done.err


def test_equal_sets_have_a_distance_of_zero(real: Path, tmp_path: Path) -> None:
    done, result = measured(tmp_path, "fid", real, real)
    assert 0 <= result["value"] < 1e-6
    assert "all its pictures are among the real ones" in done.err


def test_the_jackknife_gives_an_interval(real: Path, fake: Path, tmp_path: Path) -> None:
    done, result = measured(tmp_path, "fid", real, fake, "--jackknife", 5)
    low, high = result["interval"]
    assert low < result["value"] < high
    assert "extrapolated" in done.out


def test_statistics_stand_for_pictures(
    real: Path, fake: Path, tmp_path: Path, opened: list[FeatureExtractor]
) -> None:
    kept = tmp_path / "real.npz"
    _, direct = measured(tmp_path, "fid", real, fake, "--save-statistics", kept)
    _, by_file = measured(tmp_path, "fid", kept, fake)
    assert by_file["value"] == pytest.approx(direct["value"], rel=1e-6)
    assert by_file["images"] == direct["images"]
    opened.clear()
    _, itself = measured(tmp_path, "fid", kept, kept)
    assert itself["value"] < 1e-6
    assert itself["extractor"] == f"small sha256:{DIGEST}"
    assert opened == []  # no weights are asked for
    assert json.loads((tmp_path / "out.json").read_text())["sets"] == []


def test_statistics_of_others_are_read_with_a_warning(fake: Path, tmp_path: Path) -> None:
    x = features(0)
    np.savez(tmp_path / "theirs.npz", mu=x.mean(0), sigma=np.cov(x.T))
    done, _ = measured(tmp_path, "fid", tmp_path / "theirs.npz", fake)
    assert "real: the statistics do not say which network" in done.err
    assert "the number of images is not known" in done.err


def test_sets_in_npz_files_are_no_statistics(real: Path, fake: Path, tmp_path: Path) -> None:
    _, expected = measured(tmp_path, "fid", real, fake)
    stored = tmp_path / "images.npz"
    np.savez(stored, images=pictures(0, COUNT), labels=np.zeros(COUNT, np.int64))
    kept = tmp_path / "kept.npz"
    _, result = measured(tmp_path, "fid", stored, fake, "--save-statistics", kept)
    assert result["value"] == expected["value"]
    assert measured(tmp_path, "fid", kept, stored)[1]["value"] == pytest.approx(0, abs=1e-6)


def test_statistics_of_images_that_were_prepared_otherwise_are_refused(
    real: Path, fake: Path, tmp_path: Path
) -> None:
    kept, other = tmp_path / "real.npz", tmp_path / "other.npz"
    measured(tmp_path, "fid", real, fake, "--save-statistics", kept)
    with np.load(kept) as file:
        np.savez(other, **{**file, "convention": np.str_("cropped to 224 and standardised")})
    for words in ((other, fake), (kept, other)):
        done = run_main("fid", *words)
        assert (done.code, done.out) == (3, "")
        assert f"{other}: convention 'cropped to 224 and standardised'; expected that" in done.err
    assert measured(tmp_path, "fid", other, other)[1]["value"] == pytest.approx(0, abs=1e-6)


def test_wrong_statistics_are_told(
    real: Path, fake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "real.npz"
    measured(tmp_path, "fid", real, fake, "--save-statistics", kept)
    (tmp_path / "no.npz").write_bytes(b"nothing")
    monkeypatch.setattr("test_feature_commands.DIGEST", "cd" * 32)
    cases: list[tuple[list[object], int, str]] = [
        ([kept, fake], 3, "compute both sides with the same weights"),
        ([tmp_path / "no.npz", fake], 3, "is not a zip file"),
        ([tmp_path / "none.npz", fake], 2, "no such file"),
        ([kept, fake, "--save-statistics", tmp_path / "a.npz"], 2, "holds statistics already"),
        ([real, fake, "--save-statistics", tmp_path / "a.txt"], 2, "extension"),
    ]
    for words, code, said in cases:
        done = run_main("fid", *words)
        assert (done.code, done.out) == (code, ""), words
        assert said in done.err
        assert "internal error" not in done.err


def test_kid_is_that_of_its_definition(real: Path, fake: Path, tmp_path: Path) -> None:
    x, y = features(0), features(5, divided_by=2)
    kernels = [(a @ b.T / 12 + 1) ** 3 for a, b in ((x, x), (y, y), (x, y))]
    own = [(k.sum() - np.trace(k)) / COUNT / (COUNT - 1) for k in kernels[:2]]
    _, result = measured(tmp_path, "kid", real, fake, "--whole-sets", "--subset-size", 20)
    expected = sum(own) - 2 * kernels[2].mean()
    assert result["components"]["whole sets"] == pytest.approx(expected, rel=1e-4)
    assert result["value"] == pytest.approx(expected, rel=0.2)
    other = measured(tmp_path, "kid", real, fake, "--subset-size", 20, "--seed", 1)[1]
    assert other["value"] != result["value"]


def test_precision_recall_of_near_and_far_sets(real: Path, fake: Path, tmp_path: Path) -> None:
    near = write_set(tmp_path / "near", pictures(9, COUNT))
    far = write_set(tmp_path / "far", np.full((COUNT, 32, 32, 3), 255, np.uint8))
    good = measured(tmp_path, "precision-recall", real, near)[1]["components"]
    bad = measured(tmp_path, "precision-recall", real, far)[1]["components"]
    assert set(good) == {"precision", "recall", "density", "coverage"}
    assert good["precision"] > 0.5 > bad["precision"]
    assert bad["coverage"] == 0


def test_inception_score_of_one_class_is_one(tmp_path: Path) -> None:
    flat = write_set(tmp_path / "flat", np.full((20, 32, 32, 3), 9, np.uint8))
    _, result = measured(tmp_path, "inception-score", flat)
    assert result["value"] == pytest.approx(1, abs=1e-6)
    varied = write_set(tmp_path / "varied", pictures(0, 20))
    assert measured(tmp_path, "inception-score", varied, "--splits", 2)[1]["value"] > 1


@pytest.mark.parametrize("command", COMMANDS)
def test_bad_sets_are_told_without_a_traceback(real: Path, tmp_path: Path, command: str) -> None:
    (tmp_path / "empty").mkdir()
    damaged = write_set(tmp_path / "damaged", pictures(1, COUNT))
    truncate(damaged / "005.png")
    one = write_set(tmp_path / "one", pictures(1, 1))
    first = [] if command == "inception-score" else [real]
    cases = [
        (tmp_path / "none", 2, "no such file"),
        (tmp_path / "empty", 3, "is empty"),
        (damaged, 3, "005.png"),
        (one, 3, f"{one}: "),
    ]
    for folder, code, said in cases:
        done = run_main(command, *first, folder)
        assert (done.code, done.out) == (code, ""), folder
        assert said in done.err
        assert "internal error" not in done.err
    done = run_main(command, *first, damaged, "--skip-bad")
    assert done.code == 0
    assert "1 unreadable picture left out" in done.err


@pytest.mark.parametrize("command", ["fid", "kid", "precision-recall"])
def test_a_single_picture_is_refused_before_features_are_extracted(
    real: Path, tmp_path: Path, command: str
) -> None:
    one = write_set(tmp_path / "one", pictures(1, 1))
    for sets in ((real, one), (one, real)):
        done = run_main(command, *sets)
        assert (done.code, done.out) == (3, "")
        assert done.err.startswith(f"error: {one}: 1 image; ")
        assert done.err.endswith(" or more; use more pictures\n")


def test_sizes_may_be_mixed_and_are_told_also_from_the_cache(
    real: Path, fake: Path, tmp_path: Path
) -> None:
    (real / "big.png").write_bytes(encode_png(pictures(3, 1, size=64)[0]))
    for _ in range(2):
        done, result = measured(tmp_path, "fid", real, fake)
        assert f"{real}: pictures of 2 sizes: 32x32 (40), 64x64 (1)" in done.err
        assert result["images"] == {"real": COUNT + 1, "fake": COUNT}


def test_a_device_without_memory_is_told(real: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(SmallNetwork, "forward", refuse)
    done = run_main("inception-score", real)
    assert done.code == 4
    assert "--device cpu" in done.err

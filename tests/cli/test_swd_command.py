"""`pgan-toolkit swd` as a user sees it."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Outcome, run_main
from picture_sets import pictures, truncate, write_set

from pgan_toolkit.imaging import encode_png
from pgan_toolkit.metrics.swd import sliced_wasserstein_distance

COUNT = 24


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("PGAN_TOOLKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "statistics"


@pytest.fixture
def real(tmp_path: Path) -> Path:
    return write_set(tmp_path / "real", pictures(0, COUNT))


@pytest.fixture
def fake(tmp_path: Path) -> Path:
    return write_set(tmp_path / "fake", pictures(5, COUNT))


def measured(tmp_path: Path, *words: object) -> tuple[Outcome, list[dict[str, Any]]]:
    report = tmp_path / "out.json"
    done = run_main("swd", *words, "--json", report, "--device", "cpu")
    assert done.code == 0, done.err
    return done, json.loads(report.read_text())["results"]


def tensors(seed: int) -> np.ndarray:
    return np.ascontiguousarray(pictures(seed, COUNT).transpose(0, 3, 1, 2))


def test_the_number_is_that_of_the_function(real: Path, fake: Path, tmp_path: Path) -> None:
    expected = sliced_wasserstein_distance(tensors(0), tensors(5))
    done, [result] = measured(tmp_path, real, fake)
    assert result["value"] == expected.value
    assert result["components"] == dict(expected.components)
    assert result["title"] == f"{fake} against {real}"
    assert f"{expected.value:.4f}" in done.out
    assert f"+- {expected.standard_error:.4f}"[:8] in done.out
    assert "24 images: the protocol takes 16,384" in done.err


def test_batches_and_the_cache_change_nothing(
    real: Path, fake: Path, tmp_path: Path, cache: Path
) -> None:
    runs = [
        measured(tmp_path, real, fake, *words)
        for words in ([], [], ["--no-cache"], ["--batch-size", 5, "--no-cache"])
    ]
    assert all(results == runs[0][1] for _, results in runs)
    assert [
        sum(line.startswith("real: 24 images") for line in done.err.splitlines())
        for done, _ in runs
    ] == [1, 0, 1, 1]
    assert len(list(cache.iterdir())) == 1


def test_the_cache_never_serves_a_changed_file(real: Path, fake: Path, tmp_path: Path) -> None:
    before = measured(tmp_path, real, fake)[1]
    path = real / "003.png"
    changed = pictures(77, 1)[0]
    path.write_bytes(encode_png(changed))
    after = measured(tmp_path, real, fake)[1]
    assert after != before
    assert after == measured(tmp_path, real, fake, "--no-cache")[1]


def test_nor_one_of_the_same_size_and_time(real: Path, fake: Path, tmp_path: Path) -> None:
    swapped = [real / "003.png", real / "004.png"]
    longest = max(path.stat().st_size for path in swapped)
    contents = [path.read_bytes().ljust(longest, b"\0") for path in swapped]
    for path, data in zip(swapped, contents, strict=True):
        path.write_bytes(data)
    before = measured(tmp_path, real, fake)[1]
    for path, data in zip(swapped, reversed(contents), strict=True):
        status = path.stat()
        path.write_bytes(data)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        assert path.stat().st_size == status.st_size
    after = measured(tmp_path, real, fake)[1]
    assert after != before
    assert after == measured(tmp_path, real, fake, "--no-cache")[1]


def test_repeats_share_the_patches_in_the_cache(
    real: Path, fake: Path, tmp_path: Path, cache: Path
) -> None:
    one = measured(tmp_path, real, fake, "--repeats", 2)[1]
    assert one == measured(tmp_path, real, fake, "--repeats", 2, "--no-cache")[1]
    measured(tmp_path, real, fake)
    assert len(list(cache.iterdir())) == 1
    measured(tmp_path, real, fake, "--seed", 1)
    assert len(list(cache.iterdir())) == 2


def test_a_damaged_entry_is_computed_again(
    real: Path, fake: Path, tmp_path: Path, cache: Path
) -> None:
    before = measured(tmp_path, real, fake)[1]
    entry = next(cache.iterdir())
    data = entry.read_bytes()
    entry.write_bytes(data[: len(data) // 2])
    done, after = measured(tmp_path, real, fake)
    assert after == before
    assert "computed again" in done.err


def test_several_fakes_are_measured_as_each_alone(real: Path, fake: Path, tmp_path: Path) -> None:
    other = write_set(tmp_path / "other", pictures(9, COUNT))
    done, results = measured(tmp_path, real, fake, other, "--floor")
    alone = measured(tmp_path, real, other)[1]
    assert results[1] == alone[0]
    titles = [f"{fake} against {real}", f"{other} against {real}", f"{real} against itself"]
    assert [each["title"] for each in results] == titles
    assert all(title in done.out for title in titles)
    assert results[2]["images"] == {"real": COUNT // 2, "fake": COUNT // 2}


def test_bootstrap_gives_an_interval(real: Path, fake: Path, tmp_path: Path) -> None:
    done, [result] = measured(tmp_path, real, fake, "--bootstrap", 3)
    low, high = result["interval"]
    assert low < result["value"] < high
    assert "95 % interval" in done.out


def test_unequal_sets_are_cut_to_the_same_number(real: Path, tmp_path: Path) -> None:
    small = write_set(tmp_path / "small", pictures(5, 10))
    done, [result] = measured(tmp_path, real, small)
    assert result["images"] == {"real": 10, "fake": 10}
    assert f"{real}: takes part with 10 of its 24 images, as many as {small} has" in done.err
    assert measured(tmp_path, real, small, "--images", 10)[1][0]["value"] == result["value"]


def test_a_set_against_itself_or_a_copy_is_told(real: Path, tmp_path: Path) -> None:
    shutil.copytree(real, tmp_path / "copy")
    for other in (real, tmp_path / "copy"):
        done, _ = measured(tmp_path, real, other)
        assert "all its pictures are among the real ones, byte for byte" in done.err
    for number in range(20):
        (tmp_path / "copy" / f"{number:03d}.png").write_bytes(
            encode_png(pictures(100 + number, 1)[0])
        )
    done, _ = measured(tmp_path, real, tmp_path / "copy")
    assert "4 of its 24 pictures found among the real ones" in done.err


def test_a_fake_given_twice_is_wrong_usage(real: Path, fake: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(fake)
    for again in (fake, tmp_path / "link"):
        done = run_main("swd", real, fake, again)
        assert (done.code, done.out) == (2, "")
        assert f"{again}: given twice" in done.err


def test_lossy_against_lossless_is_told(real: Path, tmp_path: Path) -> None:
    lossy = write_set(tmp_path / "lossy", pictures(5, COUNT), jpeg=True)
    done, _ = measured(tmp_path, real, lossy)
    assert f"{real} is lossless (PNG), {lossy} is lossy (JPEG)" in done.err


def bad_sets(tmp_path: Path) -> dict[str, tuple[Path, int, str]]:
    """By name: a fake set, the exit code, and what is said."""
    (tmp_path / "empty").mkdir()
    mixed = write_set(tmp_path / "mixed", pictures(1, COUNT))
    (mixed / "007.png").write_bytes(encode_png(pictures(1, 1, size=64)[0]))
    damaged = write_set(tmp_path / "damaged", pictures(1, COUNT))
    truncate(damaged / "005.png")
    return {
        "missing": (tmp_path / "none", 2, "no such file or folder"),
        "empty": (tmp_path / "empty", 3, "the folder is empty"),
        "mixed": (mixed, 3, "007.png: 64x64 pixels, where"),
        "damaged": (damaged, 3, "005.png: the picture is damaged"),
        "larger": (
            write_set(tmp_path / "larger", pictures(1, 3, size=64)), 3, "has 32x32; crop or resize",
        ),
    }  # fmt: skip


def test_bad_sets_are_told_without_a_traceback(real: Path, tmp_path: Path) -> None:
    for name, (folder, code, said) in bad_sets(tmp_path).items():
        done = run_main("swd", real, folder)
        assert (done.code, done.out) == (code, ""), name
        assert said in done.err, name
        assert "Traceback" not in done.err
        assert "internal error" not in done.err


def test_sizes_that_do_not_halve_are_told_before_anything_is_read(tmp_path: Path) -> None:
    sets = [write_set(tmp_path / name, pictures(n, 2)[:, :, :31]) for n, name in enumerate("ab")]
    done = run_main("swd", *sets)
    assert done.code == 3
    assert f"{sets[0]} and {sets[1]}: images of 31x32 pixels" in done.err
    assert "halve" in done.err
    assert "real: " not in done.err


def test_bad_pictures_can_be_skipped_and_are_counted(
    real: Path, fake: Path, tmp_path: Path
) -> None:
    truncate(fake / "005.png")
    truncate(fake / "006.png")
    done, [result] = measured(tmp_path, real, fake, "--skip-bad")
    assert result["images"] == {"real": 22, "fake": 22}
    assert "2 unreadable pictures left out, such as" in done.err
    assert any("unreadable" in warning for warning in result["warnings"])


def test_one_image_and_constant_images_give_finite_numbers(tmp_path: Path) -> None:
    sets = [
        write_set(tmp_path / name, np.full((count, 32, 32, 3), 128, np.uint8))
        for name, count in (("a", 3), ("b", 1))
    ]
    done, [result] = measured(tmp_path, *sets)
    assert done.code == 0
    assert np.isfinite(result["value"])
    assert "the same everywhere" in done.err
    done = run_main("swd", *sets, "--floor")
    assert done.code == 3
    assert f"{sets[0]}: " in done.err
    assert "real against real takes two or more" in done.err


def test_a_report_that_cannot_be_written_is_told_first(real: Path, fake: Path) -> None:
    done = run_main("swd", real, fake, "--json", real / "no" / "out.json")
    assert (done.code, done.out) == (2, "")
    assert "there is no folder" in done.err
    assert "real: " not in done.err


def test_quiet_leaves_the_report_alone(real: Path, fake: Path, tmp_path: Path) -> None:
    done, results = measured(tmp_path, real, fake, "--quiet")
    assert (done.out, done.err) == ("", "")
    assert len(results) == 1


def test_an_unknown_device_is_told(real: Path, fake: Path) -> None:
    assert run_main("swd", real, fake, "--device", "tpu").code == 2
    done = run_main("swd", real, fake, "--device", "cuda:99")
    assert done.code == 4
    assert "cuda:99" in done.err

"""`pgan-toolkit ms-ssim` as a user sees it."""

import importlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import run_main
from picture_sets import pictures, write_set

from pgan_toolkit.metrics.ms_ssim import ms_ssim


def test_the_number_is_that_of_the_function(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "fake", pictures(0, 12))
    expected = ms_ssim(np.ascontiguousarray(pictures(0, 12).transpose(0, 3, 1, 2)))
    report = tmp_path / "out.json"
    done = run_main("ms-ssim", folder, "--json", report, "--device", "cpu", "--batch-size", 5)
    assert done.code == 0
    content = json.loads(report.read_text())
    assert content["format"] == "pgan-toolkit results"
    [result] = content["results"]
    assert result["value"] == expected.value
    assert result["standard_error"] == expected.standard_error
    assert content["sets"][0]["images"] == 12
    assert content["sets"][0]["sizes"] == {"32x32": 12}
    assert len(content["sets"][0]["sha256"]) == 64
    assert "12 images: the protocol takes 20,000" in done.err


def test_the_choice_of_images_is_written_down(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "fake", pictures(0, 12))
    report = tmp_path / "out.json"
    run_main("ms-ssim", folder, "--json", report, "--images", 6, "--seed", 3, "--quiet")
    [read] = json.loads(report.read_text())["sets"]
    assert (read["images"], read["images_in_set"], read["chosen_by_seed"]) == (6, 12, 3)


def test_equal_pictures_score_one(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "fake", pictures(0, 1).repeat(4, axis=0))
    done = run_main("ms-ssim", folder)
    assert (done.code, done.out.splitlines()[1].split()[:2]) == (0, ["ms-ssim", "1.0000"])


@pytest.mark.parametrize("count", [12, 140])  # one group, incomplete; one that is complete too
def test_a_device_without_memory_is_told(
    count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    folder = write_set(tmp_path / "fake", pictures(0, count))
    module = importlib.import_module("pgan_toolkit.metrics.ms_ssim")  # the function hides it
    monkeypatch.setattr(module, "similarities", full)
    done = run_main("ms-ssim", folder, "--device", "cpu")
    assert (done.code, done.out) == (4, "")
    assert "cpu: not enough free memory" in done.err
    assert "--batch-size" in done.err
    assert "internal error" not in done.err


@pytest.mark.parametrize(("count", "size", "said"), [(1, 32, "expected 2"), (4, 8, "8x8")])
def test_too_few_or_too_small_pictures_are_told(
    tmp_path: Path, count: int, size: int, said: str
) -> None:
    folder = write_set(tmp_path / "fake", pictures(0, count, size=size))
    done = run_main("ms-ssim", folder)
    assert (done.code, done.out) == (3, "")
    assert said in done.err
    assert "internal error" not in done.err


def test_the_standard_convention_says_from_which_size_it_works(tmp_path: Path) -> None:
    done = run_main(
        "ms-ssim", write_set(tmp_path / "fake", pictures(0, 2)), "--convention", "standard"
    )
    assert done.code == 3
    assert "161" in done.err

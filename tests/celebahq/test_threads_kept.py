"""A caller's process has its threads again after work that was done in it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest
import threadpoolctl
import torch

from pgan_toolkit.celebahq import BuildSettings, build_dataset, build_html, rank_pictures
from pgan_toolkit.celebahq.samples import write_samples
from pgan_toolkit.errors import DataError
from pgan_toolkit.imaging import limit_threads, threads_kept
from pgan_toolkit.restoration.networks import RedNet, RedNetConfig, SRResNet, SRResNetConfig
from pgan_toolkit.restoration.weights import save_network

KEYS = ("blur_2", "original", "dark")


@pytest.fixture(autouse=True)
def _three_threads() -> Iterator[None]:
    with threads_kept():
        limit_threads(3)
        torch.set_num_threads(3)
        yield


def _threads() -> set[int]:
    pools = threadpoolctl.threadpool_info()
    return {cv2.getNumThreads(), torch.get_num_threads(), *(p["num_threads"] for p in pools)}


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three of the sample photographs, with the table of all."""
    folder = tmp_path_factory.mktemp("few") / "wild"
    write_samples(folder)
    for photograph in (folder / "img_celeba").iterdir():
        if photograph.stem not in KEYS:
            photograph.unlink()
    return folder


@pytest.fixture(scope="module")
def nets(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Small nets of random weights: with them torch is limited too."""
    folder = tmp_path_factory.mktemp("nets")
    save_network(folder / "j.safetensors", RedNet(RedNetConfig(layers=2, maps=4)), task="jpeg")
    superres = SRResNet(SRResNetConfig(blocks=1, maps=4))
    save_network(folder / "s.safetensors", superres, task="superres")
    return f"nets:jpeg={folder}/j.safetensors,superres={folder}/s.safetensors"


def test_a_build_and_its_page_leave_the_threads_as_they_were(
    few: Path, nets: str, tmp_path: Path
) -> None:
    settings = BuildSettings(
        src=few, out=tmp_path / "hq", count=1, size=64, workers=1, restorer=nets, device="cpu"
    )
    summary = build_dataset(settings, mode="quiet")
    assert _threads() == {3}
    assert b"crop dark" in build_html(settings, summary)  # made anew, by a worker in this process
    assert _threads() == {3}


def test_a_build_that_fails_does_so_too(few: Path, nets: str, tmp_path: Path) -> None:
    source = tmp_path / "wild"
    shutil.copytree(few, source)
    (source / "img_celeba" / "dark.jpg").write_bytes(b"no picture")
    settings = BuildSettings(
        src=source, out=tmp_path / "hq", size=64, workers=1, restorer=nets, device="cpu",
        max_failures=0,
    )  # fmt: skip
    with pytest.raises(DataError, match="max-failures"):
        build_dataset(settings, mode="quiet")
    assert _threads() == {3}


def test_ranking_leaves_the_threads_as_they_were(few: Path) -> None:
    assert len(rank_pictures([few / "img_celeba" / "dark.jpg"], mode="quiet").pictures) == 1
    assert _threads() == {3}

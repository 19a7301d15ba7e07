"""What a worker makes of one photograph, and what it takes for the machine's fault."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pgan_toolkit.celebahq.crops import CropFolder
from pgan_toolkit.celebahq.detection import Face, FaceDetector
from pgan_toolkit.celebahq.photographs import Photograph, find_photographs
from pgan_toolkit.celebahq.work import Worker, WorkerSettings, score_photograph
from pgan_toolkit.errors import SetupError
from pgan_toolkit.imaging import Box
from pgan_toolkit.storage.reading import MOST_PICTURE_BYTES


@pytest.fixture
def settings(samples: Path, tmp_path: Path) -> WorkerSettings:
    return WorkerSettings(
        source=samples, profile="paper", restorer="lanczos", device="auto", precision="auto",
        pipeline="host", output_size=64, faces=None, predictor=None, restorer_identity="lanczos",
        crops=CropFolder(tmp_path / "crops"), spools_all=False,
    )  # fmt: skip


@pytest.fixture
def portrait(samples: Path) -> Photograph:
    return next(photo for photo in find_photographs(samples) if photo.key == "original")


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("CUDA error: unspecified launch failure\nCompile with TORCH_USE_CUDA_DSA"),
        RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
        Exception("OpenCV(4.11.0) error: (-4:Insufficient memory) Failed to allocate"),
    ],
)
def test_memory_and_a_gpu_that_fail_stop_the_build(
    settings: WorkerSettings,
    portrait: Photograph,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    def fails(*_: object) -> None:
        raise error

    worker = Worker(settings)
    monkeypatch.setattr(worker, "render_scored", fails)
    with pytest.raises(SetupError, match=r"original\.jpg: memory or the GPU fails.*run the same"):
        score_photograph(worker, portrait)


def test_another_error_is_the_photographs_own(
    settings: WorkerSettings, portrait: Photograph, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError("float division by zero")

    worker = Worker(settings)
    monkeypatch.setattr(worker, "render_scored", fails)
    (row,) = score_photograph(worker, portrait)
    assert (row.status, row.category) == ("failed", "unexpected error")


def test_a_worker_that_would_give_other_pixels_is_refused(settings: WorkerSettings) -> None:
    begun = replace(settings, restorer_identity="nets: jpeg abc, cpu amx_bf16, bfloat16")
    with pytest.raises(SetupError, match="restores by lanczos, where the build was begun by nets"):
        Worker(begun)


def test_a_file_that_is_too_large_for_a_picture_is_not_read(
    settings: WorkerSettings, portrait: Photograph, tmp_path: Path
) -> None:
    large = tmp_path / "large.jpg"
    with large.open("wb") as file:
        file.truncate(MOST_PICTURE_BYTES + 1)
    (row,) = score_photograph(Worker(settings), replace(portrait, path=large))
    assert row.category == "unreadable"
    assert f"{MOST_PICTURE_BYTES:,}" in row.reason


def test_of_every_face_those_that_cannot_be_used_are_left_out(
    settings: WorkerSettings, portrait: Photograph, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert portrait.landmarks is not None
    tiny = np.float32(100) + portrait.landmarks / 1000
    found = [Face(each, 1.0, Box(0, 0, 9, 9)) for each in (portrait.landmarks, tiny)]
    monkeypatch.setattr(FaceDetector, "__init__", lambda self, predictor: None)
    monkeypatch.setattr(FaceDetector, "detect_faces", lambda self, image, *, which: found)
    worker = Worker(replace(settings, faces="every"))
    (row,) = score_photograph(worker, portrait)
    assert (row.status, row.key) == ("scored", "original")
    del found[0]
    (row,) = score_photograph(worker, portrait)
    assert (row.status, row.category) == ("failed", "bad landmarks")

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.evaluation.statistics_files import (
    StoredStatistics,
    read_statistics,
    write_statistics,
)
from pgan_toolkit.metrics.frechet import frechet_distance
from pgan_toolkit.metrics.gaussian import Gaussian

MEAN = np.array([1.0, -2.0, 0.5])
COVARIANCE = np.array([[2.0, 0.5, 0.0], [0.5, 1.0, 0.25], [0.0, 0.25, 3.0]])
STORED = StoredStatistics(
    Gaussian(mean=MEAN, covariance=COVARIANCE, count=50_000), "inception sha256:abc", "TF1 resize"
)


def same(found: StoredStatistics, expected: StoredStatistics) -> bool:
    return (
        np.array_equal(found.gaussian.mean, expected.gaussian.mean)
        and np.array_equal(found.gaussian.covariance, expected.gaussian.covariance)
        and found.gaussian.count == expected.gaussian.count
        and (found.extractor, found.convention) == (expected.extractor, expected.convention)
    )


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_statistics(tmp_path / "new" / "real.npz", STORED)
    assert same(read_statistics(tmp_path / "new" / "real.npz"), STORED)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["real.npz"]


def test_others_can_read_ours(tmp_path: Path) -> None:
    write_statistics(tmp_path / "real.npz", STORED)
    with np.load(tmp_path / "real.npz", allow_pickle=False) as file:
        assert sorted(file) == ["convention", "extractor", "format", "mu", "n", "sigma"]
        assert np.array_equal(file["mu"][:], MEAN)
        assert np.array_equal(file["sigma"][:], COVARIANCE)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_statistics_of_pytorch_fid_and_clean_fid(tmp_path: Path, dtype: type) -> None:
    np.savez_compressed(
        tmp_path / "theirs.npz", mu=MEAN.astype(dtype), sigma=COVARIANCE.astype(dtype)
    )
    found = read_statistics(tmp_path / "theirs.npz")
    expected = StoredStatistics(Gaussian(mean=MEAN, covariance=COVARIANCE, count=None))
    assert same(found, expected)
    result = frechet_distance(found.gaussian, STORED.gaussian)
    assert result.value == pytest.approx(0, abs=1e-12)
    assert result.warnings == ("real: the number of images is not known",)


def test_what_else_others_keep_in_the_file_is_not_read(tmp_path: Path) -> None:
    images = np.array([{"pickled": "images"}], dtype=object)
    np.savez(tmp_path / "theirs.npz", arr_0=images, mu=MEAN, sigma=COVARIANCE)
    found = read_statistics(tmp_path / "theirs.npz")
    assert same(found, StoredStatistics(Gaussian(mean=MEAN, covariance=COVARIANCE, count=None)))


def test_a_file_that_exists_is_kept(tmp_path: Path) -> None:
    write_statistics(tmp_path / "real.npz", STORED)
    with pytest.raises(UsageError, match="exists already"):
        write_statistics(tmp_path / "real.npz", STORED)
    write_statistics(tmp_path / "real.npz", STORED, overwrite=True)


def test_statistics_of_unknown_origin_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="without the number of images"):
        write_statistics(tmp_path / "real.npz", StoredStatistics(STORED.gaussian))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"mean": MEAN, "sigma": COVARIANCE}, "no mu among mean, sigma; expected mu"),
        ({}, "no mu and no sigma among nothing"),
        ({"mu": MEAN[:2], "sigma": COVARIANCE}, r"mean of shape \(2,\), covariance of \(3, 3\)"),
        ({"mu": MEAN, "sigma": COVARIANCE[:2]}, r"covariance of \(2, 3\)"),
        ({"mu": MEAN * np.nan, "sigma": COVARIANCE}, "NaN or infinity"),
        ({"mu": MEAN, "sigma": COVARIANCE + np.triu(COVARIANCE)}, "not symmetric"),
        ({"mu": MEAN, "sigma": -COVARIANCE}, "a variance of -3"),
        ({"mu": MEAN, "sigma": COVARIANCE + 5 * (1 - np.eye(3))}, "eigenvalues below 0"),
        ({"mu": np.array(["a"]), "sigma": COVARIANCE}, "mu holds <U1; expected real numbers"),
        ({"mu": MEAN, "sigma": COVARIANCE, "format": 1}, "no n and no extractor"),
    ],
)
def test_wrong_contents(tmp_path: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    path = tmp_path / "wrong.npz"
    np.savez(path, **arrays)
    with pytest.raises(DataError, match=f"wrong.npz: .*{message}"):
        read_statistics(path)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"format": np.int64(2)}, "format 2; this version of the toolkit reads 1"),
        ({"n": np.int64(1)}, "n = 1; expected 2"),
        ({"n": np.float64(5)}, "wrong type"),
        ({"extractor": np.array(["a", "b"])}, "wrong type"),
    ],
)
def test_wrong_contents_of_ours(
    tmp_path: Path, changed: dict[str, np.ndarray], message: str
) -> None:
    path = tmp_path / "wrong.npz"
    write_statistics(path, STORED)
    with np.load(path) as file:
        arrays = dict(file) | changed
    np.savez(path, **arrays)
    with pytest.raises(DataError, match=f"wrong.npz: .*{message}"):
        read_statistics(path)


def pickled() -> bytes:
    held = io.BytesIO()
    np.savez(held, mu=np.array([print], dtype=object), sigma=COVARIANCE, allow_pickle=True)
    return held.getvalue()


def single_array() -> bytes:
    held = io.BytesIO()
    np.save(held, MEAN)
    return held.getvalue()


def truncated() -> bytes:
    held = io.BytesIO()
    np.savez(held, mu=MEAN, sigma=COVARIANCE)
    return held.getvalue()[:-40]


def damaged() -> bytes:
    held = io.BytesIO()
    np.savez(held, mu=MEAN, sigma=COVARIANCE)
    data = bytearray(held.getvalue())
    data[data.index(MEAN.tobytes()) + 3] ^= 255  # which the archive's checksum sees
    return bytes(data)


def no_array() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("mu.npy", "text")
        archive.writestr("sigma.npy", "text")
    return held.getvalue()


@pytest.mark.parametrize(
    "data",
    [b"", b"nothing of the kind", pickled(), single_array(), truncated(), damaged(), no_array()],
    ids=["empty", "text", "pickle", "npy", "truncated", "damaged", "no array"],
)
def test_files_that_are_none(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "wrong.npz"
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"wrong.npz: "):
        read_statistics(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_statistics(tmp_path / "none.npz")

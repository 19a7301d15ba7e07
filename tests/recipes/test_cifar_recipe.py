import gzip
import io
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
from cifar_files import as_images, binary_batch, pictures, python_batch

from pgan_toolkit.errors import CheckFailed, DataError, UsageError
from pgan_toolkit.recipes import RECIPES
from pgan_toolkit.recipes.archives import read_members
from pgan_toolkit.recipes.cifar_batches import read_binary_batch

CIFAR10 = RECIPES["cifar10"]
BATCHES = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
PUBLISHED = [pictures(3, seed=seed) for seed in range(6)]


def _files(kind: str) -> dict[str, bytes]:
    write, suffix = (binary_batch, ".bin") if kind == "bin" else (python_batch, "")
    return {
        f"cifar-10-batches-{kind}/{name}{suffix}": write(*content)
        for name, content in zip(BATCHES, PUBLISHED, strict=True)
    }


def _unpacked(folder: Path, kind: str) -> Path:
    for name, data in _files(kind).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def _archive(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, data in reversed(files.items()):  # the published order is another one too
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def _source(folder: Path, kind: str, where: str) -> Path:
    if where == "archive":
        return _archive(folder / "any.tar.gz", _files(kind))
    if where == "folder of the archive":
        name = "cifar-10-python.tar.gz" if kind == "py" else "cifar-10-binary.tar.gz"
        return _archive(folder / name, _files(kind)).parent
    _unpacked(folder, kind)
    return folder if where == "download" else folder / f"cifar-10-batches-{kind}"


@pytest.mark.parametrize("kind", ["py", "bin"])
@pytest.mark.parametrize("where", ["archive", "folder of the archive", "download", "folder"])
@pytest.mark.parametrize("split", ["train", "test"])
def test_batches_become_pictures_in_their_order(
    tmp_path: Path, kind: str, where: str, split: str
) -> None:
    source = _source(tmp_path, kind, where)
    made = CIFAR10.open(source, split=split, verify=False)
    expected = PUBLISHED[:5] if split == "train" else PUBLISHED[5:]
    rows = np.concatenate([rows for rows, _ in expected])
    labels = np.concatenate([labels for _, labels in expected])
    assert np.array_equal([record.image for record in made], as_images(rows))
    assert [record.label for record in made] == labels.tolist()
    assert made.keys()[:2] == ("00000/img00000000", "00000/img00000001")
    assert (made.size_px, made.checked) == (32, "nothing")


def test_the_published_files_are_told_from_others(tmp_path: Path) -> None:
    _unpacked(tmp_path, "py")
    with pytest.raises(CheckFailed) as caught:
        CIFAR10.open(tmp_path)
    told = str(caught.value)
    first = tmp_path / "cifar-10-batches-py" / "data_batch_1"
    assert f"{first}: {first.stat().st_size:,} bytes, expected 31,035,704 (cut short)" in told
    assert "data_batch_5" in told
    assert "https://www.cs.toronto.edu/~kriz/cifar.html" in told
    assert "--no-verify" in told


def test_an_archive_of_another_name_or_size_is_refused(tmp_path: Path) -> None:
    source = _archive(tmp_path / "any.tar.gz", _files("py"))
    with pytest.raises(CheckFailed, match=r"not the name of a published file \(cifar-10-python"):
        CIFAR10.open(source)
    with pytest.raises(CheckFailed, match=r"expected 170,498,071 \(cut short\)"):
        CIFAR10.open(source.rename(tmp_path / "cifar-10-python.tar.gz"))


@pytest.mark.parametrize("verify", [True, False])
def test_what_is_no_archive_is_not_compared_with_one(tmp_path: Path, verify: bool) -> None:
    np.savez(tmp_path / "x.npz", np.zeros(3))
    with pytest.raises(
        DataError, match=r"x\.npz: is no tar archive; name .*python\.tar\.gz"
    ) as told:
        CIFAR10.open(tmp_path / "x.npz", verify=verify)
    assert "--no-verify" not in str(told.value)


def test_of_unpacked_binary_files_the_number_is_compared(tmp_path: Path) -> None:
    _unpacked(tmp_path, "bin")
    with pytest.raises(CheckFailed, match="holds 15 pictures, expected the 50,000 published"):
        CIFAR10.open(tmp_path)


def test_missing_and_other_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no data_batch_1 .*cifar-10-python\.tar\.gz"):
        CIFAR10.open(tmp_path, verify=False)
    _unpacked(tmp_path, "py")
    (tmp_path / "cifar-10-batches-py" / "data_batch_4").unlink()
    with pytest.raises(DataError, match="data_batch_4 missing"):
        CIFAR10.open(tmp_path, verify=False)
    with pytest.raises(UsageError, match="no such file or folder"):
        CIFAR10.open(tmp_path / "gone")


@pytest.mark.parametrize(
    ("words", "message"),
    [({"split": "valid"}, "--split valid: .*train, test"), ({"size_px": 64}, "--size 64: .*32")],
)
def test_splits_and_sizes_it_has_not_are_refused(
    tmp_path: Path, words: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        CIFAR10.open(tmp_path, **words)


def test_a_batch_of_gigabytes_is_not_read(tmp_path: Path) -> None:
    _unpacked(tmp_path, "py")
    with (tmp_path / "cifar-10-batches-py" / "data_batch_2").open("r+b") as file:
        file.truncate(10 * 2**30)  # a hole: takes no room
    with pytest.raises(DataError, match="10,737,418,240 bytes, more than any"):
        CIFAR10.open(tmp_path, verify=False)


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"", "0 bytes"), (bytes(3072), "3,072 bytes"), (b"\x0a" + bytes(3072), "label 10")],
)
def test_bad_binary_batches_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_binary_batch(data, name="data_batch_1.bin")


LIMITS = {"most_bytes": 100_000, "most_bytes_each": 50_000}


def test_members_are_read_by_their_last_names(tmp_path: Path) -> None:
    path = _archive(tmp_path / "a.tar.gz", {"x/a": b"1", "../../b": b"2", "/c": b"3"})
    assert read_members(path, {"a", "b"}, **LIMITS) == {"a": b"1", "b": b"2"}
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.tar.gz"]


def test_links_and_devices_in_an_archive_are_passed_over(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo("data_batch_1")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    assert read_members(tmp_path / "a.tar.gz", {"data_batch_1"}, **LIMITS) == {}


def _tar(*infos: tarfile.TarInfo) -> bytes:
    return b"".join(info.tobuf(tarfile.GNU_FORMAT) for info in infos) + bytes(1024)


def _info(size: int, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo("data_batch_1")
    info.size, info.type = size, kind
    return info


HOSTILE = {
    "no gzip": b"abc",
    "no tar": gzip.compress(b"abc" * 1000),
    "cut short": gzip.compress(_tar(_info(10)))[:-20],
    "a large member": gzip.compress(_tar(_info(50_001)) + bytes(60_000)),
    "a member larger than said": gzip.compress(_tar(_info(2**62))),
    "a negative size": gzip.compress(_tar(_info(-1))),
    "a long name": gzip.compress(_tar(_info(2**40, tarfile.GNUTYPE_LONGNAME)) + bytes(10**6)),
    "a large header": gzip.compress(_tar(_info(2**40, tarfile.XHDTYPE)) + bytes(10**6)),
    "headers of headers": gzip.compress(b"".join([_tar(_info(0, tarfile.XHDTYPE))[:512]] * 190)),
    "a bomb": gzip.compress((_tar(_info(48_640))[:512] + bytes(48_640)) * 200),
    "many members": gzip.compress(_tar(*[_info(0)] * 150)),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_archives_are_refused(what: str, tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    path.write_bytes(HOSTILE[what])
    with pytest.raises(DataError, match=str(path)):
        read_members(path, {"data_batch_1"}, **LIMITS)


@pytest.mark.shared_data
def test_real_pictures_come_back(shared_data: Path, tmp_path: Path) -> None:
    real = np.load(shared_data / "cifar10_4000.npz")
    images, labels = real["images"], real["labels"].astype(np.uint8)
    rows = images.transpose(0, 3, 1, 2).reshape(-1, 3072)
    for index, name in enumerate(BATCHES[:5]):
        part = slice(800 * index, 800 * (index + 1))
        (tmp_path / name).write_bytes(python_batch(rows[part], labels[part]))
    made = CIFAR10.open(tmp_path, verify=False)
    assert np.array_equal([record.image for record in made], images)
    assert [record.label for record in made] == labels.tolist()


def test_pickles_of_the_set_are_picklable_sources(tmp_path: Path) -> None:
    made = CIFAR10.open(_unpacked(tmp_path, "py"), verify=False)
    copy = pickle.loads(pickle.dumps(made))
    assert np.array_equal(copy[14].image, made[-1].image)
    with pytest.raises(IndexError):
        made[15]

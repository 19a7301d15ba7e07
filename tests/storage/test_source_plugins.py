"""Sources that other packages open: who is asked, when, and what is told of a broken one."""

import pickle
import sys
import textwrap
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from stored_sets import records, same, written

from pgan_toolkit.errors import DataError, SetupError
from pgan_toolkit.evaluation import ImageStream
from pgan_toolkit.storage import open_source, plugins

MODULE = textwrap.dedent(
    '''
    """A plugin as another repository would write it."""
    import numpy as np
    from pgan_toolkit.errors import DataError
    from pgan_toolkit.storage import PictureInfo, StoredSource

    asked = []

    class Noise(StoredSource):
        def __init__(self, path):
            super().__init__(
                path, format_name="noise", keys=["a", "b", "c"], labels=[None, None, None]
            )

        def _read(self, index):
            return np.full((8, 8, 3), index, np.uint8)

        def _inspect(self, index):
            return PictureInfo(8, 8, 192, "pixels")

    def open_noise(path):
        asked.append(path)
        return Noise(path) if (path / "network.pkl").is_file() else None

    def refuse(path):
        raise DataError(f"{path}: no checkpoint yet; train on")

    def fail(path):
        raise KeyError("weights")

    def mistake(path):
        return [1, 2, 3]
    '''
)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Put a package beside the others, with these entry points, as pip would."""
    site = tmp_path / "site"
    info = site / "noise_gan-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "noise_gan.py").write_text(MODULE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: noise-gan\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(str(site))

    def announce(**entries: str) -> None:
        lines = [f"{name} = {value}" for name, value in entries.items()]
        (info / "entry_points.txt").write_text("\n".join([f"[{plugins.GROUP}]", *lines]))

    yield announce
    sys.modules.pop("noise_gan", None)


def run_folder(tmp_path: Path, **files: bytes) -> Path:
    folder = tmp_path / "a_run"
    folder.mkdir()
    for name, data in files.items():
        (folder / name.replace("__", ".")).write_bytes(data)
    return folder


def test_a_folder_without_pictures_is_opened_by_its_package(
    tmp_path: Path, install: Callable[..., None]
) -> None:
    install(noise="noise_gan:open_noise")
    source = open_source(run_folder(tmp_path, network__pkl=b"", log__txt=b""))
    assert (source.format, len(source), list(source.keys())) == ("noise", 3, ["a", "b", "c"])
    assert np.array_equal(source[2].image, np.full((8, 8, 3), 2))
    assert same(pickle.loads(pickle.dumps(source)), list(source))
    stream = ImageStream(source)
    assert [batch.images.shape for batch in stream.batches()] == [(3, 3, 8, 8)]


def test_run_json_comes_before_pictures(tmp_path: Path, install: Callable[..., None]) -> None:
    install(noise="noise_gan:open_noise")
    folder = written(tmp_path / "set", records(), "folder")
    (folder / "network.pkl").write_bytes(b"")
    assert open_source(folder).format == "folder"
    (folder / "run.json").write_text("{}")
    assert open_source(folder).format == "noise"


def test_a_folder_of_pictures_stays_one(tmp_path: Path, install: Callable[..., None]) -> None:
    install(noise="noise_gan:open_noise")
    folder = written(tmp_path / "set", records(), "folder")
    assert same(open_source(folder), records())
    (folder / "run.json").write_text("{}")
    assert same(open_source(folder), records())


def test_nobody_is_asked_about_pictures_and_files(
    tmp_path: Path, install: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def looked_up(**_: object) -> None:
        raise AssertionError("entry points were looked up")

    monkeypatch.setattr(metadata, "entry_points", looked_up)
    for name in ("folder", "zip", "hdf5"):
        assert same(open_source(written(tmp_path / name, records(), name)), records())


@pytest.mark.parametrize("text", ["noise_gan:open_noise", "noise_gan:fail"])
def test_an_empty_folder_is_told_as_before(
    tmp_path: Path, install: Callable[..., None], text: str
) -> None:
    install(noise=text)
    error = DataError if text.endswith("open_noise") else SetupError
    with pytest.raises(error, match=r"the folder is empty|noise-gan failed"):
        open_source(run_folder(tmp_path))


def test_openers_are_asked_by_name_until_one_takes_the_folder(
    tmp_path: Path, install: Callable[..., None]
) -> None:
    install(b="noise_gan:open_noise", c="noise_gan:fail")
    assert open_source(run_folder(tmp_path, network__pkl=b"")).format == "noise"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("noise_gan:fail", "KeyError: 'weights'"),
        ("noise_gan:mistake", "it returned list, not a StoredSource or None"),
        ("noise_gan:gone", "AttributeError"),
        ("noise_gone:open_noise", "ModuleNotFoundError: No module named 'noise_gone'"),
    ],
)
def test_a_broken_package_is_named(
    tmp_path: Path, install: Callable[..., None], value: str, said: str
) -> None:
    install(noise=value)
    folder = run_folder(tmp_path, run__json=b"{}")
    with pytest.raises(SetupError) as caught:
        open_source(folder)
    message = str(caught.value)
    assert message.startswith(f"{folder}: the source plugin 'noise' ({value}) of noise-gan failed")
    assert said in message
    assert message.endswith("repair or uninstall noise-gan")


def test_what_an_opener_says_of_its_own_folder_is_told(
    tmp_path: Path, install: Callable[..., None]
) -> None:
    install(noise="noise_gan:refuse")
    with pytest.raises(DataError, match="no checkpoint yet; train on"):
        open_source(run_folder(tmp_path, run__json=b"{}"))


def test_for_ordinary_folders_no_package_is_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(**_: object) -> None:
        raise AssertionError("all installed packages were gone through")

    monkeypatch.setattr(metadata, "entry_points", never)
    assert len(open_source(written(tmp_path / "set", records(), "folder"))) == len(records())

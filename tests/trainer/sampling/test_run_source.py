"""A run as a data set: the same bits in any order, by threads, after a pickle, in the metrics."""

import pickle
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from tiny_generator import sampler_of, tiny_sampler

from pgan_toolkit.evaluation import ImageStream, StreamSettings
from pgan_toolkit.storage import PictureInfo, open_source
from reference_trainer.sampling.generate import records_of_seeds
from reference_trainer.sampling.grids import present_classes
from reference_trainer.sampling.run_source import RunSource, open_run


def conditional() -> object:
    return sampler_of(label_count=3)


@pytest.fixture
def source(tmp_path: Path) -> RunSource:
    return RunSource(tmp_path, open_sampler=tiny_sampler, resolution=16)


def test_picture_i_is_that_of_seed_i(source: RunSource) -> None:
    assert len(source) == 50_000
    record = source[123]
    assert (record.key, record.label) == ("seed000123", None)
    assert record.image.flags.c_contiguous
    expected = tiny_sampler().of_seed(123)[0].permute(1, 2, 0).numpy()
    assert np.array_equal(record.image, expected)
    assert source[-1].key == "seed049999"
    with pytest.raises(IndexError):
        source[50_000]


def test_nothing_is_drawn_to_say_what_there_is(tmp_path: Path) -> None:
    def never() -> object:
        raise AssertionError("the generator was loaded")

    source = RunSource(tmp_path, open_sampler=never, resolution=16, label_count=3)
    assert source.info(7) == PictureInfo(16, 16, 768, "pixels")
    assert source.encoded(7) is None
    assert source.name(7) == f"{tmp_path}: seed000007"
    assert (source.format, source.ignored) == ("training run", ())
    assert list(source.labels()[:4]) == [0, 1, 2, 0]


def test_any_order_gives_the_same_bits(source: RunSource, tmp_path: Path) -> None:
    indices = list(range(0, 50_000, 977))
    forward = {index: source[index].image.tobytes() for index in indices}
    other = RunSource(tmp_path, open_sampler=tiny_sampler, resolution=16)
    random.Random(0).shuffle(indices)
    assert all(other[index].image.tobytes() == forward[index] for index in indices)


def test_several_threads_may_read(source: RunSource) -> None:
    expected = [source[index].image for index in range(64)]
    fresh = pickle.loads(pickle.dumps(source))
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda index: fresh[index].image, range(64)))
    assert all(map(np.array_equal, got, expected))


def test_the_generator_is_loaded_once(tmp_path: Path) -> None:
    loaded = []

    def load() -> object:
        loaded.append(1)
        return tiny_sampler()

    source = RunSource(tmp_path, open_sampler=load, resolution=16)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(source.__getitem__, range(32)))
    assert loaded == [1]


def test_a_pickle_holds_no_weights_and_draws_the_same(tmp_path: Path) -> None:
    source = RunSource(tmp_path, open_sampler=conditional, resolution=16, label_count=3)
    before = len(pickle.dumps(source))
    image = source[5].image
    data = pickle.dumps(source)
    assert len(data) == before
    again = pickle.loads(data)
    assert np.array_equal(again[5].image, image)
    assert again[5].label == 2


def test_metrics_read_it_as_any_set(source: RunSource) -> None:
    stream = ImageStream(source, StreamSettings(images=40, batch_size=16, mode="quiet"))
    batches = list(stream.batches())
    assert [len(batch.images) for batch in batches] == [16, 16, 8]
    assert stream.size == (16, 16)
    assert stream.warnings() == ()
    assert stream.describe()["encodings"] == {"pixels": 40}
    again = ImageStream(source, StreamSettings(images=40, workers=1, mode="quiet"))
    assert again.identities() == stream.identities()


def test_other_folders_are_left_to_others(tmp_path: Path) -> None:
    assert open_run(tmp_path) is None
    (tmp_path / "run.json").write_text('{"format": "another program\'s run"}')
    assert open_run(tmp_path) is None
    (tmp_path / "run.json").write_text("[1, 2")
    assert open_run(tmp_path) is None


def test_the_entry_point_is_installed() -> None:
    from importlib import metadata

    entries = metadata.entry_points(group="pgan_toolkit.sources")
    assert entries["run"].load() is open_run


def test_it_is_no_format_that_a_plain_folder_takes(tmp_path: Path) -> None:
    from pgan_toolkit.imaging import encode_png

    (tmp_path / "a.png").write_bytes(encode_png(np.zeros((8, 8, 3), np.uint8)))
    assert open_source(tmp_path).format == "folder"


def test_classes_without_pictures_have_no_turn(tmp_path: Path) -> None:
    classes = present_classes((60, 0, 0, 4))
    source = RunSource(
        tmp_path, open_sampler=conditional, resolution=16, label_count=4, classes=classes
    )
    assert list(source.labels()[:4]) == [0, 3, 0, 3]
    sampler = sampler_of(label_count=4, classes=classes)
    assert sampler.labels([0, 1, 7]).tolist() == [0, 3, 3]
    assert [record.label for record in records_of_seeds(sampler, [2, 5])] == [0, 3]

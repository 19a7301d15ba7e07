"""Pictures of many seeds: which seeds a text means, and what is written of them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_generator import sampler_of, tiny_sampler

from pgan_toolkit.errors import UsageError
from pgan_toolkit.storage import FORMATS, FormatName, open_sink, open_source
from reference_trainer.sampling.generate import draw_grid, parse_seeds, seed_key, write_pictures


def test_seeds_are_numbers_and_ranges() -> None:
    assert parse_seeds("0-3,77, 10 ,8-8") == [0, 1, 2, 3, 77, 10, 8]


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=20, unique=True))
def test_written_seeds_read_back(seeds: list[int]) -> None:
    assert parse_seeds(",".join(map(str, seeds))) == seeds


@pytest.mark.parametrize(("text", "said"), [
    ("", "such as 0-31,77"), ("a", "such as 0-31,77"), ("1,,2", "such as 0-31,77"),
    ("-3", "such as 0-31,77"), ("1-2-3", "such as 0-31,77"), ("1.5", "such as 0-31,77"),
    ("9-3", "write 3-9"), ("4,2-5", "4 is named twice"), ("0-99999999999", "more than 10,000,000"),
])  # fmt: skip
def test_bad_seeds_are_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_seeds(text)


@pytest.mark.parametrize("format_name", FORMATS)
def test_every_format_holds_the_same(tmp_path: Path, format_name: FormatName) -> None:
    sampler, seeds, counted = sampler_of(label_count=3), [5, 0, 7], []
    with open_sink(tmp_path / "set", format=format_name) as sink:
        files = format_name in {"folder", "zip"}
        write_pictures(sampler, seeds, sink, files=files, advance=lambda: counted.append(1))
    source = open_source(tmp_path / "set")
    assert len(counted) == 3
    assert sorted(source.keys()) == ["seed000000", "seed000005", "seed000007"]
    for record in source:
        seed = int(record.key[4:])
        assert record.key == seed_key(seed)
        assert record.label == seed % 3
        expected = sampler.of_seed(seed)[0].permute(1, 2, 0).numpy()
        assert np.array_equal(record.image, expected)


def test_one_class_alone(tmp_path: Path) -> None:
    sampler = sampler_of(label_count=3)
    with open_sink(tmp_path / "set") as sink:
        write_pictures(sampler, range(40), sink, files=True, label=2)
    records = list(open_source(tmp_path / "set"))
    assert len(records) == 40
    assert {record.label for record in records} == {2}


def test_a_grid_shows_seeds_row_by_row() -> None:
    sampler = tiny_sampler()
    page = draw_grid(sampler, [4, 1, 9, 3, 0, 2], columns=3)
    assert page.shape == (32, 48, 3)
    cell = torch.from_numpy(page[16:, 16:32]).permute(2, 0, 1)
    assert torch.equal(cell, sampler.of_seed(0)[0])


def test_a_grid_must_be_full() -> None:
    with pytest.raises(UsageError, match="5 pictures for a grid of 3x1"):
        draw_grid(tiny_sampler(), range(5), columns=3)

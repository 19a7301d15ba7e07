"""Every reader keeps its contract on edited files: it works or raises a PganError, in bounds."""

import functools
import tempfile
from pathlib import Path

import pytest
from fuzz_contract import hold_to_contract
from fuzz_mutations import KINDS, Edit, mutated
from fuzz_targets import TARGETS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

_NUMBERS = st.integers(0, 65535)
_EDITS = st.lists(
    st.builds(Edit, st.sampled_from(KINDS), st.floats(0, 1), _NUMBERS, _NUMBERS),
    min_size=1,
    max_size=8,
)
# A fault of HDF5's own library would end the whole test run: it is fuzzed by run.py alone.
_HELD = sorted(TARGETS.keys() - {"hdf5"})


@functools.cache
def _seeds(name: str) -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        return TARGETS[name].seeds(Path(folder))


def _read(name: str, data: bytes) -> bool:
    target = TARGETS[name]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"input.{target.suffix}"
        path.write_bytes(target.framed(data))
        return hold_to_contract(target.read, path)


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_what_is_not_edited_is_read(name: str) -> None:
    assert all(_read(name, data) for data in _seeds(name))


@pytest.mark.parametrize("name", _HELD)
def test_edited_files_are_read_or_refused(name: str) -> None:
    _hold(name, examples=5)


@pytest.mark.slow
@pytest.mark.parametrize("name", _HELD)
def test_many_edited_files_are_read_or_refused(name: str) -> None:
    _hold(name, examples=60)


def _hold(name: str, *, examples: int) -> None:
    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.sampled_from(range(len(_seeds(name)))), _EDITS)
    def check(which: int, edits: list[Edit]) -> None:
        _read(name, mutated(_seeds(name)[which], edits))

    check()


def test_the_contract_sees_a_reader_that_breaks_it(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        hold_to_contract(lambda path: 1 // 0, tmp_path)
    with pytest.raises(MemoryError):
        hold_to_contract(lambda path: bytearray(2 << 30), tmp_path)

"""Pictures of a callable: imported when named, asked in batches, its errors in a frame."""

import pickle
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from evaluated_sets import COUNT, pictures, write_set

from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.evaluation import EvaluationSettings, evaluate
from pgan_toolkit.evaluation.comparing import GeneratorSource, load_generator

QUIET = EvaluationSettings(mode="quiet", device="cpu", generator_batch=16)


def generate(count: int, seed: int) -> np.ndarray:
    return pictures(seed, count)


def channels_first(count: int, seed: int) -> torch.Tensor:
    made = torch.from_numpy(generate(count, seed)).permute(0, 3, 1, 2)
    assert not torch.is_grad_enabled()
    return made


class Noting:
    def __init__(self) -> None:
        self.calls: list[tuple[int, int]] = []

    def __call__(self, count: int, seed: int) -> np.ndarray:
        self.calls.append((count, seed))
        return generate(count, seed)


def test_it_is_asked_in_batches_with_seeds_of_their_own_each_once() -> None:
    noting = Noting()
    source = GeneratorSource(noting, 40, seed=3, batch_size=16)
    images = np.stack([record.image for record in source])
    assert [count for count, _ in noting.calls] == [16, 16, 8]
    assert len({seed for _, seed in noting.calls}) == 3
    expected = np.concatenate([generate(*call) for call in noting.calls])
    assert np.array_equal(images, expected)
    again = GeneratorSource(generate, 40, seed=3, batch_size=16)
    assert np.array_equal(again[37].image, images[37])
    other = GeneratorSource(generate, 40, seed=4, batch_size=16)
    assert not np.array_equal(other[0].image, images[0])


def test_channels_may_come_first_or_last_in_arrays_or_tensors() -> None:
    first, last = (GeneratorSource(each, 5)[4].image for each in (channels_first, generate))
    assert np.array_equal(first, last)
    assert first.flags.c_contiguous


def test_it_can_be_pickled_with_a_callable_that_can() -> None:
    source = GeneratorSource(generate, 5)
    source[0]
    copied = pickle.loads(pickle.dumps(source))
    assert np.array_equal(copied[3].image, source[3].image)
    assert copied.path.endswith("test_evaluate_generators:generate")


def test_an_evaluation_takes_a_callable(tmp_path: Path) -> None:
    real = write_set(tmp_path / "real", pictures(0))
    noting = Noting()
    report = evaluate(real, noting, metrics=["swd", "ms-ssim"], images=COUNT, settings=QUIET)
    assert [count for count, _ in noting.calls] == [16, 16, 8]
    assert report.fake["images"] == COUNT
    made = np.concatenate([generate(*call) for call in noting.calls])
    stored = write_set(tmp_path / "fake", made)
    alike = evaluate(real, stored, metrics=["swd", "ms-ssim"], images=COUNT, settings=QUIET)
    assert alike.scores == report.scores


def test_without_a_number_it_makes_as_many_as_the_protocol_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pgan_toolkit.evaluation.comparing import catalogue

    few = {"swd": catalogue.MetricKind(needs="pixels", images={"real": 9, "fake": 9})}
    for module in ("parts", "evaluating", "catalogue"):
        monkeypatch.setattr(f"pgan_toolkit.evaluation.comparing.{module}.METRICS", few)
    real = write_set(tmp_path / "real", pictures(0, 9))
    report = evaluate(real, generate, metrics=["swd"], settings=QUIET)
    assert (report.fake["images"], report.measured["swd"].deviations) == (9, ())


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda n, s: generate(n, s) / 255, r"returned float64; expected uint8 \(4, 3, H, W\)"),
        (lambda n, s: generate(n - 1, s), r"shape \(3, 32, 32, 3\)"),
        (lambda n, s: generate(n, s)[..., 0], r"shape \(4, 32, 32\)"),
        (lambda n, s: generate(n, s)[:, :0], r"shape \(4, 0, 32, 3\)"),
        (lambda n, s: list(generate(n, s)), "returned list"),
        (lambda n, s: None, "returned NoneType"),
        (lambda n, s: 1 / 0, "ZeroDivisionError: division by zero"),
        (lambda n, s: sys.exit(0), "SystemExit: 0"),
        (lambda n: None, "TypeError"),
    ],
)
def test_what_is_no_batch_of_pictures_is_an_error_of_data(made: object, said: str) -> None:
    with pytest.raises(DataError, match=said):
        GeneratorSource(made, 4)[0]


def test_an_error_in_the_callable_ends_the_evaluation_with_its_own_lines(tmp_path: Path) -> None:
    def broken(count: int, seed: int) -> np.ndarray:
        raise KeyError("no such weights")

    real = write_set(tmp_path / "real", pictures(0))
    settings = EvaluationSettings(mode="quiet", device="cpu", skip_bad=True)
    with pytest.raises(DataError) as caught:
        evaluate(real, broken, metrics=["swd"], images=8, settings=settings)
    lines = str(caught.value).splitlines()
    assert "failed; its own error:" in lines[0]
    assert all(line.startswith("  | ") for line in lines[1:])
    assert lines[-1] == "  | KeyError: 'no such weights'"
    assert "comparing" not in str(caught.value)
    assert "skip-bad" not in str(caught.value)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, with modules of somebody else."""
    package = tmp_path / "theirs"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "good.py").write_text("def generate(n, seed): return (n, seed)\nnumber = 1\n")
    (package / "bad.py").write_text("import good_of_nobody\n")
    (package / "worse.py").write_text("x = 1 / 0\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "theirs"]:
        del sys.modules[name]


@pytest.mark.usefixtures("here")
def test_a_callable_is_imported_from_the_current_folder() -> None:
    assert load_generator("theirs.good:generate")(2, 3) == (2, 3)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("theirs.good", UsageError, "expected package.module:function"),
        ("theirs.good:", UsageError, "expected package.module:function"),
        ("theirs/good.py:generate", UsageError, "expected package.module:function"),
        ("theirs.good:a.b", UsageError, "expected package.module:function"),
        ("theirs.good:other", UsageError, "has no callable other"),
        ("theirs.good:number", UsageError, "has no callable number"),
        ("theirs.none:generate", UsageError, r"there is no module theirs\.none"),
        ("nobodys.good:generate", UsageError, "there is no module nobodys"),
        ("theirs.bad:generate", DataError, "No module named 'good_of_nobody'"),
        ("theirs.worse:generate", DataError, "ZeroDivisionError"),
    ],
)
def test_names_that_lead_nowhere_are_told(name: str, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said) as caught:
        load_generator(name)
    assert "importlib" not in str(caught.value)

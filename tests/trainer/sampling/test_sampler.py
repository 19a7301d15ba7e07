"""Drawing pictures from a generator: bits, batches, growth, classes, and a training that failed."""

import pytest
import torch
from tiny_generator import LATENT_SIZE, sampler_of, tiny_generator, tiny_info, tiny_sampler

from pgan_toolkit.errors import DataError, UsageError
from reference_trainer.sampling import sampler as module
from reference_trainer.sampling.grids import latents_of_seeds, to_uint8
from reference_trainer.sampling.sampler import Sampler


def test_pictures_are_the_generators() -> None:
    latents = latents_of_seeds(range(5), latent_size=LATENT_SIZE)
    got = tiny_sampler().pictures(latents)
    assert (got.shape, got.dtype) == ((5, 3, 16, 16), torch.uint8)
    assert torch.equal(got, to_uint8(tiny_generator(latents, resolution=16)))


def test_a_run_that_still_grows_gives_its_final_size() -> None:
    sampler = sampler_of(resolution=32, stage_resolution=8, alpha=0.25)
    got = sampler.of_seed(3)
    small = tiny_generator(latents_of_seeds([3], latent_size=LATENT_SIZE), resolution=8, alpha=0.25)
    assert got.shape == (1, 3, 32, 32)
    for y in range(4):
        for x in range(4):
            assert torch.equal(got[:, :, y::4, x::4], to_uint8(small))


def test_many_are_drawn_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []

    def counting(latents: torch.Tensor, **how: object) -> torch.Tensor:
        sizes.append(len(latents))
        return tiny_generator(latents, **how)

    monkeypatch.setattr(module, "_PIXELS_AT_ONCE", 3 * 16 * 16)
    sampler = Sampler(counting, tiny_info(label_count=4), device=torch.device("cpu"))
    got = sampler.of_seeds(range(8))
    assert sizes == [3, 3, 2]
    assert torch.equal(got, torch.cat([sampler.of_seed(seed) for seed in range(8)]))


def test_classes_take_turns_unless_one_is_asked_for() -> None:
    sampler = sampler_of(label_count=3)
    assert torch.equal(sampler.of_seed(4), sampler.of_seed(4, label=1))
    assert not torch.equal(sampler.of_seed(4), sampler.of_seed(4, label=2))


@pytest.mark.parametrize(("count", "label", "said"), [
    (0, 0, "a run without labels"), (3, 3, "expected 0 to 2"), (3, -1, "expected 0 to 2"),
])  # fmt: skip
def test_classes_that_are_not_there_are_refused(count: int, label: int, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        sampler_of(label_count=count).of_seed(0, label=label)


def test_a_failed_training_is_told() -> None:
    def failed(latents: torch.Tensor, **how: object) -> torch.Tensor:
        return tiny_generator(latents, **how) * float("nan")

    sampler = Sampler(failed, tiny_info(), device=torch.device("cpu"))
    with pytest.raises(DataError, match=r"kimg-8.*no numbers.*earlier checkpoint"):
        sampler.of_seed(0)

import pytest
import torch

from pgan_toolkit.errors import UsageError

LATENTS, IMAGES = torch.zeros(2, 6), torch.zeros(2, 3, 16, 16)


@pytest.mark.parametrize(
    ("latents", "changes", "message"),
    [
        (torch.zeros(2, 5), {}, r"shape \(2, 5\): expected \(N, 6\)"),
        (torch.zeros(0, 6), {}, "N at least 1"),
        (torch.zeros(6), {}, r"shape \(6,\)"),
        (torch.zeros(2, 6, dtype=torch.int64), {}, "int64: expected a floating-point type"),
        (LATENTS, {"resolution": 32}, "resolution=32: this network has 4, 8, 16"),
        (LATENTS, {"resolution": 5}, "resolution=5"),
        (LATENTS, {"alpha": 1.5}, "alpha=1.5: expected 0 to 1"),
        (LATENTS, {"alpha": float("nan")}, "alpha=nan"),
        (LATENTS, {"resolution": 4, "alpha": 0.5}, "alpha=0.5 at resolution=4: expected 1"),
        (LATENTS, {"labels": torch.zeros(2, dtype=torch.int64)}, "expected labels=None"),
    ],
)
def test_what_g_refuses(build, latents, changes, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build().generator(latents, **{"resolution": 16} | changes)


@pytest.mark.parametrize(
    ("images", "changes", "message"),
    [
        (torch.zeros(2, 1, 16, 16), {}, r"expected \(N, 3, r, r\)"),
        (torch.zeros(2, 3, 16, 8), {}, r"shape \(2, 3, 16, 8\)"),
        (torch.zeros(0, 3, 16, 16), {}, "N at least 1"),
        (torch.zeros(3, 16, 16), {}, r"shape \(3, 16, 16\)"),
        (torch.zeros(2, 3, 32, 32), {}, "resolution=32: this network has 4, 8, 16"),
        (torch.zeros(2, 3, 16, 16, dtype=torch.uint8), {}, "uint8: expected floating-point"),
        (IMAGES, {"alpha": -0.1}, "alpha=-0.1"),
        (torch.zeros(2, 3, 4, 4), {"alpha": 0.5}, "nothing to fade from"),
        (IMAGES, {"noise_strength": 0.1}, "no noise_generator"),
        (IMAGES, {"noise_strength": -0.1}, "noise_strength=-0.1"),
    ],
)
def test_what_d_refuses(build, images, changes, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build().discriminator(images, **changes)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, "no labels: expected 2 of 0 to 2"),
        (torch.tensor([0]), r"shape \(1,\)"),
        (torch.tensor([0.0, 1.0]), "float32"),
        (torch.tensor([0, 3]), "labels 0 to 3: expected 0 to 2"),
        (torch.tensor([-1, 0]), "labels -1 to 0"),
    ],
)
def test_labels_that_a_conditional_g_refuses(build, labels, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build(label_count=3).generator(LATENTS, resolution=16, labels=labels)


def test_there_is_no_fade_where_nothing_grows(build) -> None:
    with pytest.raises(UsageError, match="nothing to fade from"):
        build(growing=False).discriminator(IMAGES, alpha=0.5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"channels": 0}, "channels=0"),
        ({"g_map_base": 4}, "map base 4: leaves no feature map at 16 pixels"),
        ({"d_map_base": 4}, "map base 4"),
    ],
)
def test_networks_that_cannot_be(build, changes, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build(**changes)

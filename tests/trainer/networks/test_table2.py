"""The networks against Table 2 of the paper, layer by layer."""

import pytest
import torch

from reference_trainer.networks import describe

FULL = {
    "latent_size": 512,
    "g_map_base": 8192,
    "g_map_most": 512,
    "d_map_base": 8192,
    "d_map_most": 512,
}
# The authors count what is trained: these layers, and those that take and give the smaller pictures
# (the paper's table leaves them out). Their newer program's variable for the level of detail is not
# trained and not in the sums.
GENERATOR_PARAMETERS = 23_079_115
DISCRIMINATOR_PARAMETERS = 23_087_249

GENERATOR = """
Conv 4x4  512 4 4  4194816
Conv 3x3  512 4 4  2359808
Upsample  512 8 8  0
Conv 3x3  512 8 8  2359808
Conv 3x3  512 8 8  2359808
Upsample  512 16 16  0
Conv 3x3  512 16 16  2359808
Conv 3x3  512 16 16  2359808
Upsample  512 32 32  0
Conv 3x3  512 32 32  2359808
Conv 3x3  512 32 32  2359808
Upsample  512 64 64  0
Conv 3x3  256 64 64  1179904
Conv 3x3  256 64 64  590080
Upsample  256 128 128  0
Conv 3x3  128 128 128  295040
Conv 3x3  128 128 128  147584
Upsample  128 256 256  0
Conv 3x3  64 256 256  73792
Conv 3x3  64 256 256  36928
Upsample  64 512 512  0
Conv 3x3  32 512 512  18464
Conv 3x3  32 512 512  9248
Upsample  32 1024 1024  0
Conv 3x3  16 1024 1024  4624
Conv 3x3  16 1024 1024  2320
Conv 1x1  3 1024 1024  51
"""
DISCRIMINATOR = """
Conv 1x1  16 1024 1024  64
Conv 3x3  16 1024 1024  2320
Conv 3x3  32 1024 1024  4640
Downsample  32 512 512  0
Conv 3x3  32 512 512  9248
Conv 3x3  64 512 512  18496
Downsample  64 256 256  0
Conv 3x3  64 256 256  36928
Conv 3x3  128 256 256  73856
Downsample  128 128 128  0
Conv 3x3  128 128 128  147584
Conv 3x3  256 128 128  295168
Downsample  256 64 64  0
Conv 3x3  256 64 64  590080
Conv 3x3  512 64 64  1180160
Downsample  512 32 32  0
Conv 3x3  512 32 32  2359808
Conv 3x3  512 32 32  2359808
Downsample  512 16 16  0
Conv 3x3  512 16 16  2359808
Conv 3x3  512 16 16  2359808
Downsample  512 8 8  0
Conv 3x3  512 8 8  2359808
Conv 3x3  512 8 8  2359808
Downsample  512 4 4  0
Minibatch stddev  513 4 4  0
Conv 3x3  512 4 4  2364416
Conv 4x4  512 1 1  4194816
Fully-connected  1  513
"""


def _check(rows, table: str, parameters: int) -> None:
    wanted = table.split("\n")[1:-1]
    got = [f"{row.title}  {' '.join(map(str, row.shape))}  {row.parameters}" for row in rows]
    assert got[: len(wanted)] == wanted
    assert {row.title for row in rows[len(wanted) :]} == {"Conv 1x1"}
    assert sum(row.parameters for row in rows) == parameters


def test_the_networks_of_1024_pixels_are_those_of_table_2(build) -> None:
    with torch.device("meta"):  # shapes alone
        networks = build(resolution=1024, **FULL)
    _check(describe(networks.generator), GENERATOR, GENERATOR_PARAMETERS)
    _check(describe(networks.discriminator), DISCRIMINATOR, DISCRIMINATOR_PARAMETERS)
    for network, parameters in (
        (networks.generator, GENERATOR_PARAMETERS),
        (networks.discriminator, DISCRIMINATOR_PARAMETERS),
    ):
        assert sum(value.numel() for value in network.parameters()) == parameters


def test_the_networks_of_table_1_have_half_and_a_quarter_of_the_maps(build) -> None:
    reduced = FULL | {"g_map_base": 2048, "d_map_base": 2048}
    with torch.device("meta"):
        networks = build(resolution=128, **reduced)
    rows = describe(networks.generator)
    maps = {row.shape[1]: row.shape[0] for row in rows if row.title == "Conv 3x3"}
    assert maps == {4: 512, 8: 512, 16: 256, 32: 128, 64: 64, 128: 32}
    assert sum(row.parameters for row in rows) == 13_629_810
    assert sum(row.parameters for row in describe(networks.discriminator)) == 13_636_897


def test_a_run_that_does_not_grow_takes_and_gives_pictures_of_one_resolution(build) -> None:
    networks = build(growing=False)
    assert networks.generator.resolutions == networks.discriminator.resolutions == (16,)
    assert list(networks.generator.to_rgb) == list(networks.discriminator.from_rgb) == ["16"]


def test_a_run_may_begin_above_4_pixels(build) -> None:
    networks = build(first_resolution=8)
    assert networks.generator.resolutions == networks.discriminator.resolutions == (8, 16)


@pytest.mark.parametrize("resolution", [4, 8, 16, 32, 64, 128, 256, 512, 1024])
def test_shapes_at_every_resolution(build, rng, resolution: int) -> None:
    networks = build(resolution=1024, g_map_base=1024, d_map_base=1024, g_map_most=2, d_map_most=2)
    with torch.no_grad():
        latents = torch.randn(2, 6, generator=rng)
        images = networks.generator(latents, resolution=resolution)
        critique = networks.discriminator(images)
    assert images.shape == (2, 3, resolution, resolution)
    assert critique.scores.shape == (2,)
    assert critique.label_logits is None
    assert images.isfinite().all()
    assert critique.scores.isfinite().all()


def test_a_description_leaves_the_network_as_it_is(build) -> None:
    network = build(g_normalization="batch").generator
    before = {name: value.clone() for name, value in network.state_dict().items()}
    rows = describe(network)
    assert rows[-1].name == "to_rgb.4"
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_multiply_adds_are_those_of_the_table(build) -> None:
    rows = describe(build().generator, resolution=8)
    # 6 latents to 8 maps of 4x4, then 3x3 convolutions of 8 maps, and 3 colours.
    expected = [6 * 8 * 16, 64 * 9 * 16, 0, 64 * 9 * 64, 64 * 9 * 64, 8 * 3 * 64]
    assert [row.multiply_adds for row in rows] == expected

"""Networks over pictures: any tiles, and any region, give the pixels of the whole."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from pgan_toolkit.errors import SetupError, UsageError
from pgan_toolkit.imaging import Box, decode_image, lanczos_resize
from pgan_toolkit.restoration import Restorer, grown_box, nets
from pgan_toolkit.restoration.nets import NetRestorer, Precision
from pgan_toolkit.restoration.networks import RedNet, RedNetConfig, SRResNet, SRResNetConfig
from pgan_toolkit.restoration.resampling import lanczos_enlarge, lanczos_shrink

CPU = torch.device("cpu")
SMALL_RED = RedNetConfig(layers=2, maps=8)
SMALL_LARGE = SRResNetConfig(blocks=1, maps=8)


def _red_net(config: RedNetConfig = SMALL_RED) -> RedNet:
    torch.manual_seed(1)
    net = RedNet(config)
    torch.nn.init.normal_(net.last.weight, std=0.03 / config.maps**0.5)
    return net.eval().requires_grad_(requires_grad=False)


def _sr_res_net(config: SRResNetConfig = SMALL_LARGE) -> SRResNet:
    torch.manual_seed(2)
    return SRResNet(config).eval().requires_grad_(requires_grad=False)


def _restorer(precision: Precision = "float32") -> NetRestorer:
    return NetRestorer(_red_net(), _sr_res_net(), device=CPU, precision=precision)


def _picture(height: int = 61, width: int = 47) -> np.ndarray:
    # Far from 0 and 255, which Pillow would clip at between its passes.
    small = np.random.default_rng(4).integers(60, 196, (12, 9, 3), np.uint8)
    return lanczos_resize(small, width=width, height=height)


def _apart(one: np.ndarray, other: np.ndarray) -> int:
    assert one.shape == other.shape
    assert one.dtype == other.dtype == np.uint8
    return int(np.abs(one.astype(int) - other.astype(int)).max())


def _tensor(picture: np.ndarray) -> Tensor:
    return torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 255


def _pixels(values: Tensor) -> np.ndarray:
    levels = (values.clamp(0, 1) * 255).round().byte()
    return levels[0].permute(1, 2, 0).contiguous().numpy()


@torch.no_grad()
def test_the_whole_picture_goes_through_both_networks_and_is_rounded_once() -> None:
    picture = _picture()
    clean = _red_net()(_tensor(picture)).clamp(0, 1)
    assert _apart(_restorer().restore(picture, scale=1), _pixels(clean)) <= 1
    large = _sr_res_net()(clean)
    assert _apart(_restorer().restore(picture, scale=4), _pixels(large)) <= 1
    assert _apart(_pixels(clean), picture) > 3


@torch.no_grad()
@pytest.mark.parametrize("scale", [2, 8])
def test_other_scales_are_resampled_from_the_networks_four(scale: int) -> None:
    four = _sr_res_net()(_red_net()(_tensor(_picture())).clamp(0, 1)).clamp(0, 1)
    expected = lanczos_shrink(four, factor=2) if scale == 2 else lanczos_enlarge(four, factor=2)
    assert _apart(_restorer().restore(_picture(), scale=scale), _pixels(expected)) <= 1


@pytest.mark.parametrize("scale", [1, 2, 4, 8])
@pytest.mark.parametrize("tile_px", [9, 16])
def test_tiles_give_the_pixels_of_the_whole(
    monkeypatch: pytest.MonkeyPatch, scale: int, tile_px: int
) -> None:
    whole = _restorer().restore(_picture(), scale=scale)
    monkeypatch.setattr(nets, "TILE_PX", tile_px)
    assert _apart(_restorer().restore(_picture(), scale=scale), whole) <= 1


@pytest.mark.parametrize("batch_size", [1, 3])
def test_batches_give_the_pixels_of_single_tiles(
    monkeypatch: pytest.MonkeyPatch, batch_size: int
) -> None:
    whole = _restorer().restore(_picture(), scale=4)
    monkeypatch.setattr(nets, "TILE_PX", 11)
    monkeypatch.setattr(NetRestorer, "_batch_size", batch_size)
    assert _apart(_restorer().restore(_picture(), scale=4), whole) <= 1


@pytest.mark.parametrize("scale", [1, 2, 4, 8])
@pytest.mark.parametrize(
    "region", [Box(0, 0, 47, 61), Box(13, 21, 30, 40), Box(1, 3, 2, 4), Box(40, 50, 47, 61)]
)
def test_a_region_and_a_cut_out_with_the_margin_give_the_pixels_of_the_whole(
    region: Box, scale: int
) -> None:
    restorer, picture = _restorer(), _picture()
    whole = restorer.restore(picture, scale=scale)
    left, top, right, bottom = (edge * scale for edge in region)
    expected = whole[top:bottom, left:right]
    assert _apart(restorer.restore(picture, scale=scale, region=region), expected) <= 1
    seen = grown_box(
        region,
        restorer.margin_px,
        within=Box(0, 0, 47, 61),
        alignment_px=restorer.alignment_px,
    )
    cut = np.ascontiguousarray(picture[seen.top : seen.bottom, seen.left : seen.right])
    alone = restorer.restore(cut, scale=scale)
    left, top = (region.left - seen.left) * scale, (region.top - seen.top) * scale
    part = alone[top : top + region.height * scale, left : left + region.width * scale]
    assert _apart(part, expected) <= 1


def test_a_cut_out_that_begins_between_squares_differs() -> None:
    restorer, picture = _restorer(), _picture()
    assert (restorer.margin_px, restorer.alignment_px) == (24 + 5 + 2, 2)
    whole = restorer.restore(picture, scale=1)
    shifted = restorer.restore(np.ascontiguousarray(picture[:, 1:]), scale=1)
    assert _apart(shifted, np.ascontiguousarray(whole[:, 1:])) > 1


@pytest.mark.parametrize("shape", [(1, 1), (2, 1), (1, 7), (3, 2)])
def test_the_smallest_pictures(shape: tuple[int, int]) -> None:
    picture = _picture(*shape)
    for scale in (1, 2, 4, 8):
        result = _restorer().restore(picture, scale=scale)
        assert result.shape == (shape[0] * scale, shape[1] * scale, 3)


def test_without_a_network_that_enlarges_lanczos_does() -> None:
    alone = NetRestorer(_red_net(), None, device=CPU)
    clean = alone.restore(_picture(), scale=1)
    expected = lanczos_resize(clean, width=94, height=122)
    assert _apart(alone.restore(_picture(), scale=2), expected) <= 3
    nothing = NetRestorer(None, None, device=CPU)
    assert np.array_equal(nothing.restore(_picture(), scale=1), _picture())
    assert (alone.margin_px, nothing.margin_px, nothing.alignment_px) == (27, 3, 1)


def test_one_step_alone() -> None:
    both = _restorer()
    jpeg, superres = both.only("jpeg"), both.only("superres")
    clean = both.restore(_picture(), scale=1)
    assert np.array_equal(jpeg.restore(_picture(), scale=1), clean)
    assert np.array_equal(superres.restore(_picture(), scale=1), _picture())
    assert superres.alignment_px == 1
    assert len({both.identity, jpeg.identity, superres.identity}) == 3
    with pytest.raises(UsageError, match="has no superres network; name one, superres=FILE"):
        jpeg.only("superres")


def test_it_keeps_the_protocol_and_refuses_other_factors() -> None:
    assert isinstance(_restorer(), Restorer)
    for scale in (0, 3, -2):
        with pytest.raises(UsageError, match=f"scale {scale}: expected a power of two"):
            _restorer().restore(_picture(), scale=scale)


def test_precision_is_part_of_the_identity_for_pixels_depend_on_it() -> None:
    assert _restorer("float32").identity != _restorer("bfloat16").identity


def _identity(device: str, precision: Precision = "float32") -> str:
    return NetRestorer(_red_net(), None, device=torch.device(device), precision=precision).identity


def test_the_kind_of_device_is_part_of_the_identity_and_its_number_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "RTX 1")
    assert _identity("cuda:0") == _identity("cuda:1")
    assert ", cuda RTX 1, float32" in _identity("cuda")
    assert ", cpu, float32" in _identity("cpu")


def test_what_multiplies_bfloat16_on_a_cpu_is_part_of_the_identity(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    assert ", cpu avx512_bf16, bfloat16" in _identity("cpu", "bfloat16")
    assert ", cpu, float32" in _identity("cpu")


def test_convolutions_do_without_tf32_and_the_setting_is_as_it_was_afterwards() -> None:
    cudnn, seen = torch.backends.cudnn, []

    class Looks(torch.nn.Module):
        scale, stride_px, reach_px = 1, 1, 0

        def forward(self, images: Tensor) -> Tensor:
            seen.append(_takes_tf32())
            if len(seen) == 3:
                raise torch.OutOfMemoryError
            return images

    def _takes_tf32() -> object:
        return cudnn.conv.fp32_precision if hasattr(cudnn, "conv") else cudnn.allow_tf32

    before = _takes_tf32()
    assert before in ("tf32", True)  # torch's default
    restorer = NetRestorer(Looks(), None, device=CPU)
    for _ in range(2):
        restorer.restore(_picture(), scale=1)
    with pytest.raises(SetupError):
        restorer.restore(_picture(), scale=1)
    assert set(seen) <= {"ieee", False}
    assert _takes_tf32() == before


def test_a_gpu_that_is_full_is_told_as_such() -> None:
    class Full(torch.nn.Module):
        scale, stride_px, reach_px = 1, 1, 0

        def forward(self, images: Tensor) -> Tensor:
            raise torch.OutOfMemoryError("tried to allocate 2 GiB")

    with pytest.raises(SetupError, match=r"not enough free memory .*2 GiB.*fewer --workers"):
        NetRestorer(Full(), None, device=CPU).restore(_picture(), scale=1)


def test_values_are_not_rounded_between_the_networks() -> None:
    class Faint(torch.nn.Module):
        """Adds a quarter of a grey level, which the next one multiplies."""

        scale, stride_px, reach_px = 1, 1, 0

        def forward(self, images: Tensor) -> Tensor:
            return images + 0.25 / 255

    class Loud(torch.nn.Module):
        scale, stride_px, reach_px = 4, 1, 0

        def forward(self, images: Tensor) -> Tensor:
            return functional.interpolate(images * 8, scale_factor=4)

    grey = np.full((5, 6, 3), 10, np.uint8)
    result = NetRestorer(Faint(), Loud(), device=CPU).restore(grey, scale=4)
    assert set(result.ravel().tolist()) == {82}


@pytest.mark.slow
@pytest.mark.shared_data
@pytest.mark.parametrize("name", ["000005.jpg", "000069.jpg"])
def test_full_size_networks_on_photographs(
    monkeypatch: pytest.MonkeyPatch, shared_data: Path, name: str
) -> None:
    """Tiles against the whole in both precisions, and the precisions against one another."""
    data = (shared_data / "celeba_wild" / "img_celeba" / name).read_bytes()
    picture = np.ascontiguousarray(decode_image(data, name=name)[40:141, 30:131])
    red, large = _red_net(RedNetConfig()), _sr_res_net(SRResNetConfig())
    red.last.weight.mul_(0.2)  # changes pixels by 2 to 4 grey levels on average, as training does
    results = {}
    for precision in ("float32", "bfloat16"):
        restorer = NetRestorer(red, large, device=CPU, precision=precision)
        for scale in (1, 2, 4, 8):
            whole = restorer.restore(picture, scale=scale)
            results[precision, scale] = whole
            with monkeypatch.context() as patch:
                patch.setattr(nets, "TILE_PX", 70)
                assert _apart(restorer.restore(picture, scale=scale), whole) <= 1
    for scale in (1, 2, 4, 8):
        one, other = results["float32", scale], results["bfloat16", scale]
        assert _apart(one, other) <= 2
        assert np.mean(np.abs(one.astype(int) - other) > 1) < 1e-5

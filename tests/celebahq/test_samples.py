import json

import numpy as np
import pytest

from pgan_toolkit.celebahq import samples
from pgan_toolkit.celebahq.detection import FaceDetector
from pgan_toolkit.celebahq.geometry import crop_quad
from pgan_toolkit.celebahq.landmarks import check_landmarks
from pgan_toolkit.celebahq.photographs import find_photographs
from pgan_toolkit.celebahq.samples import write_samples
from pgan_toolkit.errors import DataError, SetupError, UsageError
from pgan_toolkit.imaging import decode_image


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("samples")
    return out, write_samples(out)


def contents(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def reason_against(photograph) -> str | None:
    """What stops a build from using a photograph, as a build would find out."""
    if photograph.problem is not None:
        return photograph.problem
    try:
        image = decode_image(photograph.path.read_bytes(), name=photograph.key)
    except DataError as error:
        return str(error)
    return check_landmarks(photograph.landmarks, size=image.shape[:2])


def test_is_found_as_celebas_layout_and_just_the_usable_ones_are_usable(made):
    out, listed = made
    usable = {sample.file.removesuffix(".jpg"): sample.usable for sample in listed}
    reasons = {item.key: reason_against(item) for item in find_photographs(out)}
    assert {key: reason is None for key, reason in reasons.items()} == usable
    assert sum(usable.values()) == 30
    assert len(usable) == 38


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("truncated", "damaged or incomplete"),
        ("not_a_picture", "not a picture"),
        ("empty", "empty"),
        ("no_picture", "no picture: "),
        ("no_row", "no landmarks: "),
        ("nine_numbers", "9 numbers"),
        ("landmarks_outside", "px outside"),
        ("landmarks_coincide", "coincide"),
    ],
)
def test_each_bad_one_fails_for_its_own_reason(made, key, said):
    (photograph,) = (item for item in find_photographs(made[0]) if item.key == key)
    assert said in reason_against(photograph)


def test_the_same_seed_gives_the_same_bytes_and_another_changes_the_noise_alone(made, tmp_path):
    out, _ = made
    again, other = tmp_path / "again", tmp_path / "other"
    write_samples(again)
    write_samples(other, seed=1)
    assert contents(again) == contents(out)
    different = {name for name, data in contents(out).items() if contents(other)[name] != data}
    assert different == {"img_celeba/noise_10.jpg", "img_celeba/noise_30.jpg", "samples.json"}


def test_the_landmarks_lie_where_the_faces_are(made):
    detector = FaceDetector()
    # Upright and not too spoiled: the detector is an independent judge of these.
    for key in ("original", "mirrored", "rotated_minus_25", "half_size", "face_in_corner"):
        (photograph,) = (item for item in find_photographs(made[0]) if item.key == key)
        image = decode_image(photograph.path.read_bytes(), name=key)
        (face,) = detector.detect_faces(image, which="largest")
        scale = np.hypot(*(photograph.landmarks[1] - photograph.landmarks[0]))
        assert np.hypot(*(face.landmarks - photograph.landmarks).T).mean() < 0.04 * scale, key


def test_the_edge_cuts_need_padding_and_the_portrait_needs_none(made):
    for photograph in find_photographs(made[0]):
        if photograph.key.startswith(("face_", "tight", "original")):
            image = decode_image(photograph.path.read_bytes(), name=photograph.key)
            quad = crop_quad(photograph.landmarks)
            inside = (quad >= 0).all() and (quad <= image.shape[1::-1]).all()
            assert inside == photograph.key.startswith("original"), photograph.key


def test_duplicates_are_duplicates(made):
    files = contents(made[0] / "img_celeba")
    assert files["original.jpg"] == files["original_again.jpg"]
    assert files["original.jpg"] != files["mirrored.jpg"]


def test_the_index_says_what_each_is(made):
    out, listed = made
    index = json.loads((out / "samples.json").read_text())
    assert index["seed"] == 0
    assert [item["file"] for item in index["samples"]] == [sample.file for sample in listed]
    assert all(item["what"] for item in index["samples"])


def test_a_second_run_touches_nothing_and_mends_what_is_missing(made):
    out, _ = made
    kept, lost = out / "img_celeba/blur_1.jpg", out / "img_celeba/blur_2.jpg"
    before, data = kept.stat().st_mtime_ns, lost.read_bytes()
    lost.unlink()
    write_samples(out)
    assert kept.stat().st_mtime_ns == before
    assert lost.read_bytes() == data


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(UsageError, match="holds other files"):
        write_samples(tmp_path)
    with pytest.raises(UsageError, match="is a file"):
        write_samples(tmp_path / "thesis.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_without_the_portrait_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(samples, "_PORTRAIT", samples._PORTRAIT.with_name("none.png"))
    with pytest.raises(SetupError, match="pip install --force-reinstall scikit-image"):
        write_samples(tmp_path / "out")

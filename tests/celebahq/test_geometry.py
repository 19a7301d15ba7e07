"""The crop's geometry against the authors' program and against its own symmetries."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgan_toolkit.arrays import Landmarks
from pgan_toolkit.celebahq import crop_quad, plan_crop, read_landmarks

DECIDED_BEFORE_ENLARGEMENT = {"000041.jpg", "000055.jpg", "000074.jpg"}
"""The crop comes within a few pixels of the edge. The list of expected values decides on padding
with the corners of before the enlargement; the published description decides after it, and so do
we. All other photographs agree either way."""


def _face(angle: float = 0.0, scale: float = 1.0, x: float = 300.0, y: float = 300.0) -> Landmarks:
    points = np.array([[-30, -20], [30, -20], [0, 10], [-20, 40], [20, 40]], np.float64) * scale
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return (points @ turn + (x, y)).astype(np.float32)


@pytest.mark.shared_data
def test_quads_and_steps_agree_with_the_authors_program(shared_data: Path, oracles: Path) -> None:
    table = read_landmarks(shared_data / "celeba_wild" / "Anno" / "list_landmarks_celeba.txt")
    expected = json.loads((oracles / "celebahq_quads.json").read_text())
    assert len(expected) == 83
    for row in expected:
        landmarks = table[row["file"]]
        width, height = row["size"]
        plan = plan_crop(landmarks, width=width, height=height, output_size=1024)
        assert np.abs(crop_quad(landmarks) - row["quad"]).max() < 1e-3
        assert plan.zoom == pytest.approx(row["zoom"], abs=1e-5)
        assert plan.shrink == row["shrink"]
        assert plan.upscale == max(1, row["upscale"])
        if row["file"] not in DECIDED_BEFORE_ENLARGEMENT:
            assert (plan.margins is not None) == row["padded"], row["file"]


def test_an_upright_face_by_hand() -> None:
    quad = crop_quad(_face())
    # |e1 - e0| = 60, |v| = 60: side = max(240, 216); centre = (300.5, 280.5 + 0.1 * 60)
    assert quad == pytest.approx(
        np.array([[180.5, 166.5], [180.5, 406.5], [420.5, 406.5], [420.5, 166.5]])
    )


def test_a_long_face_is_measured_from_eyes_to_mouth() -> None:
    landmarks = _face()
    landmarks[3:, 1] += 60
    side = np.hypot(*(crop_quad(landmarks)[3] - crop_quad(landmarks)[0]))
    assert side == pytest.approx(3.6 * 120)


@given(angle=st.floats(-3.1, 3.1), scale=st.floats(0.5, 20))
def test_the_quad_is_a_square_that_turns_and_grows_with_the_face(
    angle: float, scale: float
) -> None:
    quad = crop_quad(_face(angle, scale))
    sides = np.roll(quad, -1, axis=0) - quad
    lengths = np.hypot(*sides.T)
    assert lengths == pytest.approx(240 * scale, rel=1e-4)
    assert (sides * np.roll(sides, -1, axis=0)).sum(axis=1) == pytest.approx(
        0, abs=1e-4 * lengths[0] ** 2
    )
    direction = (quad[3] - quad[0]) / lengths[0]
    assert direction == pytest.approx([np.cos(angle), np.sin(angle)], abs=1e-4)


@pytest.mark.parametrize(
    ("scale", "shrink", "upscale"),
    [(1.0, 1, 8), (240 / 60, 1, 2), (1024 / 240, 1, 1), (9.0, 1, 1), (18.0, 2, 1), (30.0, 3, 1)],
)
def test_shrinking_and_enlarging_follow_the_zoom(scale: float, shrink: int, upscale: int) -> None:
    plan = plan_crop(
        _face(scale=scale, x=5000, y=5000), width=10000, height=10000, output_size=1024
    )
    assert (plan.shrink, plan.upscale) == (shrink, upscale)
    left_to_do = np.hypot(*(plan.quad[3] - plan.quad[0])) / 1024
    assert 1 <= left_to_do < 4


def test_a_photograph_of_one_row_is_shrunk_to_one_row() -> None:
    plan = plan_crop(_face(scale=18.0, x=800, y=0), width=1687, height=1, output_size=1024)
    assert (plan.shrink, plan.shrunken_width, plan.shrunken_height) == (2, 844, 1)


def test_a_face_well_inside_is_not_padded_and_one_at_the_edge_is_padded_on_all_sides() -> None:
    inside = plan_crop(_face(), width=600, height=600, output_size=1024)
    edge = plan_crop(_face(x=20), width=600, height=600, output_size=1024)
    assert inside.margins is None
    assert edge.margins is not None
    least = round(1024 * 0.3 / (edge.zoom / edge.upscale))
    assert edge.margins.left > least
    assert (edge.margins.top, edge.margins.right, edge.margins.bottom) == (least, least, least)


@pytest.mark.parametrize("x", [60.0, 300.0, 580.0])
def test_the_window_holds_all_that_the_warp_reads(x: float) -> None:
    plan = plan_crop(_face(angle=0.3, x=x), width=600, height=600, output_size=256)
    window = plan.window
    assert (plan.quad >= (window.left, window.top)).all()
    assert (plan.quad <= (window.right - 1, window.bottom - 1)).all()

"""Pictures of a bounded size, cells of tables, and pages written."""

import base64
import sys
from pathlib import Path

import numpy as np
import pytest

from pgan_toolkit.errors import SetupError
from pgan_toolkit.imaging import decode_image
from pgan_toolkit.pages import (
    MOST_PICTURE_BYTES,
    Cell,
    page_picture,
    render_page,
    require_jinja,
    write_page,
)


def _pixels(uri: str) -> np.ndarray:
    head, _, data = uri.partition(",")
    assert head in ("data:image/png;base64", "data:image/jpeg;base64")
    raw = base64.b64decode(data)
    assert len(raw) <= MOST_PICTURE_BYTES
    return decode_image(raw, name="it")


def _noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def test_a_small_picture_keeps_its_pixels() -> None:
    image = _noise(64, 48)
    shown = page_picture(image, alt="a", key="k")
    assert (shown.width, shown.height) == (48, 64)
    np.testing.assert_array_equal(_pixels(shown.uri), image)


@pytest.mark.parametrize("size", [(192, 192), (1024, 1024), (2000, 30), (1, 1)])
def test_any_picture_stays_within_its_bytes(size: tuple[int, int]) -> None:
    shown = page_picture(_noise(*size), alt="a", key="k")
    assert _pixels(shown.uri).shape == (shown.height, shown.width, 3)
    assert max(shown.width, shown.height) <= 192


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (float("nan"), "-"), (1234.0, "1,234"), (0.5, "0.5000"), (1e-5, "1.000e-05")],
)
def test_numbers_of_cells(value: float | None, text: str) -> None:
    assert Cell.number(value).text == text


def test_a_page_escapes_what_it_shows(tmp_path: Path) -> None:
    (tmp_path / "p.html").write_text(
        '{% extends "base.html" %}{% block main %}{{ it }}{% endblock %}'
    )
    content = {"title": "<b>", "sections": [("a", "<i>")], "it": "<script>x</script>\udc80"}
    page = render_page("p.html", folder=tmp_path, content=content)
    text = page.decode()
    assert "&lt;script&gt;x&lt;/script&gt;\\udc80" in text
    assert "<title>&lt;b&gt;</title>" in text
    assert "&lt;i&gt;" in text
    write_page(tmp_path / "out.html", page)
    assert (tmp_path / "out.html").read_bytes() == page


def test_a_page_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SetupError, match="cannot be written"):
        write_page(tmp_path / "file" / "page.html", b"")


def test_without_jinja_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(SetupError, match=r"pip install 'pgan-toolkit\[reports\]'"):
        require_jinja()

"""The same gate as a plain test, for those who like it beside their others."""

from pathlib import Path

import pytest
from tiny_gan.sampling import generate

from pgan_toolkit.evaluation import EvaluationSettings, evaluate


@pytest.mark.skipif(not Path("real.npy").is_file(), reason="python -m tiny_gan.reals real.npy")
def test_pictures_are_as_good_as_they_were() -> None:
    """Fails where the SWD is too large, and says what it is."""
    report = evaluate(
        "real.npy", generate, metrics=["swd"], images=512, settings=EvaluationSettings(mode="quiet")
    )
    report.require("swd.avg", max=32)
    report.require("swd.32", max=40)

"""What every metric returns: a number with all that is needed to judge it and to make it again."""

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pgan_toolkit import __version__

__all__ = ["Result", "library_versions"]


def library_versions() -> dict[str, str]:
    """Return the versions that can move a number: of the toolkit, Python, NumPy and torch."""
    import numpy as np
    import torch

    return {
        "pgan-toolkit": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch.__version__,
    }


@dataclass(frozen=True, kw_only=True)
class Result:
    """The value of one metric, its uncertainty, and the protocol that gave it.

    Attributes
    ----------
    metric : str
        Its short name: "swd", "ms-ssim", "fid", ...
    value : float
        The number that is quoted; for the SWD the mean of the levels, times 1000.
    images : Mapping of str to int
        How many images went in, by side: {"real": 16384, "fake": 16384}.
    convention : str
        One line that says which of the published definitions was computed.
    components : Mapping of str to float
        The parts of the value, as {"128": 2.4, "64": 2.2} of the SWD's levels; empty if none.
    component_errors : Mapping of str to float
        Standard errors of `components`, where they are known.
    standard_error : float | None
        Of `value`; None where it is not known.
    interval : tuple of two floats | None
        Where the value lies with 95 % confidence; None where that is not known.
    uncertainty : str
        What the standard error or the interval is over: "4 repeats of 128 directions"; "" if none.
    seed : int | None
        Of all that was drawn; None where nothing is.
    extractor : str | None
        Name and SHA-256 digest of the network that gave the features; None where there is none.
    versions : Mapping of str to str
        Of the libraries that computed it.
    repeats : Mapping of str to tuple of float
        Component -> its values in the repeats or groups over whose mean the standard error is;
        empty where there are none. With the same seed and the same real images, those of two
        results are paired.
    warnings : tuple of str
        How the published protocol was not followed; empty if it was.
    """

    metric: str
    value: float
    images: Mapping[str, int]
    convention: str
    components: Mapping[str, float] = field(default_factory=dict)
    component_errors: Mapping[str, float] = field(default_factory=dict)
    standard_error: float | None = None
    interval: tuple[float, float] | None = None
    uncertainty: str = ""
    seed: int | None = None
    extractor: str | None = None
    versions: Mapping[str, str] = field(default_factory=library_versions)
    repeats: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def warned(self, *warnings: str) -> "Result":
        """Return the same result with more warnings, each of them once."""
        return replace(self, warnings=tuple(dict.fromkeys((*self.warnings, *warnings))))

    def to_dict(self) -> dict[str, Any]:
        """Return what `json.dumps` takes."""
        return {
            "metric": self.metric,
            "value": self.value,
            "components": dict(self.components),
            "component_errors": dict(self.component_errors),
            "standard_error": self.standard_error,
            "interval": None if self.interval is None else list(self.interval),
            "uncertainty": self.uncertainty,
            "images": dict(self.images),
            "convention": self.convention,
            "seed": self.seed,
            "extractor": self.extractor,
            "versions": dict(self.versions),
            "repeats": {name: list(values) for name, values in self.repeats.items()},
            "warnings": list(self.warnings),
        }

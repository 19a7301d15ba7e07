"""From a restorer's specification, as it is written on the command line, to the restorer.

::

    lanczos                              enlarge by Lanczos, leave artifacts
    nets                                 the networks that come with the package, for the eye
    nets-psnr                            the same, with the enlarging one that was trained for PSNR
    nets:jpeg=FILE,superres=FILE         weight files of this program; either may be left out
    spandrel:jpeg=FILE,superres=FILE     other people's networks, in files that spandrel knows
"""

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast, get_args

from pgan_toolkit.errors import UsageError
from pgan_toolkit.homes import expanded
from pgan_toolkit.restoration.restorer import LanczosRestorer, Restorer, Step

if TYPE_CHECKING:
    import torch

    from pgan_toolkit.restoration.nets import PictureNet, Precision
    from pgan_toolkit.restoration.weights import BundledName

__all__ = ["RESTORERS", "PrecisionChoice", "open_restorer", "resolve_choices"]

PrecisionChoice = Literal["auto", "float32", "bfloat16"]

RESTORERS = (
    "nets",
    "nets-psnr",
    "lanczos",
    "nets:jpeg=FILE,superres=FILE",
    "spandrel:jpeg=FILE,superres=FILE",
)
"""What a specification can look like."""

_BUNDLED: "dict[str, dict[Step, BundledName]]" = {
    "nets": {"jpeg": "jpeg", "superres": "superres-adversarial"},
    "nets-psnr": {"jpeg": "jpeg", "superres": "superres"},
}


def open_restorer(
    spec: str,
    *,
    device: str = "auto",
    threads: int | None = None,
    precision: PrecisionChoice = "auto",
) -> Restorer:
    """Make a restorer; whatever is wrong with its files or its device is found here.

    Weight files are read and checked, which takes some hundredths of a second for files of the
    bundled ones' size, after the second that importing torch takes. The networks are moved to a
    GPU when the first picture is restored.

    Parameters
    ----------
    spec : str
        "nets" (the bundled networks), "nets-psnr", "nets:jpeg=FILE,superres=FILE", "lanczos", or
        "spandrel:jpeg=FILE,superres=FILE".
    device : str
        "auto" (a GPU where there is one), "cpu", "cuda" or "cuda:1".
    threads : int | None
        How many threads torch may use in this whole process; None leaves it as it is. A worker
        process says 1: the parallel work is in the number of photographs.
    precision : "auto", "float32" or "bfloat16"
        Of the networks' convolutions; Lanczos has no other than its own. bfloat16 is faster where
        the hardware multiplies it, and moves some values by a grey level, a few by two. "auto"
        takes it there for networks of this program, and float32 elsewhere.

    Raises
    ------
    UsageError
        An unknown specification, a malformed device, or bfloat16 for Lanczos, which has none, or
        for others' networks, of whose pixels nobody knows what it does to them.
    DataError
        A weight file is missing, damaged or for another task.
    SetupError
        The device, spandrel or the bundled weights are not there.
    """
    place, taken = resolve_choices(spec, device=device, precision=precision)
    if spec == "lanczos":
        return LanczosRestorer()
    import torch

    if threads is not None:
        torch.set_num_threads(threads)
    files = _bundled_files(spec) if spec in _BUNDLED else _named_files(spec)
    return _net_restorer(_kind(spec), files, device=torch.device(place), precision=taken)


def resolve_choices(
    spec: str, *, device: str, precision: PrecisionChoice
) -> "tuple[str, Precision]":
    """Say what "auto" means on this machine, so that several processes take the same.

    Parameters
    ----------
    spec, device, precision
        As in `open_restorer`.

    Returns
    -------
    str
        "cpu", "cuda" or "cuda:N".
    "float32" or "bfloat16"
        The precision.

    Raises
    ------
    UsageError, SetupError
        As `open_restorer` does; files are not looked at.
    """
    kind = _kind(spec)
    if precision not in get_args(PrecisionChoice):
        words = ", ".join(get_args(PrecisionChoice))
        raise UsageError(f"--precision {precision}: expected {words}")
    if kind != "nets" and precision == "bfloat16":
        whose = "spandrel's networks run" if kind == "spandrel" else "the lanczos restorer runs"
        raise UsageError(f"--precision bfloat16: {whose} in float32 only; use auto or float32")
    if kind == "lanczos":
        _require_cpu(device)
        return "cpu", "float32"
    from pgan_toolkit import devices

    place = devices.find_device(device)
    if precision == "auto":
        fast = kind == "nets" and devices.has_bfloat16(place)
        precision = "bfloat16" if fast else "float32"
    return str(place), precision


def _kind(spec: str) -> Literal["nets", "spandrel", "lanczos"]:
    kind, _, rest = spec.partition(":")
    if spec == "lanczos":
        return "lanczos"
    if spec in _BUNDLED or (kind == "nets" and rest):
        return "nets"
    if kind == "spandrel" and rest:
        return "spandrel"
    raise _unknown(spec)


def _net_restorer(
    kind: str, files: dict[Step, Path], *, device: "torch.device", precision: "Precision"
) -> Restorer:
    from pgan_toolkit.restoration.nets import NetRestorer

    nets: dict[Step, PictureNet] = {}
    digests = []
    for step, path in sorted(files.items()):
        nets[step], digest = _loaded(kind, path, step)
        digests.append(f"{step} {digest}")
    return NetRestorer(
        nets.get("jpeg"),
        nets.get("superres"),
        device=device,
        precision=precision,
        name=f"{kind}: {', '.join(digests)}",
    )


def _loaded(kind: str, path: Path, step: Step) -> "tuple[PictureNet, str]":
    """Return the network and the digest of the file that it is from."""
    if kind == "spandrel":
        from pgan_toolkit.restoration.foreign import load_foreign

        net = load_foreign(path, step=step)
        return net, net.sha256
    from pgan_toolkit.restoration.weights import make_network, read_weights

    stored = read_weights(path)
    return make_network(stored, task=step), stored.sha256


def _bundled_files(spec: str) -> dict[Step, Path]:
    from pgan_toolkit.restoration.weights import bundled_weights

    return {step: bundled_weights(name) for step, name in _BUNDLED[spec].items()}


def _named_files(spec: str) -> dict[Step, Path]:
    """Read KIND:jpeg=FILE,superres=FILE."""
    kind, _, rest = spec.partition(":")
    files: dict[Step, Path] = {}
    for item in rest.split(","):
        step, _, path = item.partition("=")
        if step not in get_args(Step) or not path or step in files:
            raise UsageError(
                f"--restorer {spec}: {item!r} is not understood; expected "
                f"{kind}:jpeg=FILE,superres=FILE, of which one may be left out"
            )
        files[cast(Step, step)] = expanded(path)
    return files


def _unknown(spec: str) -> UsageError:
    near = difflib.get_close_matches(spec, [*_BUNDLED, "lanczos"], n=1)
    guess = f" (did you mean {near[0]}?)" if near else ""
    return UsageError(f"no restorer is called {spec!r}{guess}; there is: {', '.join(RESTORERS)}")


def _require_cpu(device: str) -> None:
    if device not in ("auto", "cpu"):
        raise UsageError(
            f"--device {device}: the lanczos restorer runs on the CPU only; use auto or cpu"
        )

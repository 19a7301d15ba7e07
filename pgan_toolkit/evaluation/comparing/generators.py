"""A callable of somebody else's that makes pictures, as a data set that makes them when read."""

import importlib
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pgan_toolkit.arrays import Image
from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.randomness import generator
from pgan_toolkit.storage import Record

__all__ = ["BATCH_SIZE", "Generate", "GeneratorSource", "load_generator"]

BATCH_SIZE = 64
"""Pictures that are asked for at once, at most."""

Generate = Callable[[int, int], Any]
"""Called with a number of pictures and a seed, in this order; returns an array or a tensor of them,
uint8 (n, 3, H, W) or (n, H, W, 3), RGB. The same arguments must give the same pictures."""

_KEPT_BATCHES = 2
_OUR_FRAMES = (__file__, importlib.__file__, "<frozen ")


def load_generator(name: str) -> Generate:
    """Import the callable that a user named; nothing is imported that nobody names.

    Parameters
    ----------
    name : str
        "package.module:function". The current folder is looked in too.

    Returns
    -------
    Generate
        The callable.

    Raises
    ------
    UsageError
        The name has another form, or there is no such module or callable.
    DataError
        The module fails while it is imported; its own traceback is in the message.
    """
    module_name, _, attribute = name.partition(":")
    if not all(part.isidentifier() for part in [*module_name.split("."), attribute]):
        raise UsageError(f"--generator {name}: expected package.module:function")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and f"{module_name}.".startswith(f"{error.name}."):
            raise UsageError(
                f"--generator {name}: there is no module {error.name}; looked in {here} and in "
                "what is installed"
            ) from error
        raise DataError(_framed(f"--generator {name}: cannot be imported", error)) from error
    except (Exception, SystemExit) as error:
        # Other people's code: whatever it raises is its failure, and to be told as such.
        raise DataError(_framed(f"--generator {name}: cannot be imported", error)) from error
    found = getattr(module, attribute, None)
    if not callable(found):
        raise UsageError(f"--generator {name}: {module_name} has no callable {attribute}")
    generate: Generate = found
    return generate


class GeneratorSource:
    """The pictures of a callable, an `ImageSource`: made in batches as they are read, in order.

    Batch k is asked for with a seed derived from the given one and k, so that a picture does not
    depend on which others are read. The callable may be called by another thread than the main one,
    but never by two at a time, and runs without torch's gradients. The last batches are kept.

    Parameters
    ----------
    generate : Generate
        The callable.
    count : int
        How many pictures there are to be.
    seed : int
        Of all of them.
    name : str
        What messages call it; "": its module and name.
    batch_size : int
        Pictures at once.
    """

    def __init__(
        self,
        generate: Generate,
        count: int,
        *,
        seed: int = 0,
        name: str = "",
        batch_size: int = BATCH_SIZE,
    ) -> None:
        if count < 1 or batch_size < 1:
            raise UsageError(f"count={count}, batch_size={batch_size}: expected 1 or more")
        self.path = name or _name(generate)
        self._generate = generate
        self._count = count
        self._seed = seed
        self._batch_size = batch_size
        self._lock = threading.Lock()
        self._batches: dict[int, NDArray[np.uint8]] = {}

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Record]:
        return (self[index] for index in range(self._count))

    def __getitem__(self, index: int) -> Record:
        index = range(self._count)[index]
        batch, place = divmod(index, self._batch_size)
        with self._lock:
            if batch not in self._batches:
                made = self._make(batch)
                while len(self._batches) >= _KEPT_BATCHES:
                    del self._batches[next(iter(self._batches))]
                self._batches[batch] = made
            image: Image = self._batches[batch][place].copy()
        return Record(f"{index:06d}", image)

    def keys(self) -> Sequence[str]:
        """Return the pictures' numbers, as names."""
        return [f"{index:06d}" for index in range(self._count)]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_lock": None, "_batches": {}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _lock=threading.Lock())

    def _make(self, batch: int) -> NDArray[np.uint8]:
        import torch

        first = batch * self._batch_size
        count = min(self._batch_size, self._count - first)
        seed = int(generator(self._seed, "batch of a generator", batch).integers(2**31))
        call = f"{self.path}({count}, {seed})"
        try:
            with torch.no_grad():
                made = self._generate(count, seed)
            if isinstance(made, torch.Tensor):
                made = made.detach().cpu().numpy()
        except (Exception, SystemExit) as error:
            # As where it is imported.
            raise DataError(_framed(f"{call} failed", error)) from error
        return _pictures(made, count, call=call)


def _name(generate: Generate) -> str:
    """Return "package.module:function", or what there is of it."""
    known = (getattr(generate, name, None) for name in ("__module__", "__qualname__"))
    return ":".join(part for part in known if isinstance(part, str)) or repr(generate)


def _pictures(made: object, count: int, *, call: str) -> NDArray[np.uint8]:
    """Return pictures uint8 (n, H, W, 3), or say what the callable gave instead."""
    expected = f"expected uint8 ({count}, 3, H, W) or ({count}, H, W, 3), 0..255"
    if not isinstance(made, np.ndarray):
        raise DataError(f"{call} returned {type(made).__name__}; {expected}: array or tensor")
    if made.dtype != np.uint8:
        raise DataError(f"{call} returned {made.dtype}; {expected}: scale, round and convert them")
    if made.ndim != 4 or len(made) != count or 0 in made.shape or 3 not in made.shape[1::2]:
        raise DataError(f"{call} returned shape {made.shape}; {expected}")
    if made.shape[1] == 3:
        made = made.transpose(0, 2, 3, 1)
    return np.ascontiguousarray(made)


def _framed(what: str, error: BaseException) -> str:
    """Put other people's traceback into a frame, without the toolkit's own lines above it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_OUR_FRAMES):
        trace = trace.tb_next
    lines = "".join(traceback.format_exception(type(error), error, trace)).rstrip().splitlines()
    framed = "\n".join(f"  | {line}" for line in lines)
    return f"{what}; its own error:\n{framed}"

"""The one pickle that is read: CIFAR-10's published batches, and none of their code is run.

A pickle is a program: it may name any function and call it. Two guards stand before this one.
`_check_program` walks its instructions without running them and refuses what the published files
do not use, and any number of instructions, of nested objects or of memory places that they do not
need: a short file can ask for gigabytes otherwise, or nest until the interpreter crashes. Then an
`Unpickler` runs it whose `find_class` knows five names and gives for each a placeholder that only
notes the call. Neither numpy nor `_codecs` is ever called by the file.
"""

import io
import pickle
import pickletools
from collections.abc import Callable
from typing import Any

from pgan_toolkit.errors import DataError

__all__ = ["ARRAY_MAKERS", "Call", "Name", "read_pickle"]

ARRAY_MAKERS = ("numpy.core.multiarray _reconstruct", "numpy._core.multiarray _reconstruct")
"""What numpy's arrays name, before and from version 2 on."""
_NAMES = frozenset({*ARRAY_MAKERS, "numpy ndarray", "numpy dtype", "_codecs encode"})
_INSTRUCTIONS = frozenset(
    {"PROTO", "STOP", "MARK", "NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2"}
    | {"LONG1", "SHORT_BINSTRING", "BINSTRING", "BINUNICODE", "EMPTY_TUPLE", "TUPLE", "TUPLE1"}
    | {"TUPLE2", "TUPLE3", "EMPTY_LIST", "APPEND", "APPENDS", "EMPTY_DICT", "SETITEM", "SETITEMS"}
    | {"BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET", "GLOBAL", "REDUCE", "BUILD"}
)
_SIMPLE = frozenset(
    {"BININT", "BININT1", "BININT2", "SHORT_BINSTRING", "BINSTRING", "BINUNICODE", "APPEND"}
    | {"BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET", "NONE", "NEWTRUE", "NEWFALSE", "LONG1"}
)
"""Instructions that nest nothing; a published batch has some 40,000 of them, and 80 others."""
_MOST_INSTRUCTIONS = 200_000
_MOST_NESTING = 500
_REMEDY = "it is not one of CIFAR-10's published files: get it again"


class Name:
    """A function or class that a pickle named; calling it makes a note of the call.

    Attributes
    ----------
    text : str
        "module name".
    """

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __call__(self, *arguments: object) -> "Call":
        """Note the call, and make it not."""
        return Call(self.text, arguments)

    def __setstate__(self, state: object) -> None:
        raise pickle.UnpicklingError(f"it changes {self.text}")


class Call:
    """A call that a pickle asked for, and that was not made.

    Attributes
    ----------
    text : str
        "module name" of the function.
    arguments : tuple
        What it was called with.
    state : object
        What the result's state was to be; None if there was none.
    """

    __slots__ = ("arguments", "state", "text")

    def __init__(self, text: str, arguments: tuple[object, ...]) -> None:
        self.text = text
        self.arguments = arguments
        self.state: object = None

    def __setstate__(self, state: object) -> None:
        self.state = state


def read_pickle(data: bytes, *, name: str) -> object:
    """Read a pickle of plain objects and numpy arrays without running what it names.

    Parameters
    ----------
    data : bytes
        The pickle, of protocol 2 as Python 2 or 3 writes it; the caller bounds its size.
    name : str
        What an error calls it.

    Returns
    -------
    object
        Dicts, lists, tuples, str (bytes of Python 2 by Latin-1), int, bool and None; `Call` where
        the pickle makes an array.

    Raises
    ------
    DataError
        It is damaged, or uses anything that the published files do not. Nothing of it was run.
    """
    _guarded(_check_program, data, name)
    return _guarded(
        lambda checked: _Reader(io.BytesIO(checked), encoding="latin1").load(), data, name
    )


def _guarded(work: Callable[[bytes], Any], data: bytes, name: str) -> Any:
    try:
        return work(data)
    except MemoryError:
        raise
    except Exception as error:  # a damaged pickle can fail in any way
        raise DataError(f"{name}: refused as a pickle ({error}); {_REMEDY}") from error


def _check_program(data: bytes) -> None:
    nesting = 0
    for count, (code, argument, _) in enumerate(pickletools.genops(data)):
        if code.name not in _INSTRUCTIONS:
            raise pickle.UnpicklingError(f"it uses {code.name}")
        if count >= _MOST_INSTRUCTIONS:
            raise pickle.UnpicklingError(f"more than {_MOST_INSTRUCTIONS:,} instructions")
        if code.name == "GLOBAL" and argument not in _NAMES:
            raise pickle.UnpicklingError(f"it names {argument!r:.60}")
        if code.name.endswith("BINPUT") and int(argument or 0) > _MOST_INSTRUCTIONS:
            raise pickle.UnpicklingError(f"it numbers memory places up to {argument:,}")
        nesting += code.name not in _SIMPLE
        if nesting > _MOST_NESTING:
            raise pickle.UnpicklingError(f"more than {_MOST_NESTING} nested objects")


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Name:
        text = f"{module} {name}"
        if text not in _NAMES:
            raise pickle.UnpicklingError(f"it names {text!r:.60}")
        return Name(text)

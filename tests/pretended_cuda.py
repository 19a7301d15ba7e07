"""A GPU that is not there: its tensors lie in host memory, and say that they are on CUDA.

It finds operations whose operands are on two devices, generators and index tensors of the wrong
one, arrays made of what is on the device, and all that would make the host wait for it. It knows
nothing of CUDA's arithmetic, streams or memory, and autocast does nothing on it.
"""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch._dynamo  # it looks all of torch through when it is first imported: before the patches
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter, tree_map

__all__ = ["PretendedCuda", "cuda", "pretended_cuda"]

_ATEN = torch.ops.aten
_LABEL = torch.device("meta")
"""What torch itself takes the tensors to be on: a device on which nothing is computed."""

_INDEXING = (_ATEN.index.Tensor, _ATEN.index_put_.default, _ATEN._index_put_impl_.default)
_WAITING = (_ATEN._local_scalar_dense.default, _ATEN.nonzero.default, _ATEN.equal.default)
_RealGenerator = torch.Generator


class _OnDevice(torch.Tensor):
    """A tensor that says it is on cuda:0; its numbers are those of `held`."""

    held: torch.Tensor

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> "_OnDevice":
        made = torch.Tensor._make_wrapper_subclass(
            cls, held.size(), strides=held.stride(), storage_offset=held.storage_offset(),
            dtype=held.dtype, layout=held.layout, device=_LABEL,
        )  # fmt: skip
        made.held = held
        return made

    device = property(lambda self: torch.device("cuda", 0))
    is_cuda = property(lambda self: True)
    is_meta = property(lambda self: False)

    def numpy(self, *, force: bool = False) -> Any:
        raise TypeError("an array of a tensor on CUDA")

    def __array__(self, dtype: object = None, copy: object = None) -> Any:
        raise TypeError("an array of a tensor on CUDA")

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        new: torch.Tensor = _OnDevice(self.held.detach().clone())
        if isinstance(self, torch.nn.Parameter):
            new = torch.nn.Parameter(new, self.requires_grad)
        return memo.setdefault(id(self), new)

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):  # type: ignore[override]
        return _current().run(func, args, kwargs or {})


class PretendedCuda:
    """The device.

    Attributes
    ----------
    waits : list of str
        Operations for which the host would have waited, since it was last cleared.
    """

    def __init__(self) -> None:
        self.waits: list[str] = []
        self.generators: set[int] = set()
        self._waiting_is_an_error = False

    def set_sync_debug_mode(self, mode: str) -> None:
        """As torch.cuda has it."""
        self._waiting_is_an_error = mode == "error"

    def _wait(self, what: str) -> None:
        if self._waiting_is_an_error:
            raise RuntimeError(f"the host waits for the device: {what}")
        self.waits.append(what)

    def run(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Do what torch is asked for, on the held numbers."""
        if torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), "CompositeImplicitAutograd"):
            with _Dispatching(self):
                parts = func.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
        operands = list(tree_iter((args, kwargs)))
        own = [each for each in operands if isinstance(each, _OnDevice)]
        to = kwargs.get("device")
        if to is not None and torch.device(to) == _LABEL:
            kwargs = {**kwargs, "device": torch.device("cpu")}
            if func is _ATEN._to_copy.default and not own:
                if not kwargs.get("non_blocking"):
                    self._wait("a copy from the host")
                return _OnDevice(func(*args, **kwargs))
            return self._computed(func, args, kwargs, own)
        if not own:
            self._check_generators(operands, on_device=False)
            return func(*args, **kwargs)
        if func is _ATEN._to_copy.default and to is not None:
            self._wait("a copy to the host")
            return func(*_held(args), **_held(kwargs)).clone()
        if func is _ATEN.copy_.default:
            if not kwargs.get("non_blocking") and len(args) < 3:
                self._note_copy(args)
            func(*_held(args), **kwargs)
            return args[0]
        self._check(func, args, operands)
        return self._computed(func, args, kwargs, own)

    def _note_copy(self, args: tuple[Any, ...]) -> None:
        if not all(isinstance(each, _OnDevice) for each in args[:2]):
            self._wait("a copy between host and device")

    def _check(self, func: Any, args: tuple[Any, ...], operands: list[Any]) -> None:
        if func in _WAITING:
            self._wait(str(func))
        self._check_generators(operands, on_device=True)
        if func in _INDEXING and isinstance(args[0], _OnDevice):
            if any(
                isinstance(each, torch.Tensor) and each.dtype == torch.bool for each in operands
            ):
                self._wait(f"{func} by a mask")
            return
        for each in operands:
            if isinstance(each, torch.Tensor) and not isinstance(each, _OnDevice) and each.ndim:
                raise RuntimeError(f"{func}: {tuple(each.shape)} on the host beside the device")

    def _check_generators(self, operands: list[Any], *, on_device: bool) -> None:
        for each in operands:
            if (
                isinstance(each, _RealGenerator)
                and (_address(each) in self.generators) != on_device
            ):
                raise RuntimeError("a generator of one device for a tensor of another")

    def _computed(self, func: Any, args: Any, kwargs: dict[str, Any], own: list[Any]) -> Any:
        found = func(*_held(args), **_held(kwargs))
        if func is _ATEN._local_scalar_dense.default:
            return found
        known = {id(each.held): each for each in own}

        def shown(value: Any) -> Any:
            if not isinstance(value, torch.Tensor):
                return value
            return known[id(value)] if id(value) in known else _OnDevice(value)

        return tree_map(shown, found)


def _address(generator: Any) -> int:
    """torch passes on another Python object of the same generator."""
    return int(generator._cdata)


def _held(values: Any) -> Any:
    return tree_map(lambda each: each.held if isinstance(each, _OnDevice) else each, values)


class _Dispatching(TorchDispatchMode):
    """Takes what is made on the device from nothing."""

    def __init__(self, cuda: PretendedCuda) -> None:
        super().__init__()
        self.cuda = cuda

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return self.cuda.run(func, args, kwargs or {})


class _Naming(TorchFunctionMode):
    """Has torch take "cuda" for the label, "meta" for the host, and no memory for pinned."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        name, kwargs = getattr(func, "__name__", ""), dict(kwargs or {})
        if func is torch.device or name == "_parse_to":
            return func(*args, **kwargs)
        if name == "pin_memory":
            return args[0]
        if name == "cuda":
            return args[0].to(_LABEL, **kwargs)
        kwargs.pop("pin_memory", None)
        if func in (torch.tensor, torch.as_tensor) and _is_cuda(kwargs.get("device")):
            del kwargs["device"]
            return func(*args, **kwargs).to(_LABEL)
        # torch's optimizers group tensors by the label, and move others to what they found.
        own = any(isinstance(each, _OnDevice) for each in args)
        renamed = partial(_renamed, host=None if own else torch.device("cpu"))
        return func(*tree_map(renamed, args), **tree_map(renamed, kwargs))


def _is_cuda(value: Any) -> bool:
    if isinstance(value, str):
        return value.partition(":")[0] == "cuda"
    return isinstance(value, torch.device) and value.type == "cuda"


def _renamed(value: Any, *, host: torch.device | None) -> Any:
    if _is_cuda(value):
        return _LABEL
    is_meta = isinstance(value, torch.device) and value.type == "meta"
    return host if is_meta and host else value


class _Stream(torch.cuda.Stream):
    """A stream or an event: all is done at once."""

    def __new__(cls, *_: object, **__: object) -> "_Stream":
        made: _Stream = object.__new__(cls)
        return made

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def record(self, *_: object) -> None:
        pass

    def synchronize(self) -> None:
        pass


_running: list[PretendedCuda] = []


def _current() -> PretendedCuda:
    return _running[-1]


@contextmanager
def _modes(cuda: PretendedCuda) -> Iterator[None]:
    with _Naming(), _Dispatching(cuda):
        yield


@pytest.fixture
def pretended_cuda(monkeypatch: pytest.MonkeyPatch) -> Iterator[PretendedCuda]:
    """A GPU for the length of a test, in all of its threads."""
    if torch.version.cuda is not None:
        pytest.skip("torch is built for CUDA, which this would take the place of")
    cuda = PretendedCuda()
    answers: dict[str, Any] = {
        "is_available": True, "device_count": 1, "current_device": 0, "_lazy_init": None,
        "get_device_capability": (9, 0), "get_device_name": "pretended", "empty_cache": None,
        "mem_get_info": (70 << 30, 80 << 30), "max_memory_allocated": 0, "synchronize": None,
        "get_device_properties": SimpleNamespace(name="pretended", total_memory=80 << 30),
        "set_device": None,
    }  # fmt: skip
    for name, answer in answers.items():
        monkeypatch.setattr(torch.cuda, name, lambda *_, answer=answer, **__: answer)
    for name in ("Stream", "Event"):
        monkeypatch.setattr(torch.cuda, name, _Stream)
    for name in ("stream", "device"):
        monkeypatch.setattr(torch.cuda, name, lambda _: ExitStack())
    monkeypatch.setattr(torch.cuda, "set_sync_debug_mode", cuda.set_sync_debug_mode)
    # Tensors of inference mode do not go through what tells devices apart here.
    monkeypatch.setattr(torch, "inference_mode", _no_grad)
    monkeypatch.setattr(torch, "Generator", _generators(cuda))
    monkeypatch.setattr(torch, "autocast", _Autocast)
    run = threading.Thread.run

    def run_pretending(thread: threading.Thread) -> None:
        with _modes(cuda):
            run(thread)

    monkeypatch.setattr(threading.Thread, "run", run_pretending)
    _running.append(cuda)
    with _modes(cuda):
        yield cuda
    _running.pop()


@pytest.fixture(params=["pretended", pytest.param("real", marks=pytest.mark.gpu)])
def cuda(request: pytest.FixtureRequest) -> torch.device:
    """The GPU, and where there is none the pretended one."""
    if request.param == "pretended":
        request.getfixturevalue("pretended_cuda")
    return torch.device("cuda")


def _no_grad(mode: bool = True) -> Any:
    return torch.no_grad() if mode else torch.enable_grad()


def _generators(cuda: PretendedCuda) -> type[torch.Generator]:
    class Generator(_RealGenerator):
        def __new__(cls, device: Any = "cpu") -> "Generator":
            made = _RealGenerator.__new__(cls, "cpu")  # type: ignore[call-arg]
            if _is_cuda(device):
                cuda.generators.add(_address(made))
            return made

    return Generator


_RealAutocast = torch.autocast


class _Autocast(_RealAutocast):
    """The CPU's; off on CUDA."""

    def __init__(self, device_type: str, *args: Any, **kwargs: Any) -> None:
        on_cuda = device_type == "cuda"
        kwargs |= {"enabled": False} if on_cuda else {}
        super().__init__("cpu" if on_cuda else device_type, *args, **kwargs)

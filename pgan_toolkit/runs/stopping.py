"""The user's wish to stop, heard between two steps."""

import signal
import threading
from types import FrameType, TracebackType

__all__ = ["StopRequests"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequests:
    """While entered, the first SIGINT or SIGTERM is only noted: a step is not torn in two.

    A second one acts as it would have before. Outside of the main thread, where Python delivers no
    signals, nothing is changed.

    Attributes
    ----------
    received : bool
        Whether one has come.
    """

    def __init__(self) -> None:
        self.received = False
        self._before: dict[signal.Signals, signal._HANDLER] = {}

    def __enter__(self) -> "StopRequests":
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in _SIGNALS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._restore()

    def _note(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.received = True
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

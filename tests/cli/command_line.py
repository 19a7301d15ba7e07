"""The command, run as a user runs it but in this process: words in, text and exit code out."""

import contextlib
import io
import signal
import sys
from typing import NamedTuple
from unittest import mock

from pgan_cli.main import main


class Outcome(NamedTuple):
    code: object
    out: str
    err: str


def run_main(*words: object) -> Outcome:
    """Run `pgan-toolkit WORDS`."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    before = signal.getsignal(signal.SIGTERM)
    code: object = "main() returned"
    try:
        with (
            mock.patch.object(sys, "argv", ["pgan-toolkit", *map(str, words)]),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            main()
    except SystemExit as stop:
        code = stop.code
    finally:
        signal.signal(signal.SIGTERM, before)
    return Outcome(code, *(stream.buffer.getvalue().decode() for stream in (out, err)))

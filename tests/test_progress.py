import io
import sys

import pytest

from pgan_toolkit.progress import Progress


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def replaced_stderr(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO) -> io.StringIO:
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


def test_log_has_one_line_per_interval_and_a_closing_line(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, log = Clock(), replaced_stderr(monkeypatch, io.StringIO())
    with Progress(100, label="scoring", unit="photograph", clock=clock) as bar:
        for _ in range(100):
            clock.now_s += 1
            bar.advance()
    assert log.getvalue().splitlines() == [
        "scoring: 30 of 100 photographs (30 %), 1.0 per second, 1 min 10 s left",
        "scoring: 60 of 100 photographs (60 %), 1.0 per second, 40 s left",
        "scoring: 90 of 100 photographs (90 %), 1.0 per second, 10 s left",
        "scoring: 100 photographs in 1 min 40 s, 1.0 per second",
    ]


def test_resumed_items_do_not_count_in_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, log = Clock(), replaced_stderr(monkeypatch, io.StringIO())
    with Progress(110, label="packing", initial=10, clock=clock) as bar:
        clock.now_s = 50
        bar.advance(50)
    assert log.getvalue().splitlines()[0] == (
        "packing: 60 of 110 items (54 %), 1.0 per second, 50 s left"
    )


@pytest.mark.parametrize(
    ("more", "line"),
    [
        (50, "packing: 50 items (60 in all) in 50 s, 1.0 per second"),
        (0, "packing: nothing left to do (10 items done before)"),
    ],
)
def test_the_last_line_tells_what_was_done_now(
    monkeypatch: pytest.MonkeyPatch, more: int, line: str
) -> None:
    clock, log = Clock(), replaced_stderr(monkeypatch, io.StringIO())
    with Progress(10 + more, label="packing", initial=10, clock=clock) as bar:
        clock.now_s = 50
        bar.advance(more)
    assert log.getvalue().splitlines()[-1] == line


def test_unknown_total_and_notes(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, log = Clock(), replaced_stderr(monkeypatch, io.StringIO())
    with Progress(None, label="reading", clock=clock) as bar:
        bar.note("a.jpg: damaged")
        clock.now_s = 7200
        bar.advance()
    assert log.getvalue().splitlines() == [
        "a.jpg: damaged",
        "reading: 1 item, 0.0 per second",
        "reading: 1 item in 2 h 0 min, 0.0 per second",
    ]


def test_an_error_is_a_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    log = replaced_stderr(monkeypatch, io.StringIO())
    try:
        with Progress(3, label="packing", unit="picture") as bar:
            bar.advance(2)
            raise ValueError
    except ValueError:
        pass
    assert log.getvalue() == "packing: stopped after 2 pictures of 3\n"


def test_quiet_is_silent_even_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = replaced_stderr(monkeypatch, Terminal())
    with Progress(2, label="packing", mode="quiet") as bar:
        bar.advance(2)
        bar.note("nothing")
    assert terminal.getvalue() == ""
    assert bar.done == 2


def test_terminal_shows_a_bar_with_rate_and_notes(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = replaced_stderr(monkeypatch, Terminal())
    with Progress(4, label="packing", unit="picture") as bar:
        bar.advance(4)
        bar.note("b.png: damaged")
    shown = terminal.getvalue()
    assert "packing: 100%" in shown
    assert "4/4" in shown
    assert "b.png: damaged" in shown

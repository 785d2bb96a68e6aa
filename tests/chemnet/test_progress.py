"""Without a terminal, long work is told in log lines now and then, and short work in none."""

from __future__ import annotations

import io
import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from chemnet import progress as module
from chemnet.progress import (
    ProgressLog,
    coloured,
    configure_logging,
    get_logger,
    progress,
    progress_bar,
    under_way,
)


class Clock:
    """A clock that only moves when told."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(module, "time", made)
    return made


@pytest.fixture(autouse=True)
def _at_info(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.INFO, logger="chemnet"):
        yield


def walk(bar: Any, clock: Clock, units: int, seconds: float) -> None:
    with bar:
        for _ in range(units):
            clock.now += seconds
            bar.update()


def test_lines_come_every_tenth_with_the_time_left(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    walk(ProgressLog(total=1000, desc="simulate", unit="tracer"), clock, 1000, 0.1)
    assert caplog.messages[0] == "simulate: 100 of 1,000 tracers, 90 s left"
    assert caplog.messages[1] == "simulate: 200 of 1,000 tracers, 80 s left"
    assert caplog.messages[-1] == "simulate: 1,000 of 1,000 tracers"
    assert len(caplog.messages) == 10


def test_slow_units_are_told_at_least_every_half_minute(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    walk(ProgressLog(total=1000, desc="train", unit="row"), clock, 3, 30.0)
    assert caplog.messages[0] == "train: 1 of 1,000 rows, 8 h left"
    assert len(caplog.messages) == 3


def test_what_is_done_at_once_is_not_told(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    walk(ProgressLog(total=1000, desc="insert", unit="state"), clock, 1000, 0.001)
    assert caplog.messages == []


def test_units_of_an_earlier_run_count_as_done_but_not_for_the_pace(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    bar = ProgressLog(total=100, desc="simulate", unit="tracer")
    bar.n = bar.initial = 80
    walk(bar, clock, 10, 6.0)
    assert caplog.messages[0] == "simulate: 85 of 100 tracers, 90 s left"


def test_an_iterable_is_walked_and_counted(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    for _ in ProgressLog(range(4), desc="fit", unit="step"):
        clock.now += 40.0
    assert caplog.messages[0] == "fit: 1 of 4 steps, 2 min left"
    assert caplog.messages[-1] == "fit: 4 of 4 steps"


def test_a_terminal_gets_a_bar_and_quiet_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(progress(total=3), ProgressLog)
    assert progress_bar(total=3).disable
    monkeypatch.setattr("sys.stderr", type("Terminal", (io.StringIO,), {"isatty": lambda self: True})())
    with progress(total=3) as bar:
        assert not bar.disable
    configure_logging("warning", "stderr")
    with progress(total=3) as silent:
        assert silent.disable


def test_work_that_cannot_be_counted_is_said_to_go_on(caplog: pytest.LogCaptureFixture) -> None:
    with under_way("fitting umap on 20,000 states", every=0.01):
        while len(caplog.messages) < 2:
            time.sleep(0.01)
    first, second, *_ = caplog.messages
    assert first == "fitting umap on 20,000 states"
    assert second.startswith("still fitting umap on 20,000 states, for ")
    assert "reminder" not in [thread.name for thread in threading.enumerate()]


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "environment", "has_colours"),
    [
        (Terminal(), {}, True),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"NO_COLOR": ""}, True),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
    ],
)
def test_colours_are_for_terminals_whose_user_wants_them(
    monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, environment: dict[str, str], has_colours: bool
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert (coloured("word", "31", stream) != "word") is has_colours
    monkeypatch.setattr("sys.stderr", stream)
    configure_logging("info", "stderr")
    get_logger("test").warning("careful")
    assert ("\x1b[33mWARNING\x1b[0m careful" in stream.getvalue()) is has_colours
    configure_logging("info", "stdout")


def test_handlers_of_others_outlive_a_new_configuration() -> None:
    logger, other = logging.getLogger("chemnet"), logging.NullHandler()
    logger.addHandler(other)
    configure_logging("info", "stderr")
    configure_logging("info", "stdout")
    assert other in logger.handlers
    logger.removeHandler(other)

"""Hidden directories of runs: one process works in each, and a dead one in none."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import chemnet

from chemnet.errors import ResultsError
from chemnet.results.unfinished_runs import RUNNING_FILE, OwnedRun, remove_unfinished, run_state

HOLDER = """
import sys
from pathlib import Path
from chemnet.results.unfinished_runs import OwnedRun
run = OwnedRun(Path(sys.argv[1]), "simulate")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def hidden(tmp_path: Path) -> Path:
    folder = tmp_path / "results" / ".partial-20260102-030405-simulate-abcdef"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def holder(hidden: Path):
    """A process that works in the hidden directory."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = subprocess.Popen([sys.executable, "-c", HOLDER, hidden], text=True, **pipes)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def note_of(process: int, host: str | None = None) -> str:
    return f'verb = "simulate"\npid = {process}\nhost = "{host or socket.gethostname()}"\n'


def test_what_another_process_works_in_is_refused_and_names_it(hidden: Path, holder) -> None:
    assert run_state(hidden)[0] == "running"
    with pytest.raises(ResultsError, match=f"is still running: process {holder.pid} on"):
        OwnedRun(hidden, "simulate")
    assert remove_unfinished(hidden.parent) == []


def test_a_killed_process_holds_nothing_though_nobody_has_waited_for_it(hidden: Path, holder) -> None:
    holder.send_signal(signal.SIGKILL)
    # a zombie until the fixture waits for it
    while Path(f"/proc/{holder.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
        time.sleep(0.01)
    assert run_state(hidden)[0] == "unfinished"
    OwnedRun(hidden, "simulate").end()


def test_where_a_file_system_has_no_locks_the_process_decides(
    hidden: Path, holder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(file: object, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert run_state(hidden)[0] == "running"
    holder.kill()
    os.waitid(os.P_PID, holder.pid, os.WEXITED | os.WNOWAIT)
    assert run_state(hidden)[0] == "unfinished", "a zombie is no running process"


def test_a_run_of_another_machine_that_left_no_word_is_unknown(hidden: Path) -> None:
    (hidden / RUNNING_FILE).write_text(note_of(1, "node-17"))
    assert run_state(hidden) == ("unknown", "node-17")


@pytest.mark.parametrize("note", ["", "pid = 1", "\x00", 'pid = "x"\nhost = "a"', "pid = [1]\nhost = 2"])
def test_a_note_that_says_nothing_is_that_of_an_ended_run(hidden: Path, note: str) -> None:
    (hidden / RUNNING_FILE).write_text(note)
    assert run_state(hidden)[0] == "unfinished"


def test_a_run_that_was_finished_meanwhile_is_gone(hidden: Path) -> None:
    run = OwnedRun(hidden, "simulate")
    run.reveal(hidden.with_name("20260102-030405-simulate-abcdef"))
    assert sorted(path.name for path in hidden.parent.iterdir()) == ["20260102-030405-simulate-abcdef"]
    with pytest.raises(ResultsError, match="another process finished it"):
        OwnedRun(hidden, "simulate")


def test_a_run_that_nobody_needs_any_more_is_let_go(hidden: Path) -> None:
    OwnedRun(hidden, "simulate")
    assert run_state(hidden)[0] == "unfinished"
    assert remove_unfinished(hidden.parent) == [hidden]


@pytest.mark.parametrize("verb", ["simulate", "train", "infer", "sweep"])
@pytest.mark.parametrize("wanted", ["latest", "name"])
def test_every_verb_that_resumes_refuses_a_run_at_work_before_it_reads_anything(
    tmp_path: Path, verb: str, wanted: str
) -> None:
    hidden = tmp_path / f".partial-20260102-030405-{verb}-abcdef"
    hidden.mkdir()
    (hidden / "resume.safetensors").touch()
    run = OwnedRun(hidden, verb)
    before = sorted(tmp_path.rglob("*"))
    word = hidden.name if wanted == "name" else wanted
    words = (f"general.results_dir={tmp_path}", f"{verb}.resume={word}", "train.mode=both")
    outcome = chemnet(verb, *words)
    run.end()
    assert outcome.code == 2
    assert f"{hidden.name} is still running" in outcome.err.splitlines()[0]
    assert len(outcome.err.splitlines()) == 2
    assert sorted(tmp_path.rglob("*")) == before

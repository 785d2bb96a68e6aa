"""What a verb says is kept in its result, from the beginning of the command on."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from chemnet import ChemNet
from chemnet.cli import main
from chemnet.config import ConfigDict, load_config
from chemnet.errors import DataError
from chemnet.registry import VERBS
from chemnet.results import Answer, ResultDirectory, ResultWriter, command
from chemnet.verbs.verb import Verb

LOG = logging.getLogger("chemnet.test")


@pytest.fixture
def config(tmp_path: Path) -> ConfigDict:
    return load_config(overrides=[f"general.results_dir={tmp_path / 'results'}"])


def made(config: ConfigDict, say: Callable[[], None] = lambda: None) -> ResultDirectory:
    with ResultWriter(config, "train") as writer:
        say()
    return writer.result


def lines(result: ResultDirectory) -> list[str]:
    return (result.path / "log.txt").read_text().splitlines()


class Speak(Verb[Answer]):
    """Say something before and after the result begins."""

    cli_name = "speak"
    description = "say something"
    tables = ("general",)

    def run(self) -> Answer:
        LOG.warning("\x1b[33mbefore\x1b[0m")
        result = made(self.config, lambda: LOG.warning("after"))
        return Answer({}, str(result.path), result.path)


def test_lines_before_the_result_and_the_command_are_in_its_log_with_date_and_level_and_no_colours(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(VERBS._classes, "speak", Speak)
    assert main(["speak", f"general.results_dir={tmp_path}"]) == 0
    result = ResultDirectory.open(capsys.readouterr().out.strip())
    first, before, after, last = lines(result)
    date = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d "
    assert re.fullmatch(rf"{date}INFO    chemnet [\d.]+: speak general.results_dir={tmp_path}", first)
    assert re.fullmatch(rf"{date}WARNING before", before)
    assert re.fullmatch(rf"{date}WARNING after", after)
    assert re.fullmatch(rf"{date}INFO    done after [\d.]+ s", last)


def test_a_log_has_no_digest_and_equal_results_stay_equal(config: ConfigDict) -> None:
    one, other = (made(config, lambda word=word: LOG.warning(word)) for word in ("a", "b"))
    assert one.digest == other.digest
    assert "log.txt" not in one.files
    assert list(one.faults()) == []


def test_each_of_several_results_of_a_command_has_the_lines_since_the_last_one(config: ConfigDict) -> None:
    with command(["sweep"]):
        LOG.warning("for the first")
        first = made(config)
        LOG.warning("for the second")
        second = made(config)
    LOG.warning("for nobody")
    assert [line[28:] for line in lines(first)[1:-1]] == ["for the first"]
    assert [line[28:] for line in lines(second)[1:-1]] == ["for the second"]
    assert [line for line in lines(made(config)) if "nobody" in line] == []


def test_a_run_that_breaks_off_says_why_and_one_that_goes_on_adds_to_its_log(config: ConfigDict) -> None:
    from chemnet.results.unfinished_runs import unfinished

    with pytest.raises(DataError), ResultWriter(config, "train", keep_on_error=True):
        raise DataError("row 3 is empty")
    with ResultWriter(config, "train", resume=unfinished(config, "train", "latest")) as writer:
        pass
    said = lines(writer.result)
    assert "ERROR   stopped after" in said[0]
    assert said[0].endswith("row 3 is empty")
    assert "done after" in said[-1]


def test_wall_time_counts_from_the_beginning_of_the_command(
    config: ConfigDict, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    with command(["train"]):
        now[0] += 7.0
        first = made(config)
        now[0] += 2.0
        second = made(config)
    alone = made(config)
    assert (first.wall_time_s, second.wall_time_s, alone.wall_time_s) == (7.0, 2.0, 0.0)


def test_a_log_that_cannot_be_written_does_not_end_a_run(
    config: ConfigDict, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with ResultWriter(config, "train") as writer:
        monkeypatch.setattr("chemnet.results.log_file.os.write", full)
        LOG.warning("lost")
    assert writer.result.status == "done"


def test_a_verb_called_in_python_is_named_in_the_log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(VERBS._classes, "speak", Speak)
    answer = ChemNet(overrides=[f"general.results_dir={tmp_path}"]).speak()
    assert lines(ResultDirectory.open(answer.path))[0].endswith(": ChemNet().speak()")

"""Faults in the middle of verbs: nothing is lost, and what happened is told.

`python tests/faults/run.py` injects more of them, and prints the table of `docs/explanation/faults.md`.
"""

from __future__ import annotations

import random
import signal
from collections.abc import Sequence

import fault_catalogue as catalogue
import pytest
from fault_catalogue import House, Outcome


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    return House(tmp_path_factory.mktemp("house"))


def none_lost(outcomes: Sequence[Outcome]) -> None:
    assert outcomes
    assert [f"{one.fault}, {one.verb}: {one.lost}" for one in outcomes if not one.survived] == []


@pytest.mark.parametrize(
    ("job", "share"),
    [
        ("simulate", 0.4),
        ("simulate", 0.9),
        ("preprocess", 0.6),
        ("train", 0.5),
        ("train", 0.95),
        ("train_emulator", 0.7),
        ("infer", 0.6),
        ("infer", 0.8),
        ("sweep", 0.7),
        ("study", 0.7),
        ("umap", 0.5),
        ("benchmark", 0.7),
        ("save_to_database", 0.7),
    ],
)
def test_a_kill_loses_nothing(house: House, job: str, share: float) -> None:
    none_lost([catalogue.stopped(house, job, "kill -9", [signal.SIGKILL], share)])


@pytest.mark.parametrize(("job", "share"), [("simulate", 0.6), ("train", 0.7)])
@pytest.mark.parametrize("signals", [[signal.SIGTERM], [signal.SIGINT, signal.SIGINT]])
def test_a_signal_loses_nothing_and_is_told(
    house: House, job: str, share: float, signals: list[signal.Signals]
) -> None:
    none_lost([catalogue.stopped(house, job, "signal", signals, share, pause_s=0.02)])


@pytest.mark.parametrize(
    ("job", "limit"), [("simulate", 9_000), ("train", 3_000), ("infer", 2_000), ("save_to_database", 9_000)]
)
def test_a_full_disk_loses_nothing_and_is_told(house: House, job: str, limit: int) -> None:
    none_lost([catalogue.full_disk(house, job, limit)])


def test_a_folder_that_cannot_be_written_is_named(house: House) -> None:
    none_lost([catalogue.unwritable(house, "preprocess")])


def test_no_home_and_a_wrong_clock_change_nothing(house: House) -> None:
    none_lost([catalogue.homeless(house, "preprocess"), catalogue.clock_back(house, "infer")])


@pytest.mark.parametrize("job", ["preprocess", "train"])
def test_the_same_verb_twice_in_one_second_makes_two_whole_results(house: House, job: str) -> None:
    none_lost([catalogue.pair(house, job)])


@pytest.mark.parametrize("job", ["train", "infer"])
def test_two_that_go_on_with_one_run_do_not_mix(house: House, job: str) -> None:
    none_lost([catalogue.two_resume(house, job)])


@pytest.mark.parametrize("job", ["simulate", "preprocess", "train", "infer", "umap"])
def test_no_damaged_file_of_a_result_passes_for_a_whole_one(house: House, job: str) -> None:
    none_lost(list(catalogue.damaged_files(house, job, random.Random(1))))


@pytest.mark.parametrize("job", ["train", "infer"])
def test_no_damaged_file_of_an_unfinished_run_changes_its_end(house: House, job: str) -> None:
    none_lost(list(catalogue.damaged_state(house, job, random.Random(2), catalogue.STATES[job])))


def test_no_damaged_surrogate_is_loaded(house: House) -> None:
    none_lost(list(catalogue.damaged_surrogate(house, random.Random(3))))

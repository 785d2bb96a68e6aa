"""Tasks are done once each, whoever works on them."""

from __future__ import annotations

import threading
import time

import pytest

from chemnet.config import load_config
from chemnet.errors import ConfigError, DataError
from chemnet.workers import ThisThread, Threads, completed, open_workers, ordered, worker_count

KINDS = [ThisThread, lambda: Threads(3), lambda: Threads(1, waiting=0)]


@pytest.mark.parametrize("make", KINDS)
def test_every_task_is_done_once(make):
    with make() as workers:
        done = dict(completed(workers, pow, range(20), shared=[3]))
    assert done == {task: 3**task for task in range(20)}


@pytest.mark.parametrize("make", KINDS)
def test_ordered_results_stand_in_the_order_of_their_tasks(make):
    def slow_first(task):
        time.sleep(0.03 if task == 0 else 0.0)
        return task

    with make() as workers:
        assert list(ordered(workers, slow_first, range(9))) == list(range(9))


def test_the_first_to_end_is_the_first_to_be_told():
    second_is_told = threading.Event()
    with Threads(2) as workers:
        ended = completed(workers, lambda task: task == 1 or second_is_told.wait(), (0, 1))
        assert next(ended)[0] == 1
        second_is_told.set()
        assert next(ended)[0] == 0


def test_few_tasks_are_drawn_ahead():
    drawn = []
    with Threads(2, waiting=1) as workers:
        results = ordered(workers, abs, (drawn.append(n) or n for n in range(100)))
        next(results)
        assert len(drawn) <= 4
        results.close()


@pytest.mark.parametrize("walk", [completed, ordered])
def test_an_error_ends_the_walk_and_drops_what_has_not_begun(walk):
    begun = []

    def fail(task):
        begun.append(task)
        raise DataError(f"task {task}")

    with Threads(1, waiting=5) as workers, pytest.raises(DataError, match="task 0"):
        list(walk(workers, fail, range(50)))
    assert len(begun) < 50


def test_ctrl_c_goes_through_a_task_of_this_thread():
    def interrupt(task):
        raise KeyboardInterrupt

    with ThisThread() as workers, pytest.raises(KeyboardInterrupt):
        list(completed(workers, interrupt, [1]))


def test_without_dask_the_verbs_own_workers_work():
    with open_workers(load_config(), ThisThread) as workers:
        assert isinstance(workers, ThisThread)


def test_what_is_no_address_is_refused():
    config = load_config(overrides=["general.dask=localhost"])
    with pytest.raises(ConfigError, match=r"general\.dask = 'localhost' is no address"):
        open_workers(config, ThisThread)


def test_zero_workers_are_one_per_core():
    assert worker_count(0) >= 1
    with pytest.raises(DataError, match="-1 workers"):
        worker_count(-1)

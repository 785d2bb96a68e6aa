"""Two processes train as one would: the same losses, every row once, one result."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from command_line import wait_for
from group_trainings import EMULATOR, ENDLESS, WHOLE
from processes import children, torchrun
from trainings import same, train, weights_of, without_times
from workspace import Workspace, make_workspace

from chemnet.config import ConfigDict, load_config
from chemnet.results import list_results
from chemnet.results.unfinished_runs import list_partial
from chemnet.training.feeds.data_feed import RowTable, TableShard, WindowTable
from chemnet.verbs.train import TrainResult

# relative; sums over a batch are taken in another order, and AdamW makes steps of its first roundings
TOLERANCE = 2e-3


@dataclass(frozen=True)
class Group:
    """What became of two processes that trained together."""

    workspace: Workspace
    told: list[dict[str, Any]]
    code: int
    out: str
    err: str

    @property
    def config(self) -> ConfigDict:
        """What they were configured with."""
        return load_config([self.workspace.config])


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> Group:
    """Two processes that have trained several times, and were interrupted in the last training."""
    workspace = make_workspace(tmp_path_factory.mktemp("group"))
    workspace.result("preprocess")
    notes = [workspace.folder / f"told_{rank}.json" for rank in range(2)]

    def in_last_training() -> bool:
        return all(note.exists() for note in notes) and any(workspace.results.glob(".partial-*/resume.json"))

    with torchrun(2, "group_trainings", workspace.config) as processes:
        wait_for(in_last_training, processes)
        os.killpg(processes.pid, signal.SIGINT)
        out, err = processes.communicate()
    told = [json.loads(note.read_text()) for note in notes]
    return Group(workspace, told, processes.returncode, out, err)


@pytest.mark.parametrize(("recipe", "key"), [(WHOLE, "path"), (EMULATOR, "emulator")])
def test_the_losses_are_those_of_one_process_with_the_whole_batch(
    group: Group, recipe: dict[str, Any], key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chemnet.training.loop.train_component.write_curves", lambda *_: None)
    alone, together = train(group.config.replace(recipe)), TrainResult.load(group.told[0][key])
    for one, other in zip(without_times(alone), without_times(together), strict=True):
        assert other == pytest.approx(one, rel=TOLERANCE)


def test_every_row_is_seen_once_per_epoch_by_one_process(group: Group) -> None:
    told = group.told
    n_rows = TrainResult.load(told[0]["path"]).summary["items_per_epoch"]
    batches = [process["items"] for process in told]
    assert len(batches[0]) == len(batches[1])
    # four epochs of training rows, and of the fewer validation rows
    counts = Counter(item for process in batches for batch in process for item in batch)
    assert set(counts) == set(range(n_rows))
    n_validation = sum(count == 8 for count in counts.values())
    assert 0 < n_validation < n_rows
    assert set(counts.values()) == {4, 8}
    per_process = [sum(map(len, process)) for process in batches]
    assert max(per_process) - min(per_process) <= len(batches[0])


def test_one_process_writes_and_all_know_where(group: Group) -> None:
    config, told = group.config, group.told
    assert told[0]["path"] == told[1]["path"]
    results_dir = Path(config["general"]["results_dir"])
    by_name = Counter(one.component for one in list_results(results_dir, "train"))
    assert by_name["half"] == 2, "half of a training, and the whole that it became"
    assert not list(list_partial(results_dir))


def test_a_resumed_training_is_the_one_in_one_go(group: Group) -> None:
    told = group.told
    whole, resumed = TrainResult.load(told[0]["path"]), TrainResult.load(told[0]["resumed"])
    assert without_times(resumed) == without_times(whole)
    assert same(weights_of(resumed), weights_of(whole))


def test_what_is_not_finite_in_one_process_stops_all(group: Group) -> None:
    told = group.told
    first, second = (process["failure"] for process in told)
    assert first == second
    assert first.startswith("training epoch 1, batch")
    assert " is nan" in first


def test_ctrl_c_under_torchrun_keeps_the_best_weights_once(group: Group) -> None:
    assert group.code != 0
    interrupted = [
        one for one in list_results(group.workspace.results, "train") if one.component == "endless"
    ]
    assert [one.status for one in interrupted] == ["interrupted"]
    assert interrupted[0].summary["epochs"] >= 1
    assert not list(list_partial(group.workspace.results))
    assert group.err.count("to resume:") == 1
    assert not group.out


@pytest.mark.slow
def test_a_killed_process_loses_at_most_one_epoch(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "killed")
    workspace.result("preprocess")

    def epochs() -> int:
        (state,) = list(workspace.results.glob(".partial-*/resume.json")) or [None]
        return json.loads(state.read_text() or "{}").get("state", {}).get("epoch", 0) if state else 0

    with torchrun(2, "chemnet", "train", "-c", workspace.config, *ENDLESS) as processes:
        wait_for(lambda: epochs() >= 2, processes)
        os.kill(children(processes.pid)[1], signal.SIGKILL)
        processes.communicate()
    assert processes.returncode
    assert not list_results(workspace.results, "train")
    reached = epochs()
    resumed = workspace.result("train", "train.resume=latest", f"train.epochs={reached + 2}")
    records = [json.loads(line) for line in (resumed / "metrics.jsonl").read_text().splitlines()]
    assert [record["epoch"] for record in records] == list(range(1, reached + 3))


@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_shares_of_a_batch_are_the_batch(size: int) -> None:
    rows = RowTable(torch.rand(20, 3), torch.rand(20, 2), torch.rand(20))
    windows = WindowTable(rows, torch.tensor([0, 3, 8, 11]), 5)
    for table, items in ((rows, torch.tensor([5, 2, 9, 0, 7])), (windows, torch.tensor([3, 0, 2]))):
        shards = [TableShard(table, rank, size).gather(items)["abundance"] for rank in range(size)]
        whole = table.gather(items)["abundance"]
        order = torch.cat([torch.arange(len(items))[rank::size] for rank in range(size)])
        assert torch.equal(torch.cat(shards), whole[order])


def test_several_processes_do_no_other_verb_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    outcome = make_workspace(tmp_path).run("preprocess")
    assert outcome.code == 2
    assert "2 processes (torchrun) cannot do `preprocess` together" in outcome.err

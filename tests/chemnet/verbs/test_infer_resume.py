"""An inference that broke off goes on behind its last whole batch, and ends as if it never had."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chemnet.data.infer_result import infer_result_writer, infer_sources, inference_dataset
from chemnet.errors import ResultsError
from chemnet.results.unfinished_runs import list_partial
from chemnet.surrogate.bulk import model_over_data_set
from chemnet.verbs import infer as module
from chemnet.verbs.infer import Infer, InferResult
from chemnet.verbs.train import Train, TrainResult

pytestmark = pytest.mark.usefixtures("undrawn")
ROWS_PER_BATCH = 64


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Six files for the 360 states, blocks that do not fit them, and few tracers per rollout."""
    for each in (infer_result_writer, inference_dataset):
        monkeypatch.setattr(each, "ROWS_PER_FILE", ROWS_PER_BATCH)
    monkeypatch.setitem(model_over_data_set.ROWS_PER_CALL, "cpu", 40)
    monkeypatch.setattr(infer_sources, "TRACERS_PER_BLOCK", 2)


def broken_off(config: Any, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """Run an inference that fails at its block number `after`."""
    append, calls = module._append, []

    def failing(*arguments: Any) -> None:
        calls.append(1)
        if len(calls) > after:
            raise KeyboardInterrupt
        append(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(module, "_append", failing)
        with pytest.raises(KeyboardInterrupt):
            Infer(config).run()


def partial(config: Any) -> list[Path]:
    return list(list_partial(config["general"]["results_dir"]))


def files_of(result: InferResult) -> dict[str, str]:
    return {name: record.digest for name, record in result.directory.files.items()}


@pytest.mark.parametrize("model", ["autoencoder", "emulator"])
def test_the_result_is_that_of_an_unbroken_run(
    model: str, tiny: Any, autoencoder: TrainResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    if model == "emulator":
        Train(tiny({"model.name": "LatentEmulator", "train.component": "emulator"})).run()
    config = tiny({"infer.model_dir": model, "infer.batch_size": 40})
    whole = Infer(config).run()
    broken_off(config, monkeypatch, after=5)
    assert len(partial(config)) == 1
    calls: list[int] = []
    append = module._append
    monkeypatch.setattr(module, "_append", lambda *a: (calls.append(1), append(*a)))
    resumed = Infer(config).run(resume="latest")
    assert files_of(resumed) == files_of(whole)
    assert not partial(config)
    # what was written is not computed again
    assert len(calls) == {"autoencoder": 7, "emulator": 3}[model]


def test_before_the_first_whole_batch_nothing_is_kept(
    tiny: Any, autoencoder: TrainResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny({"infer.batch_size": 40})
    broken_off(config, monkeypatch, after=1)
    assert not partial(config)


def test_a_run_whose_model_has_changed_does_not_go_on(
    tiny: Any, autoencoder: TrainResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny({"infer.batch_size": 40})
    broken_off(config, monkeypatch, after=5)
    (partial(config)[0] / "inputs.json").write_text('{"train": "another"}', encoding="utf-8")
    with pytest.raises(ResultsError, match="have changed"):
        Infer(config).run(resume="latest")


def test_without_an_unfinished_run_there_is_nothing_to_go_on_with(
    tiny: Any, autoencoder: TrainResult
) -> None:
    with pytest.raises(ResultsError, match="no unfinished"):
        Infer(tiny()).run(resume="latest")


# who is killed closes nothing
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_death_at_the_start_of_a_resume_loses_no_finished_batch(
    tiny: Any, autoencoder: TrainResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny({"infer.batch_size": 40})
    whole = Infer(config).run()
    broken_off(config, monkeypatch, after=5)
    for _ in range(3):
        with monkeypatch.context() as patch:

            def die(*arguments: Any, **keywords: Any) -> Any:
                raise KeyboardInterrupt

            patch.setattr(infer_result_writer.np, "fromfile", die)
            with pytest.raises(KeyboardInterrupt):
                Infer(config).run(resume="latest")
    assert files_of(Infer(config).run(resume="latest")) == files_of(whole)

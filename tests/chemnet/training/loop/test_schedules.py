"""Learning-rate schedules as long as the training, stepped when the configuration says."""

from __future__ import annotations

from typing import Any

import pytest

from chemnet.training.loop.schedules import with_schedule_length
from chemnet.verbs.train import Train

COSINE = "torch.optim.lr_scheduler.CosineAnnealingLR"
ONE_CYCLE = "torch.optim.lr_scheduler.OneCycleLR"


def rates(tiny: Any, **changes: Any) -> list[float]:
    """The learning rate at the end of each epoch, of a training of few epochs of several batches."""
    named = {key.replace("__", "."): value for key, value in changes.items()}
    return [record["lr"] for record in Train(tiny({"train.batch_size": 50, **named})).run().metrics]


def test_a_cosine_falls_over_the_whole_training_by_epochs(tiny: Any) -> None:
    found = rates(tiny, scheduler__name=COSINE, train__epochs=5)
    assert found[0] == pytest.approx(1e-3)
    assert found == sorted(found, reverse=True)
    # recorded before the last step, after which the rate would be eta_min
    assert found[2] == pytest.approx(0.5e-3 * (1 + 0.309), rel=2e-3)


def test_a_cosine_may_fall_with_every_batch(tiny: Any) -> None:
    found = rates(tiny, scheduler__name=COSINE, scheduler__every="batch", train__epochs=4)
    assert found[0] < 1e-3
    assert found[-1] < found[1] < found[0]
    assert found[-1] == pytest.approx(1e-6, rel=0.5)


def test_one_cycle_rises_and_ends_low(tiny: Any) -> None:
    found = rates(tiny, scheduler__name=ONE_CYCLE, scheduler__every="batch", train__epochs=6)
    assert max(found) > 0.8e-3
    assert found[-1] < 1e-6


def test_a_plateau_schedule_waits_for_epochs(tiny: Any) -> None:
    assert rates(tiny, scheduler__every="batch", train__epochs=2) == [1e-3, 1e-3]


def test_a_resumed_schedule_goes_on_and_rests_at_its_end(tiny: Any) -> None:
    changes = {"scheduler.name": ONE_CYCLE, "scheduler.every": "batch", "train.batch_size": 50}
    ended = Train(tiny({"train.epochs": 3, **changes})).run()
    further = Train(tiny({"train.epochs": 5, **changes})).run(resume=ended.path)
    last = ended.metrics[-1]["lr"]
    assert [record["lr"] for record in further.metrics[3:]] == pytest.approx([last, last])


def test_lengths_that_are_set_stay(tiny: Any) -> None:
    config = tiny({"scheduler.name": COSINE, "scheduler.every": "batch", "train.epochs": 3})
    assert with_schedule_length(config, 7)[COSINE]["T_max"] == 21
    chosen = config.replace({f"'{COSINE}'.T_max": 5})
    assert with_schedule_length(chosen, 7)[COSINE]["T_max"] == 5
    assert with_schedule_length(config.replace({"scheduler.name": False}), 7) is not None

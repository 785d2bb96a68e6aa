from __future__ import annotations

import pytest
import torch

from chemnet.errors import RunFailedError
from chemnet.models.validation_metrics import dex_histogram
from chemnet.training.loop.epoch_means import EpochMeans


def test_the_mean_is_over_all_rows_and_not_the_last_batch() -> None:
    means = EpochMeans("validation")
    for loss, rows in ((1.0, 3), (5.0, 1)):
        means.add(torch.tensor(loss), {"error": torch.tensor(10 * loss)}, rows)
    assert means.result() == {"loss": 2.0, "error": 20.0}


def test_a_new_epoch_forgets_the_old_one() -> None:
    means = EpochMeans("training")
    means.add(torch.tensor(1.0), {}, 1)
    means.flush()
    means.start(2)
    means.add(torch.tensor(3.0), {}, 1)
    assert means.result() == {"loss": 3.0}


def test_what_is_not_finite_is_named_with_epoch_batch_and_term() -> None:
    means = EpochMeans("training")
    means.start(7)
    for _ in range(3):
        means.add(torch.tensor(1.0), {"worst": torch.tensor(1.0)}, 4)
    means.flush()
    means.add(torch.tensor(1.0), {"worst": torch.tensor(1.0)}, 4)
    means.add(torch.tensor(1.0), {"worst": torch.tensor(torch.inf)}, 4)
    means.add(torch.tensor(torch.nan), {"worst": torch.tensor(torch.nan)}, 4)
    with pytest.raises(RunFailedError, match="training epoch 7, batch 5: worst is inf") as caught:
        means.result()
    assert caught.value.exit_code == 3


def test_histograms_are_summed_into_one_quantile() -> None:
    means = EpochMeans("validation")
    for error in (torch.full((99,), 0.0021), torch.tensor([3.0021])):
        means.add(torch.tensor(0.0), {"dex_histogram": dex_histogram(error)}, len(error))
    assert means.result()["lae99"] == pytest.approx(0.005)
    means.add(torch.tensor(0.0), {"dex_histogram": dex_histogram(torch.full((4,), 3.0021))}, 4)
    assert means.result()["lae99"] == pytest.approx(3.004, abs=1e-4)

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from chemnet.data.abundance_errors import DEX_BIN, histogram_quantile
from chemnet.models import validation_metrics
from chemnet.models.fast import kernel_choice

scaled = arrays(np.float32, (6, 3), elements=st.floats(0.0, 1.0, width=32))


@given(predicted=scaled, target=scaled)
def test_validation_metrics_are_those_of_the_raw_abundances(
    predicted: np.ndarray, target: np.ndarray
) -> None:
    found = validation_metrics.validation_metrics(torch.from_numpy(predicted), torch.from_numpy(target), 20.0)
    raw_predicted, raw_target = (
        10.0 ** (20.0 * (np.float64(predicted) - 1)),
        10.0 ** (20.0 * (np.float64(target) - 1)),
    )
    dex = np.abs(np.log10(raw_predicted) - np.log10(raw_target))
    assert found["mlae"].item() == pytest.approx(dex.mean(), rel=1e-4, abs=1e-5)
    relative = np.abs(raw_predicted - raw_target) / raw_target
    assert found["mean_relative_error"].item() == pytest.approx(relative.mean(), rel=1e-3, abs=1e-4)


def test_predictions_outside_the_scale_are_scored_as_clipped() -> None:
    found = validation_metrics.validation_metrics(
        torch.tensor([[-0.5, 1.5]]), torch.tensor([[0.0, 1.0]]), 20.0
    )
    assert found["mlae"].item() == 0.0


@given(arrays(np.float64, st.integers(1, 60), elements=st.floats(0.0, 19.9)), st.floats(0.01, 1.0))
def test_quantiles_of_summed_histograms_are_those_of_all_values(values: np.ndarray, quantile: float) -> None:
    half = len(values) // 2
    counts = sum(
        validation_metrics.dex_histogram(torch.from_numpy(part)) for part in (values[:half], values[half:])
    )
    exact = np.quantile(values, quantile, method="inverted_cdf")
    found = float(histogram_quantile(counts.numpy(), quantile))
    assert exact - DEX_BIN - 1e-5 <= found <= exact + DEX_BIN + 1e-5


def predictions(n_rows: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    target = torch.rand(n_rows, 4, 7, generator=generator)
    return target + 0.1 * torch.randn(target.shape, generator=generator), target


def test_the_compiled_pass_gives_what_plain_operations_give(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = validation_metrics.validation_metrics(*predictions(50), 20.0)
    monkeypatch.setenv(kernel_choice.SWITCH, "0")
    plain = validation_metrics.validation_metrics(*predictions(50), 20.0)
    for name in ("mlae", "mean_relative_error"):
        torch.testing.assert_close(compiled[name], plain[name], rtol=1e-5, atol=0.0)
    assert compiled["dex_histogram"].sum() == plain["dex_histogram"].sum() == 50 * 4 * 7
    # an error on the edge of a bin may count into either
    moved = (compiled["dex_histogram"].cumsum(0) - plain["dex_histogram"].cumsum(0)).abs()
    assert moved.max() <= 1


def test_what_is_not_a_number_shows_in_the_metrics() -> None:
    predicted, target = predictions(2)
    predicted[1, 2, 3] = torch.nan
    found = validation_metrics.validation_metrics(predicted, target, 20.0)
    assert found["mlae"].isnan()
    assert found["mean_relative_error"].isnan()


def test_predictions_of_which_only_a_part_is_scored_need_not_be_contiguous() -> None:
    predicted, target = predictions(5)
    part = validation_metrics.validation_metrics(predicted[:, 1:], target[:, 1:], 20.0)
    whole = validation_metrics.validation_metrics(predicted[:, 1:].clone(), target[:, 1:].clone(), 20.0)
    torch.testing.assert_close(part, whole)

"""The measures of the CODES benchmark, against NumPy over everything at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chemnet.data.histories import Histories
from chemnet.evaluation.published_errors import EnsembleErrors, Magnitudes, PublishedErrors

FLOOR, THRESHOLD = 1e-20, 1e-10
SHAPE = (5, 9, 7)


def made_histories(seed: int = 0) -> Histories:
    """Five tracers of seven species; the last one ends after four rows."""
    rng = np.random.default_rng(seed)
    valid = np.ones(SHAPE[:2], dtype=bool)
    valid[-1, 4:] = False
    return Histories(
        physical=np.ones((*SHAPE[:2], 1)),
        abundance=10.0 ** rng.uniform(-18, -3, SHAPE),
        time=np.zeros(SHAPE[:2]),
        dt=np.ones((SHAPE[0], SHAPE[1] - 1)),
        valid=valid,
        tracer_ids=tuple("abcde"),
    )


def off_by(histories: Histories, dex: float, seed: int) -> np.ndarray:
    """Return predictions whose logarithms are off by about so much."""
    return histories.abundance * 10.0 ** np.random.default_rng(seed).normal(0.0, dex, SHAPE)


def counted(histories: Histories, values: np.ndarray) -> np.ndarray:
    rows = histories.valid.copy()
    rows[:, 0] = False
    return values[rows]


def half(histories: Histories, part: slice) -> Histories:
    arrays = {
        name: getattr(histories, name)[part] for name in ("physical", "abundance", "time", "dt", "valid")
    }
    return Histories(**arrays, tracer_ids=histories.tracer_ids[part])


def _at(values: np.ndarray, share: float) -> float:
    return float(np.quantile(values, share, method="inverted_cdf"))


def test_quantiles_of_magnitudes_are_right_to_one_percent() -> None:
    values, found = 10.0 ** np.random.default_rng(1).uniform(-12, 1, 10_000), Magnitudes()
    for part in np.split(values, 4):
        found.add(part)
    for share in (0.01, 0.5, 0.99):
        assert found.quantile(share) == pytest.approx(np.quantile(values, share), rel=0.013)
    assert found.mean == pytest.approx(values.mean())
    assert found.root_mean_square == pytest.approx(np.sqrt(np.mean(values**2)))


def test_what_is_exact_counts_as_zero() -> None:
    found = Magnitudes()
    found.add(np.zeros(3))
    assert (found.mean, found.quantile(0.5)) == (0.0, 0.0)


def test_all_measures_are_those_of_their_definitions() -> None:
    truth = made_histories()
    predicted = off_by(truth, 0.3, 4)
    errors = PublishedErrors(FLOOR, THRESHOLD, SHAPE[1])
    for part in (slice(0, 2), slice(2, 5)):
        errors.add(predicted[part], half(truth, part))
    told = errors.to_dict()
    off = counted(truth, np.abs(predicted - truth.abundance))
    dex = counted(truth, np.abs(np.log10(predicted) - np.log10(truth.abundance)))
    relative = off / np.maximum(counted(truth, truth.abundance), THRESHOLD)
    exact: dict[str, Any] = {
        "mlae": dex.mean(), "rmse_log": np.sqrt((dex**2).mean()), "mae": off.mean(),
        "rmse": np.sqrt((off**2).mean()), "mre": relative.mean(),
    }  # fmt: skip
    assert {name: told[name] for name in exact} == pytest.approx(exact)
    close = {
        "median_ae_log": _at(dex, 0.5), "median_ae": _at(off, 0.5), "ae99": _at(off, 0.99),
        "median_re": _at(relative, 0.5), "re99": _at(relative, 0.99),
    }  # fmt: skip
    assert {name: told[name] for name in close} == pytest.approx(close, rel=0.013)
    assert told["lae99"] == pytest.approx(np.quantile(dex, 0.99), abs=0.03)
    assert len(told["by_step"]) == SHAPE[1] - 1
    fifth = np.abs(np.log10(predicted[:4, 5]) - np.log10(truth.abundance[:4, 5]))
    assert told["by_step"][4] == pytest.approx(fifth.mean())


def test_a_value_that_is_no_number_is_counted_and_costs_the_most() -> None:
    truth = made_histories()
    predicted = truth.abundance.copy()
    predicted[0, 3, 2] = np.nan
    errors = PublishedErrors(FLOOR, THRESHOLD, SHAPE[1])
    errors.add(predicted, truth)
    told = errors.to_dict()
    assert told["not_finite"] == 1
    assert told["mlae"] == pytest.approx(20.0 / counted(truth, predicted).size)
    assert np.isfinite(told["mre"])


def test_an_ensemble_is_the_mean_of_the_logarithms_and_its_spread() -> None:
    truth = made_histories()
    members = np.stack([off_by(truth, 0.1 + 0.2 * (seed % 2), seed) for seed in range(4)])
    errors = EnsembleErrors(FLOOR, SHAPE[1])
    for part in (slice(0, 3), slice(3, 5)):
        errors.add(members[:, part], half(truth, part))
    told = errors.to_dict()
    logs = np.log10(members)
    error = counted(truth, np.abs(logs.mean(axis=0) - np.log10(truth.abundance)))
    spread = counted(truth, logs.std(axis=0, ddof=1))
    assert told["mae"] == pytest.approx(error.mean())
    assert told["uncertainty"] == pytest.approx(spread.mean())
    assert told["correlation"] == pytest.approx(np.corrcoef(error.ravel(), spread.ravel())[0, 1])
    assert told["error_by_step"][4] == pytest.approx(
        np.abs(logs[:, :4, 5].mean(axis=0) - np.log10(truth.abundance[:4, 5])).mean()
    )


def test_members_that_agree_in_everything_have_no_correlation() -> None:
    truth = made_histories()
    errors = EnsembleErrors(FLOOR, SHAPE[1])
    errors.add(np.stack([off_by(truth, 0.1, 1)] * 2), truth)
    assert errors.to_dict()["correlation"] is None

"""Scores of predictions whose errors are known."""

from __future__ import annotations

import numpy as np
import pytest

from chemnet.data.histories import Histories
from chemnet.evaluation.score_sums import Forecast, Rules, Scores

SPECIES = ("H2", "H", "CO")


@pytest.fixture
def rules():
    return Rules(
        species=SPECIES,
        elements=("H", "C"),
        stoichiometry=np.array([[2.0, 0.0], [1.0, 0.0], [0.0, 1.0]]),
        charges=np.zeros(3),
        floor=1e-20,
        thresholds={"visible": 1e-6, "abundant": 0.3},
        n_steps=4,
    )


def histories(lengths=(4, 3)):
    """Two tracers of constant abundances: 0.4, 0.2 and 1e-8; the second one is a row shorter."""
    n_steps = max(lengths)
    abundance = np.broadcast_to([0.4, 0.2, 1e-8], (len(lengths), n_steps, 3)).copy()
    time = np.tile(np.arange(n_steps) * 10.0, (len(lengths), 1))
    return Histories(
        physical=np.ones((len(lengths), n_steps, 1)),
        abundance=abundance,
        time=time,
        dt=np.diff(time, axis=1),
        valid=np.arange(n_steps) < np.array(lengths)[:, None],
        tracer_ids=tuple("ab"[: len(lengths)]),
    )


def scored(rules, predicted, truth, first_step=1):
    scores = Scores(rules, first_step)
    scores.add(Forecast(predicted), truth)
    return scores.to_dict()


def test_the_truth_has_no_error(rules):
    found = scored(rules, histories().abundance, histories())
    assert found["mlae"] == found["mean_relative_error"] == found["element_drift"] == 0.0
    assert found["lae99"] == pytest.approx(0.0, abs=0.005)


def test_a_factor_of_ten_is_one_dex_in_every_figure(rules):
    found = scored(rules, 0.1 * histories().abundance, histories())
    assert found["mlae"] == pytest.approx(1.0)
    assert found["mean_relative_error"] == pytest.approx(0.9)
    assert found["lae99"] == pytest.approx(1.0, abs=0.01)
    assert found["at_step"]["3"]["mlae"] == pytest.approx(1.0)
    assert found["by_tracer"] == pytest.approx({"a": 1.0, "b": 1.0})
    assert found["element_drift"] == pytest.approx(0.9)


def test_an_error_is_found_at_its_species_step_and_tracer(rules):
    truth = histories()
    predicted = truth.abundance.copy()
    predicted[0, 2, 2] *= 1e-3
    found = scored(rules, predicted, truth)
    assert found["by_species"]["CO"]["mlae"] == pytest.approx(3.0 / 5)
    assert found["by_species"]["H2"]["mlae"] == 0.0
    assert found["by_step"]["mlae"] == pytest.approx([0.0, 3.0 / 6, 0.0])
    assert found["worst_tracer"] == {"id": "a", "mlae": pytest.approx(3.0 / 9)}
    assert found["by_element"] == pytest.approx({"H": 0.0, "C": 0.999})
    # CO is below the visible abundance
    assert found["mlae_visible"] == found["mlae_abundant"] == 0.0
    assert found["mlae"] == pytest.approx(3.0 / 15)


def test_what_comes_after_the_end_of_a_tracer_does_not_count(rules):
    truth = histories()
    predicted = truth.abundance.copy()
    predicted[1, 3] = np.nan
    found = scored(rules, predicted, truth)
    assert found["mlae"] == found["element_drift"] == found["not_finite"] == 0


def test_row_zero_counts_for_a_reconstruction_only(rules):
    truth = histories()
    predicted = truth.abundance.copy()
    predicted[:, 0] *= 0.1
    assert scored(rules, predicted, truth, first_step=1)["mlae"] == 0.0
    assert scored(rules, predicted, truth, first_step=0)["mlae"] == pytest.approx(2.0 / 7)


def test_a_prediction_that_is_not_finite_is_counted_and_punished(rules):
    truth = histories()
    predicted = truth.abundance.copy()
    predicted[0, 1] = np.nan
    found = scored(rules, predicted, truth)
    assert found["not_finite"] == 1
    assert found["lae99"] > 19.0


def test_batches_add_up(rules):
    truth = histories()
    predicted = truth.abundance * np.array([1.1, 0.7, 30.0])
    whole = scored(rules, predicted, truth)
    parts = Scores(rules, 1)
    for b in range(2):
        part = slice(b, b + 1)
        piece = Histories(
            truth.physical[part],
            truth.abundance[part],
            truth.time[part],
            truth.dt[part],
            truth.valid[part],
            truth.tracer_ids[part],
        )
        parts.add(Forecast(predicted[part]), piece)
    added = parts.to_dict()
    assert added["by_step"]["mlae"] == pytest.approx(whole["by_step"]["mlae"])
    for name in ("mlae", "lae99", "mean_relative_error", "element_drift"):
        assert added[name] == pytest.approx(whole[name])


def test_errors_above_a_threshold_are_those_of_the_species_there(rules):
    truth = histories()
    predicted = truth.abundance * np.array([0.01, 0.1, 1.0])
    found = scored(rules, predicted, truth)
    assert found["mlae_abundant"] == pytest.approx(2.0)  # H2 alone
    assert found["lae99_abundant"] == pytest.approx(2.0, abs=0.01)
    assert found["mlae_visible"] == pytest.approx(1.5)
    assert found["mlae"] == pytest.approx(1.0)


def test_the_share_of_the_solver_counts_rows_that_are_scored(rules):
    truth = histories()
    by_solver = np.zeros((2, 4), dtype=bool)
    by_solver[0, :2] = by_solver[1, 3] = True  # row 0 is given, and the second tracer has ended in row 3
    scores, more = Scores(rules, 1), Scores(rules, 1)
    scores.add(Forecast(truth.abundance, by_solver), truth)
    assert scores.to_dict()["solver_share"] == pytest.approx(1.0 / 5)
    more.add(Forecast(truth.abundance), truth)
    assert more.to_dict()["solver_share"] is None
    more.take(scores)
    assert more.to_dict()["solver_share"] == pytest.approx(1.0 / 10)


def test_each_step_knows_when_it_was(rules):
    truth = histories()
    by_step = scored(rules, truth.abundance, truth)["by_step"]
    assert by_step["elapsed"] == pytest.approx([10.0, 20.0, 30.0])
    assert scored(rules, truth.abundance, truth, first_step=0)["by_step"]["elapsed"][0] == 0.0


def test_time_goes_on_when_the_tracer_of_long_steps_has_ended(rules):
    truth = histories()
    truth.time[1] *= 100.0
    elapsed = scored(rules, truth.abundance, truth)["by_step"]["elapsed"]
    assert elapsed == pytest.approx([505.0, 1010.0, 1020.0])

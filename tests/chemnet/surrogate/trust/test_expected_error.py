"""A surrogate says how far each state can be trusted, from what it sees of its own error."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from chemnet.errors import DataError, ModelError
from chemnet.surrogate.surrogate import Surrogate
from chemnet.surrogate.trust.calibration import calibrate, isotonic, judgement_of, reference_states
from chemnet.surrogate.trust.error_indicators import INDICATORS
from chemnet.surrogate.trust.expected_error import Calibration
from chemnet.surrogate.trust.novelty import ReferenceStates

NAMES = ("distance", "imbalance")


def made_states(seed: int = 0, n: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    """Indicators of which the first one rules the error, and the errors."""
    rng = np.random.default_rng(seed)
    indicators = 10.0 ** rng.uniform(-2, 0, size=(n, 2))
    return indicators, indicators[:, 0] * 10.0 ** rng.normal(0, 0.1, n)


def test_expected_errors_are_those_that_such_states_had():
    indicators, errors = made_states()
    calibration = calibrate(indicators, errors, NAMES)
    other, true = made_states(seed=1)
    expected = calibration.expected_error(torch.from_numpy(other)).numpy()
    for low, high in ((0.01, 0.03), (0.1, 0.3), (0.5, 1.0)):
        chosen = (expected > low) & (expected < high)
        assert true[chosen].mean() == pytest.approx(expected[chosen].mean(), rel=0.15)


def test_an_indicator_that_says_nothing_hardly_counts():
    calibration = calibrate(*made_states(), NAMES)
    assert calibration.weights["imbalance"] < 0.05 * calibration.weights["distance"]


@given(st.integers(0, 10**6), st.floats(0.1, 10.0))
def test_more_of_any_indicator_never_raises_trust(seed, factor):
    calibration = calibrate(*made_states(seed % 10, 50), NAMES)
    indicators = torch.from_numpy(made_states(seed, 20)[0])
    worse = indicators.clone()
    worse[:, seed % 2] *= 1.0 + factor
    assert (calibration.expected_error(worse) >= calibration.expected_error(indicators)).all()
    assert (calibration.score(worse) <= calibration.score(indicators)).all()


def test_conditions_may_be_harder_or_easier_but_signs_of_error_only_warn():
    indicators, errors = made_states()
    errors = errors / indicators[:, 1] ** 2
    signed = calibrate(indicators, errors, NAMES, signed=["imbalance"])
    assert signed.weights["imbalance"] == pytest.approx(-2.0, rel=0.1)
    assert signed.weights["distance"] == pytest.approx(1.0, rel=0.1)
    assert calibrate(indicators, errors, NAMES).weights["imbalance"] == 0.0


def test_the_score_is_the_share_of_validation_states_that_are_worse():
    indicators, errors = made_states()
    score = calibrate(indicators, errors, NAMES).score(torch.from_numpy(indicators)).numpy()
    for share in (0.1, 0.5, 0.9):
        assert (score > share).mean() == pytest.approx(1.0 - share, abs=0.02)


def test_errors_grow_on_beyond_what_validation_held():
    calibration = calibrate(*made_states(), NAMES)
    far = torch.tensor([[1.0, 0.1], [10.0, 0.1], [100.0, 0.1]])
    expected = calibration.expected_error(far)
    assert expected[0] < expected[1] < expected[2]
    assert (calibration.score(far[1:]) == 0.0).all()


@pytest.mark.parametrize("n", [1, 2, 5])
def test_a_few_states_give_a_calibration_that_is_finite(n):
    indicators, errors = made_states(n=n)
    calibration = calibrate(indicators, errors, NAMES)
    assert torch.isfinite(calibration.expected_error(torch.from_numpy(indicators))).all()


@given(st.lists(st.tuples(st.floats(0, 10), st.integers(0, 5)), min_size=1, max_size=20))
def test_isotonic_values_never_fall_and_keep_the_mean(pairs):
    values, weights = np.array(pairs).T
    weights[0] += 1
    fitted = isotonic(values, weights)
    assert (np.diff(fitted) >= 0).all()
    assert np.average(fitted, weights=weights) == pytest.approx(np.average(values, weights=weights))


def test_known_states_are_at_no_distance_and_others_at_theirs():
    latent, physical = torch.rand(50, 3), torch.rand(50, 2)
    reference = ReferenceStates.of(latent, physical)
    assert reference.novelty(latent, physical).max() < 1e-3
    away = reference.novelty(latent + 100.0 * latent.std(dim=0), physical)
    assert away.min() > 50.0 * (3 / 5) ** 0.5


def test_trust_has_a_value_per_cell_and_step(surrogate, histories):
    predicted, trust = surrogate.emulate_with_trust(
        histories.physical, histories.abundance[:, 0], histories.dt
    )
    emulated = surrogate.emulate(histories.physical, histories.abundance[:, 0], histories.dt)
    np.testing.assert_array_equal(predicted, emulated)
    assert trust.score.shape == trust.expected_error.shape == histories.physical.shape[:2]
    assert (trust.score[:, 0] == 1.0).all()
    assert (trust.expected_error[:, 0] == 0.0).all()
    assert ((trust.score >= 0.0) & (trust.score <= 1.0)).all()
    assert (trust.expected_error[:, 1:] > 0.0).all()


def test_expected_errors_are_of_the_size_of_true_errors(surrogate, tiny_data):
    from chemnet.data.histories import HistorySource

    source = HistorySource(tiny_data, "validate", surrogate.data)
    histories = next(source.batches(len(source)))
    inputs = (histories.physical, histories.abundance[:, 0], histories.dt)
    predicted, trust = surrogate.emulate_with_trust(*inputs)
    logs = [np.log10(np.clip(x, 1e-20, 1.0)) for x in (predicted, histories.abundance)]
    true = np.abs(logs[0] - logs[1]).mean(axis=-1)[:, 1:]
    expected = trust.expected_error[:, 1:]
    known = np.isfinite(expected)
    assert expected[known].mean() == pytest.approx(true[known].mean(), rel=0.1)


def test_what_leaves_the_trained_ranges_is_not_trusted_at_all(surrogate, histories):
    start, physical, dt = histories.abundance[:, 0].copy(), histories.physical.copy(), histories.dt.copy()
    before = surrogate.trust(physical, start, dt)
    physical[1, 5, 0] = 1e15
    dt[1, 8] *= 100.0
    trust = surrogate.trust(physical, start, dt)
    assert trust.score[1, 6] == trust.score[1, 9] == 0.0
    assert np.isinf(trust.expected_error[1, [6, 9]]).all()
    np.testing.assert_array_equal(trust.score[0], before.score[0])
    start[0, surrogate.species.index("C+")] *= 3.0
    assert (surrogate.trust(physical, start, dt).score[0, 1:] == 0.0).all()


@pytest.mark.parametrize("rows", [[-1], [0], [0, 3, 5], slice(1, None, 2)])
def test_only_wanted_rows_are_judged(surrogate, histories, rows):
    inputs = (histories.physical, histories.abundance[:, 0], histories.dt)
    whole, trust = surrogate.emulate_with_trust(*inputs)
    some, theirs = surrogate.emulate_with_trust(*inputs, rows=rows)
    np.testing.assert_allclose(some, whole[:, rows], rtol=1e-5)
    np.testing.assert_allclose(theirs.expected_error, trust.expected_error[:, rows], rtol=1e-4)
    np.testing.assert_allclose(theirs.score, trust.score[:, rows], rtol=1e-3, atol=1e-4)


def test_within_says_which_states_are_good_enough(surrogate, histories):
    trust = surrogate.trust(histories.physical, histories.abundance[:, 0], histories.dt)
    assert trust.within(0.0)[:, 0].all()
    assert not trust.within(0.0)[:, 1:].any()
    assert trust.within(np.inf).all()


def test_a_saved_surrogate_trusts_as_before(surrogate, histories, tmp_path):
    inputs = (histories.physical, histories.abundance[:, 0], histories.dt)
    loaded = Surrogate.load(surrogate.save(tmp_path / "saved"))
    trust = surrogate.trust(*inputs)
    np.testing.assert_allclose(loaded.trust(*inputs).expected_error, trust.expected_error, rtol=0.02)
    assert loaded.judgement.calibration == surrogate.judgement.calibration
    assert loaded.judgement.calibration.indicators == (*INDICATORS, *surrogate.physical_names)


def test_without_validation_tracers_there_is_no_trust_and_the_error_says_so(surrogate, histories, tmp_path):
    bare = Surrogate(surrogate.parts, surrogate.domain, "bare", {})
    assert not bare.is_calibrated
    with pytest.raises(ModelError, match="'bare' was never calibrated"):
        bare.trust(histories.physical, histories.abundance[:, 0], histories.dt)
    assert not Surrogate.load(bare.save(tmp_path / "bare")).is_calibrated


def test_a_split_without_tracers_calibrates_nothing(surrogate, tiny_data, monkeypatch, caplog):
    train = tiny_data.split("train")
    empty = SimpleNamespace(n_rows=0, offsets=np.zeros(1, dtype=int))
    monkeypatch.setattr(tiny_data, "split", {"train": train, "validate": empty}.__getitem__)
    assert judgement_of(surrogate.predictor, tiny_data) is None
    assert "trust cannot be calibrated" in caplog.text


def test_a_species_that_the_validation_data_lack_is_told_and_not_taken_for_missing_tracers(
    surrogate, tiny_data, monkeypatch
):
    reference = reference_states(surrogate.components, tiny_data)
    monkeypatch.setattr("chemnet.surrogate.trust.calibration.reference_states", lambda *_: reference)
    monkeypatch.setattr(tiny_data, "species", (*tiny_data.species[:-1], "renamed"))
    with pytest.raises(DataError, match="lacks 1 of the model's 12 species"):
        judgement_of(surrogate.predictor, tiny_data)


def test_expected_errors_of_species_are_shared_out_and_never_below_those_of_what_is_exact(
    surrogate, histories
):
    inputs = (histories.physical, histories.abundance[:, 0], histories.dt)
    predicted, trust = surrogate.emulate_with_trust(*inputs)
    by_species = trust.by_species(predicted)
    assert by_species.shape == predicted.shape
    assert (by_species[:, 0] == 0.0).all()
    assert (by_species[:, 1:] > 0.0).all()
    one, of_one = surrogate.emulate_with_trust(*(values[0] for values in inputs))
    np.testing.assert_allclose(of_one.by_species(one), by_species[0], rtol=1e-3)
    with pytest.raises(DataError, match="abundances have the shape"):
        trust.by_species(predicted[:, 1:])


def test_without_a_calibration_of_species_they_cannot_be_told_apart(surrogate, histories):
    trust = surrogate.trust(histories.physical, histories.abundance[:, 0], histories.dt)
    with pytest.raises(ModelError, match="for whole states alone"):
        replace(trust, species_errors=None).by_species(histories.abundance)


def test_only_a_surrogate_with_a_solver_counts_its_steps(surrogate, histories):
    assert surrogate.trust(histories.physical, histories.abundance[:, 0], histories.dt).solver_steps is None


def test_the_calibration_survives_being_written_as_plain_values():
    calibration = calibrate(*made_states(), NAMES)
    assert Calibration.from_dict(calibration.to_dict()) == calibration

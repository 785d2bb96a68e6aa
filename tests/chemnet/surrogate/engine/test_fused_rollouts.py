"""A fused rollout is the plain one to the rounding of float32."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from chemnet.surrogate.engine.fused_predictor import FusedPredictor
from chemnet.surrogate.engine.fused_rollouts import fused_rollout
from chemnet.surrogate.predictor import ComponentPredictor
from chemnet.surrogate.rollout import rollout_states, stepwise
from chemnet.training.parallel.devices import cpu_threads

FUSED = ["LatentEmulator", "LatentRelaxation", "LatentRNN", "DirectEmulator", "DirectRelaxation"]
# largest difference of any abundance after 300 steps [dex]; a random memory magnifies rounding most
# 300 steps of an untrained recurrence multiply the rounding, which differs from processor to processor
TOLERANCE = {"LatentRNN": 5e-4}
USUAL_TOLERANCE = 2e-5


def both(parts, cells):
    """Return abundances in all rows by the plain and the fused predictor."""
    start, physical, dt = cells
    plain, fused = ComponentPredictor(parts), FusedPredictor(parts)
    assert fused.fused is not None
    rows = torch.arange(physical.shape[1])
    with torch.inference_mode():
        expected = stepwise(plain, plain.start(start), physical, dt, rows)
        found = fused.rollout(fused.start(start), physical, dt, rows)
        assert expected.keys() == found.keys()
        return plain.abundance(expected), fused.abundance(found)


def difference(one, other):
    """Return the largest difference of abundances [dex]."""
    return float((one.log10() - other.log10()).abs().max())


@pytest.mark.parametrize("use_dt", [False, True])
@pytest.mark.parametrize("name", FUSED)
def test_a_fused_rollout_of_300_steps_gives_the_abundances_of_the_plain_one(make_parts, cells, name, use_dt):
    expected, found = both(make_parts(name, use_dt=use_dt), cells(9))
    assert difference(expected[:, -1], expected[:, 0]) > 0.1
    assert difference(found, expected) < TOLERANCE.get(name, USUAL_TOLERANCE)


@pytest.mark.parametrize("activation", ["gelu", "silu", "relu", "tanh"])
def test_every_activation_of_a_perceptron_is_fused(make_parts, cells, activation):
    expected, found = both(make_parts("LatentEmulator", activation=activation), cells(5, 60))
    assert difference(found, expected) < USUAL_TOLERANCE


@settings(max_examples=15)
@given(
    n_cells=st.sampled_from([1, 2, 3, 4, 5, 17, 513]),
    rows=st.sets(st.integers(0, 7), min_size=1),
    seed=st.integers(0, 99),
)
def test_any_number_of_cells_and_any_rows_are_those_of_the_plain_rollout(parts, cells, n_cells, rows, seed):
    start, physical, dt = cells(n_cells, 8, seed)
    wanted = torch.tensor(sorted(rows))
    plain, fused = ComponentPredictor(parts), FusedPredictor(parts)
    with torch.inference_mode():
        state = plain.start(start)
        expected = stepwise(plain, state, physical, dt, wanted)["latent"]
        found = rollout_states(fused, state, physical, dt, wanted)["latent"]
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_one_step_is_the_first_of_a_rollout(parts, cells):
    start, physical, dt = cells(6, 4)
    fused = FusedPredictor(parts)
    state = fused.start(start)
    after = fused.step(state, physical[:, 0], dt[:, 0])
    rolled = fused.rollout(state, physical, dt, torch.tensor([1, 3]))
    torch.testing.assert_close(after["latent"], rolled["latent"][:, 0], rtol=1e-6, atol=1e-6)


def test_a_network_without_a_fused_rollout_is_carried_the_plain_way(make_parts, cells):
    parts = make_parts("LatentNeuralOperator")
    start, physical, dt = cells(3, 5)
    fused, plain = FusedPredictor(parts), ComponentPredictor(parts)
    assert fused.fused is None
    with torch.inference_mode():
        state = plain.start(start)
        found = rollout_states(fused, state, physical, dt)["latent"]
        expected = stepwise(plain, state, physical, dt, torch.arange(5))["latent"]
    assert torch.equal(found, expected)


def test_what_states_a_method_of_its_own_is_not_taken_for_what_it_derives_from(make_parts):
    emulator = make_parts("LatentEmulator").emulator
    cls, step = type(emulator), type(emulator.step)
    emulator.__class__ = type("Renamed", (cls,), {})
    assert fused_rollout(emulator, emulator.data) is not None
    emulator.__class__ = type("Own", (cls,), {"advance": cls.advance})
    assert fused_rollout(emulator, emulator.data) is None
    emulator.__class__, emulator.step.__class__ = cls, type("OwnStep", (step,), {})
    assert fused_rollout(emulator, emulator.data) is None


def test_one_thread_or_two_give_the_same(parts, cells):
    start, physical, dt = cells(1100, 4)
    fused, rows = FusedPredictor(parts), torch.tensor([1, 3])
    state = fused.start(start)
    results = []
    for threads in (1, 2):
        with cpu_threads(threads):
            results.append(fused.rollout(state, physical, dt, rows)["latent"])
    torch.testing.assert_close(*results, rtol=1e-6, atol=1e-6)


@pytest.fixture
def parts(make_parts):
    """Networks of a relaxation that is shown its time step."""
    return make_parts("LatentRelaxation", use_dt=True)

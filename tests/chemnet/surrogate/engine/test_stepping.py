"""A stepper carries latents as `latent_emulate` does, whatever the network."""

from __future__ import annotations

import numpy as np
import pytest

from chemnet.errors import DataError
from chemnet.surrogate.surrogate import Surrogate
from chemnet.surrogate.trust.trained_ranges import Domain


@pytest.mark.parametrize("name", ["LatentEmulator", "LatentRelaxation", "LatentRNN", "LatentNeuralOperator"])
@pytest.mark.parametrize("n_cells", [1, 5])
def test_repeated_steps_are_a_latent_rollout(make_parts, cells, tiny_data, name, n_cells):
    surrogate = Surrogate(make_parts(name), Domain.of_training(tiny_data), "made", {})
    start, physical, dt = (values.numpy() for values in cells(n_cells, 9))
    latents = surrogate.encode(start)
    expected = surrogate.latent_emulate(physical, latents, dt)
    step = surrogate.stepper(latents)
    for row in range(physical.shape[1] - 1):
        found = step(physical[:, row], dt[:, row])
        np.testing.assert_allclose(found, expected[:, row + 1], rtol=1e-5, atol=1e-5)
        assert found is step.latents


@pytest.fixture
def surrogate(make_parts, tiny_data):
    """A surrogate that knows its usual time step."""
    return Surrogate(make_parts("LatentEmulator", use_dt=True), Domain.of_training(tiny_data), "made", {})


def test_the_usual_time_step_is_taken_where_none_is_given(surrogate, cells):
    start, physical, _ = (values.numpy() for values in cells(3, 2))
    latents = surrogate.encode(start)
    usual = surrogate.stepper(latents)(physical[:, 0]).copy()
    told = surrogate.stepper(latents)(physical[:, 0], surrogate.domain.dt_usual)
    np.testing.assert_array_equal(usual, told)
    assert not np.array_equal(usual, surrogate.stepper(latents)(physical[:, 0], 1.0))


BAD = [
    (0, np.nan),
    (1, 0.0),
    (2, -1.0),
    (3, np.inf),
    ("dt", np.nan),
    ("dt", 0.0),
    ("dt", -5.0),
    ("dt", np.inf),
]


@pytest.mark.parametrize(("column", "value"), BAD)
@pytest.mark.parametrize(
    "options",
    [
        {"name": "LatentEmulator", "use_dt": True},
        {"name": "LatentRelaxation", "use_dt": True},
        {"name": "LatentRelaxation", "use_dt": False},
        {"name": "LatentRNN", "use_dt": True},
        # no compiled step
        {"name": "LatentNeuralOperator"},
    ],
    ids=str,
)
def test_what_is_no_number_is_refused_or_stays_none(make_parts, cells, tiny_data, options, column, value):
    surrogate = Surrogate(make_parts(**options), Domain.of_training(tiny_data), "made", {})
    start, physical, dt = (values.numpy().copy() for values in cells(3, 3))
    good = physical[:, 0].copy()
    (dt[:, 0] if column == "dt" else physical[:, 0, column])[1] = value
    latents = surrogate.encode(start)
    step = surrogate.stepper(latents)
    with pytest.raises(DataError, match=f"cell 1.*{value}"):
        step(physical[:, 0], dt[:, 0])
    np.testing.assert_array_equal(step.latents, latents)
    step.checks = False
    for _ in range(2):
        found = step(physical[:, 0], dt[:, 0])
        physical[:, 0], dt[:, 0] = good, 1000.0
        assert np.isnan(found[1]).all()
        assert np.isfinite(found[[0, 2]]).all()


def test_latents_of_another_shape_are_refused(surrogate):
    with pytest.raises(DataError, match="latents have the shape"):
        surrogate.stepper(np.zeros((2, 99)))

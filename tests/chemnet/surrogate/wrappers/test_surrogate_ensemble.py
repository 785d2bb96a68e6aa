"""An ensemble predicts the mean of its members' logarithms, and says how far they are apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from chemnet.errors import ModelError
from chemnet.surrogate.predictor import ComponentPredictor
from chemnet.surrogate.surrogate import Surrogate
from chemnet.surrogate.trust.calibration import judgement_of
from chemnet.surrogate.wrappers.surrogate_ensemble import Ensemble


class Members(nn.Module):
    """An emulator that is nothing but its members."""

    def __init__(self, *members):
        super().__init__()
        self.members = nn.ModuleList(members)


@pytest.fixture(scope="module")
def make_ensemble(make_parts, surrogate, tiny_data):
    """Return a function that builds the surrogate of an ensemble of emulators by their seeds."""

    def make(*seeds):
        parts = make_parts(0)
        emulators = [make_parts(seed).emulator for seed in seeds]
        parts = replace(parts, emulator=Members(*emulators))
        judge = lambda made: judgement_of(made, tiny_data)  # noqa: E731
        return Surrogate(parts, surrogate.domain, "ensemble", surrogate.provenance, judge)

    return make


def inputs(histories):
    return histories.physical, histories.abundance[:, 0], histories.dt


def test_an_ensemble_of_one_equals_its_member(make_ensemble, surrogate, histories):
    alone = make_ensemble(0)
    np.testing.assert_allclose(
        alone.emulate(*inputs(histories)), surrogate.emulate(*inputs(histories)), rtol=2e-5
    )
    np.testing.assert_array_equal(alone.spread(*inputs(histories)), 0.0)


def test_it_predicts_the_geometric_mean_and_the_spread_of_its_members(make_ensemble, make_parts, histories):
    parts = make_parts(0)
    members = [ComponentPredictor(replace(parts, emulator=make_parts(seed).emulator)) for seed in (0, 1, 2)]
    abundance, physical, dt = (
        torch.from_numpy(x) for x in (histories.abundance[:, 0], histories.physical, histories.dt)
    )
    alone, together = [], Ensemble(members)
    for predictor in (*members, together):
        state = predictor.start(abundance)
        for i in range(4):
            state = predictor.step(state, physical[:, i], dt[:, i])
        alone.append(predictor.abundance(state))
    logs = torch.stack(alone[:3]).log10()
    torch.testing.assert_close(alone[3], 10.0 ** logs.mean(dim=0), rtol=1e-4, atol=0)
    torch.testing.assert_close(together.spread(state), logs.std(dim=0, correction=0), rtol=1e-3, atol=1e-5)
    _, signs = together.observe(state)
    torch.testing.assert_close(signs["spread"], together.spread(state).mean(dim=1))


def test_it_conserves_elements_and_carries_its_latents(make_ensemble, histories):
    ensemble = make_ensemble(0, 1, 2)
    predicted = ensemble.emulate(*inputs(histories)).astype(np.float64)
    totals = predicted @ ensemble.data.stoichiometry
    np.testing.assert_allclose(totals, np.broadcast_to(totals[:, :1], totals.shape), rtol=1e-6)
    assert ensemble.latent_dim == 3 * 3
    assert "3 latents, 3 members" in repr(ensemble)
    latents = ensemble.encode(histories.abundance[:, 0])
    rolled = ensemble.latent_emulate(histories.physical, latents, histories.dt)
    first = ensemble.latent_emulate(histories.physical[:, :2], latents, histories.dt[:, :1])[:, 1]
    np.testing.assert_allclose(first, rolled[:, 1], rtol=1e-4, atol=1e-5)


def test_the_spread_is_one_more_sign_of_error_and_is_saved(make_ensemble, histories):
    ensemble = make_ensemble(0, 1)
    assert "spread" in ensemble.judgement.calibration.indicators
    spread = ensemble.spread(*inputs(histories), rows=[-1])
    assert spread.shape == (len(histories), 1, len(ensemble.species))
    assert (spread > 0.0).any()


def test_one_emulator_alone_has_no_spread(surrogate, histories):
    with pytest.raises(ModelError, match="'made' is no ensemble"):
        surrogate.spread(*inputs(histories))


def test_members_with_other_layers_are_refused(make_parts):
    parts = make_parts(0)
    other = make_parts(1).emulator
    other.extra = nn.Linear(2, 2)
    members = [ComponentPredictor(replace(parts, emulator=emulator)) for emulator in (parts.emulator, other)]
    with pytest.raises(ModelError, match="different tensors"):
        Ensemble(members)

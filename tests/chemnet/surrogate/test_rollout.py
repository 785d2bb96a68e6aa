"""`Rollout` and `Conserving` keep the contract of a one-step predictor, whatever the predictor is."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from chemnet.surrogate.rollout import Rollout
from chemnet.surrogate.wrappers.conservation import ConservingPredictor

# H2 and H, with the number of H atoms
STOICHIOMETRY = torch.tensor([[2.0], [1.0]])


class Decaying:
    """Every species decays at a rate given by the first physical parameter."""

    def start(self, abundance_BS):
        return {"log": abundance_BS.log()}

    def step(self, state, physical_BP, dt_B):
        return {"log": state["log"] - (physical_BP[:, :1] * dt_B[:, None])}

    def abundance(self, state):
        return state["log"].exp()


def cells(seed, n_cells=3, n_rows=6):
    generator = torch.Generator().manual_seed(seed)
    abundance = torch.rand((n_cells, 2), generator=generator, dtype=torch.float64) + 0.1
    physical = torch.rand((n_cells, n_rows, 1), generator=generator, dtype=torch.float64)
    dt = torch.rand((n_cells, n_rows - 1), generator=generator, dtype=torch.float64) + 0.1
    return abundance, physical, dt


@given(st.integers(0, 10**6))
def test_a_rollout_equals_repeated_steps(seed):
    abundance, physical, dt = cells(seed)
    predictor = ConservingPredictor(Decaying(), STOICHIOMETRY)
    rolled = Rollout(predictor)(abundance, physical, dt)
    state = predictor.start(abundance)
    for i in range(dt.shape[1]):
        state = predictor.step(state, physical[:, i], dt[:, i])
        torch.testing.assert_close(rolled[:, i + 1], predictor.abundance(state).float())


@given(st.integers(0, 10**6))
def test_row_i_of_the_parameters_and_step_i_drive_row_i_to_the_next(seed):
    abundance, physical, dt = cells(seed)
    rolled = Rollout(Decaying())(abundance, physical, dt)
    exponent = (physical[:, :-1, 0] * dt).cumsum(dim=1)[..., None]
    torch.testing.assert_close(rolled[:, 1:], (abundance[:, None] * (-exponent).exp()).float())


@given(st.integers(0, 10**6))
def test_conserving_keeps_the_totals_of_the_start(seed):
    abundance, physical, dt = cells(seed)
    rolled = Rollout(ConservingPredictor(Decaying(), STOICHIOMETRY))(abundance, physical, dt)
    totals = rolled.double() @ STOICHIOMETRY.double()
    torch.testing.assert_close(totals, totals[:, :1].expand_as(totals), rtol=1e-6, atol=0.0)


def test_a_history_of_one_row_is_its_start():
    abundance, physical, _ = cells(0, n_rows=1 + 1)
    rolled = Rollout(Decaying())(abundance, physical[:, :1], torch.zeros(3, 0))
    torch.testing.assert_close(rolled, abundance[:, None].float())


def test_the_inner_predictor_never_sees_the_totals():
    class Strict(Decaying):
        def step(self, state, physical_BP, dt_B):
            assert set(state) == {"log"}
            return super().step(state, physical_BP, dt_B)

    abundance, physical, dt = cells(1)
    Rollout(ConservingPredictor(Strict(), STOICHIOMETRY))(abundance, physical, dt)

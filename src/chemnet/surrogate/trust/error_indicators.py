"""A conserving predictor that monitors its own error.

Shapes: B cells, S species, P physical parameters, L latents, K indicators.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from chemnet.surrogate.predictor import State, without
from chemnet.surrogate.rollout import repeated, rollout_states
from chemnet.surrogate.trust.novelty import ReferenceStates
from chemnet.surrogate.wrappers.conservation import TOTALS, ConservingPredictor, element_totals
from chemnet.surrogate.wrappers.surrogate_ensemble import Components

#: signs of error that are seen of every state; an ensemble adds the spread of its members
INDICATORS = ("distance", "imbalance", "start_error", "age")
_START_ERROR, _AGE, _FORCING = "monitored_start_error", "monitored_age", "monitored_forcing"
_OWN = frozenset({_START_ERROR, _AGE, _FORCING})
# abundances are compared above this
_FLOOR = 1e-20


class MonitoredPredictor:
    """A conserving predictor that also measures indicators of its error.

    - `distance`: the novelty, how far latents and parameters are from the nearest reference state;
    - `imbalance`: how far the decoded abundances miss the element totals before they are corrected [dex];
      the truth has them, so at least this much is wrong;
    - `start_error`: what encoding and decoding changed in the initial state [dex];
    - `age`: steps since a known state;
    - `spread`: how far the members of an ensemble are apart [dex];
    - each physical parameter, in powers of e over its range: some conditions are harder than others.

    Parameters
    ----------
    inner
        Predicts.
    reference
        States that it was trained on.
    indicators
        Names of those that are wanted, in the order of their columns; all by default.
    """

    def __init__(
        self,
        inner: ConservingPredictor[Components],
        reference: ReferenceStates,
        indicators: Sequence[str] | None = None,
    ) -> None:
        self.inner, self.components, self.reference = inner, inner.inner, reference
        self.n_species = self.components.data.n_species
        self.parameters = tuple(self.components.data.physical_names)
        every = (*INDICATORS, *self.components.signs, *self.parameters)
        self.indicators = every if indicators is None else tuple(indicators)

    def start(self, abundance_BS: Tensor) -> State:
        """Return the inner state with what is known of its error at the beginning."""
        state = self.inner.start(abundance_BS)
        floor = max(_FLOOR, self.components.data.abundance_scaling.floor)
        decoded = self.components.abundance(state).clamp_min(floor).log10()
        start_error = (decoded - abundance_BS.clamp_min(floor).log10()).abs().mean(dim=1)
        n_physical = self.components.data.n_physical
        return {
            **state,
            _START_ERROR: start_error.float(),
            _AGE: torch.zeros_like(start_error, dtype=torch.float32),
            _FORCING: start_error.new_zeros((len(start_error), n_physical), dtype=torch.float32),
        }

    def step(self, state: State, physical_BP: Tensor, dt_B: Tensor) -> State:
        """Return the state after one step, one step older."""
        return {
            **self.inner.step(without(state, _OWN), physical_BP, dt_B),
            _START_ERROR: state[_START_ERROR],
            _AGE: state[_AGE] + 1.0,
            _FORCING: self.components.scaled_physical(physical_BP),
        }

    def rollout(self, state: State, physical_BTP: Tensor, dt_BN: Tensor, rows: Tensor) -> State:
        """Return the states `(B, R, ...)` in the wanted rows; see `rollout_states`."""
        states = rollout_states(self.inner, without(state, _OWN), physical_BTP, dt_BN, rows)
        later = self.components.scaled_physical(physical_BTP[:, :-1])
        forcing = torch.cat([state[_FORCING][:, None], later], dim=1)
        rows = rows.to(forcing.device)
        return {
            **states,
            _START_ERROR: repeated(state[_START_ERROR], len(rows)),
            _AGE: state[_AGE][:, None] + rows,
            _FORCING: forcing[:, rows],
        }

    def abundance(self, state: State) -> Tensor:
        """Return abundances `(B, S)` with the totals of the start, float64."""
        return self.inner.abundance(without(state, _OWN))

    def observe(self, state: State) -> Tensor:
        """Return abundances `(B, S)` and, in further columns, indicators: `(B, S + K)` float64."""
        predicted, signs = self.components.observe(without(state, _OWN))
        corrected = self.inner.conserved(predicted, state)
        return torch.cat([corrected, self._measure(state, predicted, signs).double()], dim=1)

    def _measure(self, state: State, predicted_BS: Tensor, signs: dict[str, Tensor]) -> Tensor:
        """Return the indicators `(B, K)` of states of which the components predict abundances `(B, S)`."""
        totals = element_totals(predicted_BS, self.inner.stoichiometry.to(predicted_BS.device))
        wanted = state[TOTALS]
        present = wanted > 0
        off = torch.where(present, totals / torch.where(present, wanted, 1.0), 1.0)
        imbalance = off.clamp_min(_FLOOR).log10().square().mean(dim=1).sqrt()
        distance = self.reference.novelty(state["latent"], state[_FORCING])
        own = (distance, imbalance.float(), state[_START_ERROR], state[_AGE])
        parameters = state[_FORCING].exp().unbind(1)
        seen = {
            **dict(zip(INDICATORS, own, strict=True)),
            **dict(zip(self.parameters, parameters, strict=True)),
            **signs,
        }
        return torch.stack([seen[name] for name in self.indicators], dim=1)

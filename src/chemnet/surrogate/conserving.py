"""A predictor whose abundances have the element totals of the state that it started from."""

from __future__ import annotations

import torch
from torch import Tensor

from chemnet.surrogate.conservation import conserve_elements, element_totals
from chemnet.surrogate.predictor import Predictor, State

TOTALS = "element_totals"
# cells corrected together: their temporaries stay in a CPU's cache
CELLS_PER_CALL = 1024


class Conserving:
    """Correct what a predictor says so that each element keeps its total, in float64.

    The state carries the totals along; the inner predictor never sees the corrected abundances, so the
    correction of one step has no influence on the next.

    Parameters
    ----------
    inner
        Any predictor.
    stoichiometry_SE
        Atoms of each element in each species.
    """

    def __init__(self, inner: Predictor, stoichiometry_SE: Tensor) -> None:
        self.inner = inner
        self.stoichiometry = stoichiometry_SE.double()

    def start(self, abundance_BS: Tensor) -> State:
        """Return the inner state with the element totals of abundances `(B, S)`."""
        totals = element_totals(abundance_BS, self.stoichiometry.to(abundance_BS.device))
        return {**self.inner.start(abundance_BS), TOTALS: totals}

    def step(self, state: State, physical_BP: Tensor, dt_B: Tensor) -> State:
        """Return the state after one step; the totals stay."""
        return {**self.inner.step(_without_totals(state), physical_BP, dt_B), TOTALS: state[TOTALS]}

    def abundance(self, state: State) -> Tensor:
        """Return abundances `(B, S)` with the totals of the start, float64."""
        predicted = self.inner.abundance(_without_totals(state))
        parts = zip(predicted.split(CELLS_PER_CALL), state[TOTALS].split(CELLS_PER_CALL), strict=True)
        return torch.cat([conserve_elements(cells, totals, self.stoichiometry) for cells, totals in parts])


def _without_totals(state: State) -> State:
    """Return what the inner predictor knows of a state."""
    return {name: values for name, values in state.items() if name != TOTALS}

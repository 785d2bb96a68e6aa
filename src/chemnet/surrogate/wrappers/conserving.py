"""A predictor whose abundances have the element totals of the state that it started from."""

from __future__ import annotations

from torch import Tensor

from chemnet.surrogate.carrying import alongside, carry
from chemnet.surrogate.predictor import Predictor, State, without
from chemnet.surrogate.wrappers.conservation import conserve_elements, element_totals

TOTALS = "element_totals"


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
        return {**self.inner.step(without(state, {TOTALS}), physical_BP, dt_B), TOTALS: state[TOTALS]}

    def carry(self, state: State, physical_BTP: Tensor, dt_BN: Tensor, rows: Tensor) -> State:
        """Return the states `(B, R, ...)` in the wanted rows; see `chemnet.surrogate.carrying.carry`."""
        carried = carry(self.inner, without(state, {TOTALS}), physical_BTP, dt_BN, rows)
        return {**carried, TOTALS: alongside(state[TOTALS], len(rows))}

    def abundance(self, state: State) -> Tensor:
        """Return abundances `(B, S)` with the totals of the start, float64."""
        return self.conserved(self.inner.abundance(without(state, {TOTALS})), state)

    def conserved(self, predicted_BS: Tensor, state: State) -> Tensor:
        """Return what the inner predictor says of a state, `(B, S)`, with its totals, float64."""
        return conserve_elements(predicted_BS, state[TOTALS], self.stoichiometry)

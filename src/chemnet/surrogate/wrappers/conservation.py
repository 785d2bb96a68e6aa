r"""Element conservation by construction: abundances moved onto given element totals.

A network decodes abundances :math:`x_i` whose totals :math:`\sum_i A_{ie} x_i` miss the totals :math:`n_e` of
the state it started from. The correction is

.. math:: x'_i = x_i \exp\bigl(w_i \sum_e A_{ie} \lambda_e\bigr), \qquad w_i = \sqrt{x_i / m_i}, \quad
          m_i = \min_e n_e / A_{ie},

with one multiplier per element and a weight that is the root of the abundance beside the largest one that
the elements allow (at first no :math:`x_i` is left larger than that). Abundances stay positive whatever the
multipliers; carriers of an element absorb its error, and a rare species, whose weight vanishes, keeps its
value. The multipliers minimise a convex function, :math:`\sum_i x_i/w_i \exp(w_i (A\lambda)_i) - n \cdot
\lambda`.

Nearly every cell is done after a few plain Newton steps: the first ones in float32, which is twice as fast,
the last two with residuals in float64 and a float32 Hessian, which lose nothing in accuracy. A prediction
that is off by decades can make the function a long, narrow valley; such cells go through a guarded Newton
method, and if that does not end, through another one with equal weights, :math:`w_i = 1` (the projection of
least relative entropy), where rare species move with their elements.

Charge is conserved on request, as one more multiplier: its total is 0, :math:`A_i` is the charge, and of
electrons, which hold no element, :math:`m` is the sum of the positive (or negative) charges. It is a request
because the truth need not be neutral: UCLCHEM's tables are not.

Shapes: B cells, S species, E elements.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from chemnet.errors import ModelError
from chemnet.surrogate.predictor import Predictor, State, gradients_wanted, without
from chemnet.surrogate.rollout import repeated, rollout_states, stepwise
from chemnet.surrogate.wrappers.multipliers import (
    Cells,
    Elements,
    guarded_newton,
    plain_newton,
    with_gradients,
)

RELATIVE_TOLERANCE = 1e-10
# cells that are corrected together: a CPU keeps what they need in its cache, a GPU wants many
_CELLS_PER_CALL = {"cpu": 1024, "cuda": 65536}
# of the guarded method, with weights and without: a prediction that is off by decades takes 12
_WEIGHTED_ITERATIONS, _EQUAL_ITERATIONS = 30, 60
TOTALS = "element_totals"
Inner = TypeVar("Inner", bound=Predictor)


class ConservingPredictor(Generic[Inner]):
    """A predictor whose abundances have the element totals of the state that it started from, in float64.

    The totals are part of the state. The inner predictor never sees the corrected abundances, so the
    correction of one step has no influence on the next; but for one with ``conserves_state``, whose next step
    begins with what was corrected.

    Parameters
    ----------
    inner
        Any predictor.
    stoichiometry_SE
        Atoms of each element in each species.
    charges_S
        The charge of each species, where charges are to balance.
    """

    def __init__(self, inner: Inner, stoichiometry_SE: Tensor, charges_S: Tensor | None = None) -> None:
        self.inner = inner
        self.stoichiometry, self.charges = stoichiometry_SE.double(), charges_S
        self._feeds_back: bool = getattr(inner, "conserves_state", False)

    def start(self, abundance_BS: Tensor) -> State:
        """Return the inner state with the element totals of abundances `(B, S)`."""
        totals = element_totals(abundance_BS, self.stoichiometry.to(abundance_BS.device))
        return {**self.inner.start(abundance_BS), TOTALS: totals}

    def step(self, state: State, physical_BP: Tensor, dt_B: Tensor) -> State:
        """Return the state after one step; the totals stay."""
        after = {**self.inner.step(without(state, {TOTALS}), physical_BP, dt_B), TOTALS: state[TOTALS]}
        if self._feeds_back:
            inner: Any = self.inner
            after["latent"] = inner.encode(self.abundance(after))
        return after

    def rollout(self, state: State, physical_BTP: Tensor, dt_BN: Tensor, rows: Tensor) -> State:
        """Return the states `(B, R, ...)` in the wanted rows; see `rollout_states`."""
        if self._feeds_back:
            return stepwise(self, state, physical_BTP, dt_BN, rows)
        states = rollout_states(self.inner, without(state, {TOTALS}), physical_BTP, dt_BN, rows)
        return {**states, TOTALS: repeated(state[TOTALS], len(rows))}

    def abundance(self, state: State) -> Tensor:
        """Return abundances `(B, S)` with the totals of the start, float64."""
        return self.conserved(self.inner.abundance(without(state, {TOTALS})), state)

    def conserved(self, predicted_BS: Tensor, state: State) -> Tensor:
        """Return what the inner predictor says of a state, `(B, S)`, with its totals, float64."""
        return conserve_elements(predicted_BS, state[TOTALS], self.stoichiometry, charges_S=self.charges)


def element_totals(abundance_BS: Tensor, stoichiometry_SE: Tensor) -> Tensor:
    """Return the atoms of each element per H nucleus, float64, shape (cells, elements)."""
    return abundance_BS.double() @ stoichiometry_SE.double()


def conserve_elements(
    abundance_BS: Tensor,
    totals_BE: Tensor,
    stoichiometry_SE: Tensor,
    tolerance: float = RELATIVE_TOLERANCE,
    charges_S: Tensor | None = None,
) -> Tensor:
    """Return the abundances, corrected so that every element has its given total.

    Parameters
    ----------
    abundance_BS
        Predicted abundances relative to H nuclei, non-negative, shape (cells, species).
    totals_BE
        Wanted atoms of each element per H nucleus, shape (cells, elements).
    stoichiometry_SE
        Atoms of each element in each species, shape (species, elements).
    tolerance
        Largest relative residual of any element's total; of the net charge, relative to the ions'.
    charges_S
        Charge of each species, where charges are to balance; None leaves them as they come.

    Returns
    -------
    Tensor
        Corrected abundances, float64, shape (cells, species). Species of an element whose total is 0 are 0.

    Raises
    ------
    ModelError
        When an element has a total but no species with a positive abundance carries it, or positive
        abundances of the species at hand cannot reach the totals.
    """
    elements = Elements.of(stoichiometry_SE.to(abundance_BS.device), charges_S)
    corrected = torch.empty(abundance_BS.shape, dtype=torch.float64, device=abundance_BS.device)
    size, first = _CELLS_PER_CALL.get(abundance_BS.device.type, 65536), 0
    solve = _with_gradients if gradients_wanted(abundance_BS, totals_BE) else _conserve
    for part, totals in zip(abundance_BS.split(size), totals_BE.double().split(size), strict=True):
        try:
            corrected[first : first + len(part)] = solve(part, totals, elements, tolerance)
        except _MissedTotalError as failure:
            raise failure.in_words(first, totals.shape[1]) from None
        first += len(part)
    return corrected


def _with_gradients(abundance: Tensor, totals: Tensor, elements: Elements, tolerance: float) -> Tensor:
    """Correct some cells at once; the result depends on abundances and totals."""
    cells = elements.start(abundance.double(), totals)
    with torch.no_grad():
        corrected, equal = _solve(cells.detached(), elements, tolerance)
    weight = cells.weight.masked_fill(equal[:, None], 1.0)
    return with_gradients(corrected, replace(cells, weight=weight), elements)


def _conserve(abundance: Tensor, totals: Tensor, elements: Elements, tolerance: float) -> Tensor:
    return _solve(elements.start(abundance.double(), totals), elements, tolerance)[0]


def _solve(cells: Cells, elements: Elements, tolerance: float) -> tuple[Tensor, Tensor]:
    """Return corrected abundances `(B, S)`, and which cells took equal weights `(B,)`."""
    equal = torch.zeros(len(cells.totals), dtype=torch.bool, device=cells.totals.device)
    if elements.charged:
        positive, negative = elements.signed_charges(cells.abundance)
        one_sided = (positive > 0) != (negative > 0)
        if bool(one_sided.any()):
            charge = cells.totals.shape[1] - 1
            raise _MissedTotalError(int(one_sided.double().argmax()), charge, 0.0, 0.0)
    result, residual = plain_newton(cells, elements)
    is_open = cells.are_open(residual, tolerance)
    if bool(is_open.any()):
        numbers = is_open.nonzero()[:, 0]
        result[is_open], equal[is_open] = _solve_open(cells.only(is_open), numbers, elements, tolerance)
    return result, equal


def _solve_open(cells: Cells, numbers: Tensor, elements: Elements, tolerance: float) -> tuple[Tensor, Tensor]:
    """Return what `_solve` does, of cells that plain steps left open; `numbers` names them in errors."""
    missing = (cells.totals > 0) & ~(elements.held(cells.abundance) > 0)
    if bool(missing.any()):
        cell, element = (int(index) for index in missing.nonzero()[0])
        raise _MissedTotalError(int(numbers[cell]), element, float(cells.totals[cell, element]), 0.0)
    result, done = guarded_newton(cells, elements, tolerance, _WEIGHTED_ITERATIONS)
    equal = ~done
    if not bool(done.all()):
        rest = cells.only(~done)
        rest = replace(rest, weight=torch.ones_like(rest.weight))
        result[~done], solved = guarded_newton(rest, elements, tolerance, _EQUAL_ITERATIONS)
        done[~done] = solved
    if not bool(done.all()):
        residual = (elements.held(result) - cells.totals).abs()
        relative = (residual / cells.size.clamp(min=torch.finfo(residual.dtype).tiny)).nan_to_num(torch.inf)
        cell, element = divmod(int(relative.argmax()), relative.shape[1])
        wanted = float(cells.totals[cell, element])
        raise _MissedTotalError(int(numbers[cell]), element, wanted, float(relative.max()))
    return result, equal


@dataclass
class _MissedTotalError(Exception):
    """A cell whose totals cannot be met.

    Attributes
    ----------
    cell, element
        Where, among the cells that are corrected together.
    total
        What was wanted.
    off
        How far the total stays off (relative); 0 where nothing carries the element.
    """

    cell: int
    element: int
    total: float
    off: float

    def in_words(self, first: int, n_elements: int) -> ModelError:
        """Return the error for users; the cells corrected together begin at number `first`."""
        what = f"element {self.element}" if self.element < n_elements else "the charge"
        where = f"cell {first + self.cell}: {what}"
        if not self.off and self.element == n_elements:
            return ModelError(
                f"{where} cannot balance: all charged species have the same sign or an abundance of 0",
                hint="give electrons where there are ions, and ions where there are electrons",
            )
        if not self.off:
            return ModelError(
                f"{where} has the total {self.total:.3e} but no species with a positive abundance carries it",
                hint="check that the predicted abundances are finite and above the floor",
            )
        return ModelError(
            f"{where} stays off its total by {self.off:.1e} (relative) after "
            f"{_EQUAL_ITERATIONS} Newton steps",
            hint="the totals may ask for more of one element than the species that carry it can hold",
        )

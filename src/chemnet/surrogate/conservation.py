r"""Element conservation by construction: abundances moved onto given element totals.

A network decodes abundances :math:`x_i` whose totals :math:`\sum_i A_{ie} x_i` miss the totals :math:`n_e` of
the state it started from. The correction is

.. math:: x'_i = x_i \exp\bigl(w_i \sum_e A_{ie} \lambda_e\bigr),

with one multiplier per element and a weight :math:`w_i = \max_e \sqrt{A_{ie} x_i / \sum_j A_{je} x_j}`, the
root of the largest share that the species has in what was predicted of any element. Abundances stay positive
whatever the multipliers; carriers of an element absorb its error, and a rare species, whose weight vanishes,
keeps its value. At first no :math:`x_i` is left larger than the elements allow, :math:`\min_e n_e / A_{ie}`.
The multipliers minimise a convex function, :math:`\sum_i x_i/w_i \exp(w_i (A\lambda)_i) - n \cdot \lambda`,
by a guarded Newton method.

A prediction that is off by decades can make that a long, narrow valley. Cells that are not done after some
steps get equal weights, :math:`w_i = 1` (the projection of least relative entropy), where Newton's method
hardly ever takes more than a dozen steps, and rare species then move with their elements.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from chemnet.errors import ModelError

RELATIVE_TOLERANCE = 1e-8
_WEIGHTED_ITERATIONS = 30  # a prediction within a factor of two takes 4 to 7, one that is off by decades 12
_EQUAL_ITERATIONS = 60
_MAX_EXPONENT_STEP = 8.0  # a species changes by at most e^8 in one Newton step
_SMALLEST_WEIGHT = 1e-12
_MAX_HALVINGS = 20
_RIDGE = 1e-13  # of the scaled Hessian's diagonal; elements may hang together in exact proportion


def element_totals(abundance_BS: Tensor, stoichiometry_SE: Tensor) -> Tensor:
    """Return the atoms of each element per H nucleus, float64, shape (cells, elements)."""
    return abundance_BS.double() @ stoichiometry_SE.double()


def conserve_elements(
    abundance_BS: Tensor, totals_BE: Tensor, stoichiometry_SE: Tensor, tolerance: float = RELATIVE_TOLERANCE
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
        Largest relative residual of any element's total.

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
    stoichiometry = stoichiometry_SE.double().to(abundance_BS.device)
    totals = totals_BE.double()
    present = totals > 0
    forbidden = (~present).double() @ stoichiometry.T > 0
    abundance = abundance_BS.double().masked_fill(forbidden, 0.0)
    _check_carriers(abundance, totals, stoichiometry)
    abundance = abundance / _largest_share(abundance, totals, stoichiometry).clamp(min=1.0)
    share = _largest_share(abundance, abundance @ stoichiometry, stoichiometry)
    cells = _Cells(abundance, totals, share.sqrt().clamp(_SMALLEST_WEIGHT, 1.0))
    result, done = _solve(cells, stoichiometry, tolerance, _WEIGHTED_ITERATIONS)
    if not bool(done.all()):
        rest = _Cells(abundance[~done], totals[~done], torch.ones_like(abundance[~done]))
        result[~done], solved = _solve(rest, stoichiometry, tolerance, _EQUAL_ITERATIONS)
        done[~done] = solved
    if not bool(done.all()):
        raise _unreachable(result @ stoichiometry - totals, totals)
    return result


def _solve(cells: _Cells, stoichiometry: Tensor, tolerance: float, iterations: int) -> tuple[Tensor, Tensor]:
    """Return corrected abundances after at most so many Newton steps, and which cells have their totals."""
    result = cells.abundance.clone()
    index = torch.arange(len(result), device=result.device)
    done = torch.zeros_like(index, dtype=torch.bool)
    multipliers = torch.zeros_like(cells.totals)
    corrected, residual = cells.apply(multipliers, stoichiometry)
    for _ in range(iterations):
        is_open = (residual.abs() > tolerance * cells.totals).any(dim=1)
        result[index], done[index] = corrected, ~is_open
        if not bool(is_open.any()):
            break
        # cells that are done cost nothing more
        cells, index, multipliers = cells.only(is_open), index[is_open], multipliers[is_open]
        corrected, residual = corrected[is_open], residual[is_open]
        step = _newton_step(corrected * cells.weight, residual, cells.totals, stoichiometry)
        step = _limited(step, cells.weight, stoichiometry)
        multipliers, corrected, residual = _descend(
            cells, stoichiometry, multipliers, step, corrected, residual
        )
    return result, done


@dataclass(frozen=True)
class _Cells:
    """What stays the same of cells while they are corrected."""

    abundance: Tensor
    totals: Tensor
    weight: Tensor

    def only(self, chosen: Tensor) -> _Cells:
        """Return some of the cells."""
        return _Cells(self.abundance[chosen], self.totals[chosen], self.weight[chosen])

    def apply(self, multipliers: Tensor, stoichiometry: Tensor) -> tuple[Tensor, Tensor]:
        """Return the abundances under some multipliers and how far their totals are off."""
        corrected = self.abundance * torch.exp(self.weight * (multipliers @ stoichiometry.T))
        return corrected, corrected @ stoichiometry - self.totals

    def distance(self, residual: Tensor) -> Tensor:
        """Return the squared relative residual of each cell."""
        return (residual / torch.where(self.totals > 0, self.totals, 1.0)).square().sum(1)

    def objective(self, corrected: Tensor, multipliers: Tensor) -> Tensor:
        """Return the convex function of each cell that the multipliers minimise."""
        return (corrected / self.weight).sum(1) - (self.totals * multipliers).sum(1)


def _largest_share(abundance: Tensor, totals: Tensor, stoichiometry: Tensor) -> Tensor:
    """Return each species' largest share of any element's total, `(cells, species)`."""
    safe = torch.where(totals > 0, totals, torch.ones_like(totals))
    share = torch.zeros_like(abundance)
    for element in range(stoichiometry.shape[1]):  # one element at a time keeps memory at (cells, species)
        share = torch.maximum(share, abundance * (stoichiometry[:, element] / safe[:, element, None]))
    return share


def _newton_step(slope: Tensor, residual: Tensor, totals: Tensor, stoichiometry: Tensor) -> Tensor:
    """Solve the Newton equations of every cell, rows and columns scaled by the root of their totals."""
    n_elements = stoichiometry.shape[1]
    pairs = (stoichiometry[:, :, None] * stoichiometry[:, None, :]).flatten(1)
    hessian = (slope @ pairs).unflatten(1, (n_elements, n_elements))
    scale = torch.where(totals > 0, totals, torch.ones_like(totals)).rsqrt()
    hessian = hessian * scale[:, :, None] * scale[:, None, :]
    diagonal = torch.diagonal(hessian, dim1=1, dim2=2)
    # an absent element has an empty row: a one on its diagonal leaves its multiplier at zero
    diagonal += torch.where(diagonal > 0, _RIDGE * diagonal, torch.ones_like(diagonal))
    return -torch.linalg.solve(hessian, residual * scale) * scale


def _limited(step: Tensor, weight: Tensor, stoichiometry: Tensor) -> Tensor:
    """Shorten each cell's step so that no species changes by more than the largest exponent step."""
    largest = (weight * (step @ stoichiometry.T)).abs().amax(dim=1, keepdim=True)
    return step * (_MAX_EXPONENT_STEP / largest.clamp(min=_MAX_EXPONENT_STEP))


def _descend(
    cells: _Cells,
    stoichiometry: Tensor,
    multipliers: Tensor,
    step: Tensor,
    corrected: Tensor,
    residual: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return multipliers, abundances and residual after the step, halved until it brings a cell down.

    Down is either a smaller residual, which is exact near the solution, or a smaller objective, which leads
    there from anywhere.
    """
    distance, height = cells.distance(residual), cells.objective(corrected, multipliers)
    for _ in range(_MAX_HALVINGS):
        corrected, residual = cells.apply(multipliers + step, stoichiometry)
        rises = cells.distance(residual) > distance
        rises &= ~(cells.objective(corrected, multipliers + step) < height)
        if not bool(rises.any()):
            break
        step = torch.where(rises[:, None], 0.5 * step, step)
    return multipliers + step, corrected, residual


def _check_carriers(abundance: Tensor, totals: Tensor, stoichiometry: Tensor) -> None:
    """Raise when an element is wanted in a cell where nothing carries it."""
    missing = (totals > 0) & ((abundance @ stoichiometry) <= 0)
    if bool(missing.any()):
        cell, element = (int(index) for index in missing.nonzero()[0])
        raise ModelError(
            f"cell {cell}: element {element} has the total {float(totals[cell, element]):.3e} "
            "but no species with a positive abundance carries it",
            hint="check that the predicted abundances are finite and above the floor",
        )


def _unreachable(residual: Tensor, totals: Tensor) -> ModelError:
    """Return the error for totals that no positive abundances of these species have."""
    relative = (residual.abs() / totals.clamp(min=torch.finfo(totals.dtype).tiny)).nan_to_num(torch.inf)
    cell, element = divmod(int(relative.argmax()), totals.shape[1])
    return ModelError(
        f"cell {cell}: element {element} stays off its total by {float(relative.max()):.1e} (relative) "
        f"after {_EQUAL_ITERATIONS} Newton steps",
        hint="the totals may ask for more of one element than the species that carry it can hold",
    )

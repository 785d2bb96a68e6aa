r"""Element conservation by construction: abundances moved onto given element totals.

A network decodes abundances :math:`x_i` whose totals :math:`\sum_i A_{ie} x_i` miss the totals :math:`n_e` of
the state it started from. The correction is

.. math:: x'_i = x_i \exp\bigl(w_i \sum_e A_{ie} \lambda_e\bigr),

with one multiplier per element and a weight :math:`w_i = \max_e A_{ie} x_i / n_e`, the largest share that the
species has in any element's budget. Abundances stay positive whatever the multipliers; carriers of an element
absorb its error, and a rare species, whose weight vanishes, keeps its value. The multipliers minimise a
convex function, :math:`\sum_i x_i/w_i \exp(w_i (A\lambda)_i) - n \cdot \lambda`, so a guarded Newton
method finds them.
"""

from __future__ import annotations

import torch
from torch import Tensor

from chemnet.errors import ModelError

RELATIVE_TOLERANCE = 1e-8
_MAX_ITERATIONS = 60
_MAX_EXPONENT_STEP = 2.0  # a species changes by at most e^2 in one Newton step
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
    weight = _budget_share(abundance, totals, stoichiometry)
    multipliers = torch.zeros_like(totals)
    for _ in range(_MAX_ITERATIONS):
        corrected = abundance * torch.exp(weight * (multipliers @ stoichiometry.T))
        residual = corrected @ stoichiometry - totals
        open_cells = (residual.abs() > tolerance * totals).any(dim=1)
        if not bool(open_cells.any()):
            return corrected
        step = _limited(
            _newton_step(corrected * weight, residual, totals, stoichiometry), weight, stoichiometry
        )
        step = torch.where(open_cells[:, None], step, torch.zeros_like(step))
        multipliers = _descend(abundance, weight, totals, stoichiometry, multipliers, step)
    raise _unreachable(residual, totals)


def _budget_share(abundance: Tensor, totals: Tensor, stoichiometry: Tensor) -> Tensor:
    """Return each species' largest share of any element's total, in [smallest weight, 1]."""
    safe = torch.where(totals > 0, totals, torch.ones_like(totals))
    share = torch.zeros_like(abundance)
    for element in range(stoichiometry.shape[1]):  # one element at a time keeps memory at (cells, species)
        share = torch.maximum(share, abundance * (stoichiometry[:, element] / safe[:, element, None]))
    return share.clamp(_SMALLEST_WEIGHT, 1.0)


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
    abundance: Tensor,
    weight: Tensor,
    totals: Tensor,
    stoichiometry: Tensor,
    multipliers: Tensor,
    step: Tensor,
) -> Tensor:
    """Return the multipliers after the step, halved in each cell until the relative residual falls."""
    safe = torch.where(totals > 0, totals, torch.ones_like(totals))

    def distance(trial: Tensor) -> Tensor:
        corrected = abundance * torch.exp(weight * (trial @ stoichiometry.T))
        return ((corrected @ stoichiometry - totals) / safe).square().sum(1)

    start = distance(multipliers)
    for _ in range(_MAX_HALVINGS):
        rises = distance(multipliers + step) > start
        if not bool(rises.any()):
            break
        step = torch.where(rises[:, None], 0.5 * step, step)
    return multipliers + step


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
        f"after {_MAX_ITERATIONS} Newton steps",
        hint="the totals may ask for more of one element than the species that carry it can hold",
    )

"""Newton's method for the multipliers that bring abundances to element totals, for many cells at once.

`chemnet.surrogate.wrappers.conservation` states what is solved. Shapes: B cells, S species, E elements.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

# plain Newton steps in float32, at most: until this share of the cells is within this relative residual
_SINGLE_STEPS, _SETTLED_SHARE, _SETTLED_RESIDUAL = 8, 0.99, 1e-5
# plain steps in float64 with the last Hessian, each of which lowers the residual a thousandfold
_DOUBLE_STEPS = 2
_MAX_MULTIPLIER_STEP = 4.0
_MAX_EXPONENT_STEP = 8.0  # a species changes by at most e^8 in one guarded step
_MAX_HALVINGS = 20
# of the scaled Hessian's diagonal; elements may hang together in exact proportion
_RIDGE = {torch.float64: 1e-13, torch.float32: 1e-6}


@dataclass(frozen=True)
class Elements:
    """What species hold, in the forms that the sums over them need.

    Attributes
    ----------
    atoms
        `(E, S)` by precision. Products with its transpose are twice as fast as with a matrix `(S, E)`.
    products
        Products of pairs of elements, `(E (E + 1) / 2, S)` by precision.
    pairs
        The rows and columns of those pairs.
    """

    atoms: dict[torch.dtype, Tensor]
    products: dict[torch.dtype, Tensor]
    pairs: Tensor

    @classmethod
    def of(cls, stoichiometry_SE: Tensor) -> Elements:
        """Prepare a matrix."""
        atoms = stoichiometry_SE.double().T.contiguous()
        rows, columns = pairs = torch.tril_indices(len(atoms), len(atoms), device=atoms.device)
        products = atoms[rows] * atoms[columns]
        precisions = (torch.float64, torch.float32)
        return cls({p: atoms.to(p) for p in precisions}, {p: products.to(p) for p in precisions}, pairs)

    def held(self, abundance: Tensor) -> Tensor:
        """Return the totals of abundances `(B, S)`, in their precision."""
        return abundance @ self.atoms[abundance.dtype].T

    def pull(self, multipliers: Tensor) -> Tensor:
        """Return the sum of the multipliers of what each species holds, `(B, S)`."""
        return multipliers @ self.atoms[multipliers.dtype]

    def hessian(self, slope: Tensor) -> Tensor:
        """Return the lower half of the sum of all pairs of elements weighted by `slope`, `(B, E, E)`."""
        n_elements = len(self.atoms[slope.dtype])
        hessian = slope.new_zeros((len(slope), n_elements, n_elements))
        hessian[:, self.pairs[0], self.pairs[1]] = slope @ self.products[slope.dtype].T
        return hessian

    def most(self, totals: Tensor) -> Tensor:
        """Return the largest abundance of each species that the totals allow, `(B, S)`."""
        # the steps of one history have the same totals, and stand one after another
        is_new = torch.ones(len(totals), dtype=torch.bool, device=totals.device)
        is_new[1:] = (totals[1:] != totals[:-1]).any(dim=1)
        different = totals[is_new]
        atoms = self.atoms[totals.dtype]
        most = torch.full(
            (len(different), atoms.shape[1]), torch.inf, dtype=totals.dtype, device=totals.device
        )
        for element, count in enumerate(atoms):
            # a total of 0 allows no carrier, and says nothing of a species that is none
            allowed = (different[:, element, None] / count).nan_to_num(torch.inf, torch.inf)
            most = torch.minimum(most, allowed)
        return most[is_new.cumsum(0) - 1]


@dataclass(frozen=True)
class Cells:
    """What stays constant in cells while they are corrected."""

    abundance: Tensor
    totals: Tensor
    weight: Tensor

    def only(self, chosen: Tensor) -> Cells:
        """Return some of the cells."""
        return Cells(self.abundance[chosen], self.totals[chosen], self.weight[chosen])

    def single(self) -> Cells:
        """Return the cells in float32."""
        return Cells(self.abundance.float(), self.totals.float(), self.weight.float())

    def apply(self, multipliers: Tensor, elements: Elements) -> tuple[Tensor, Tensor]:
        """Return the abundances under some multipliers and how far their totals are off."""
        corrected = elements.pull(multipliers).mul_(self.weight).exp_().mul_(self.abundance)
        return corrected, elements.held(corrected) - self.totals

    def distance(self, residual: Tensor) -> Tensor:
        """Return the squared relative residual of each cell."""
        return (residual / torch.where(self.totals > 0, self.totals, 1.0)).square().sum(1)

    def objective(self, corrected: Tensor, multipliers: Tensor) -> Tensor:
        """Return the convex function of each cell that the multipliers minimise."""
        return (corrected / self.weight).sum(1) - (self.totals * multipliers).sum(1)

    def are_open(self, residual: Tensor, tolerance: float) -> Tensor:
        """Return which cells miss a total; those with a residual that is not finite do."""
        return ~(residual.abs() <= tolerance * self.totals).all(dim=1)


def plain_newton(cells: Cells, elements: Elements) -> tuple[Tensor, Tensor]:
    """Return corrected abundances and residuals after a few unguarded Newton steps of all cells."""
    single = cells.single()
    multipliers = torch.zeros_like(single.totals)
    corrected, residual = single.abundance, elements.held(single.abundance) - single.totals
    for _ in range(_SINGLE_STEPS):
        system = _System.of(corrected * single.weight, single.totals, elements)
        step = system.newton_step(residual)
        largest = step.abs().amax(dim=1, keepdim=True).clamp(min=_MAX_MULTIPLIER_STEP)
        multipliers = multipliers + step * (_MAX_MULTIPLIER_STEP / largest)
        corrected, residual = single.apply(multipliers, elements)
        if single.are_open(residual, _SETTLED_RESIDUAL).double().mean() < 1.0 - _SETTLED_SHARE:
            break
    multipliers = multipliers.double()
    corrected, residual = cells.apply(multipliers, elements)
    for _ in range(_DOUBLE_STEPS):
        multipliers = multipliers + system.newton_step(residual)
        corrected, residual = cells.apply(multipliers, elements)
    return corrected, residual


def guarded_newton(
    cells: Cells, elements: Elements, tolerance: float, iterations: int
) -> tuple[Tensor, Tensor]:
    """Return corrected abundances after at most `iterations` steps, and which cells have their totals."""
    result = cells.abundance.clone()
    index = torch.arange(len(result), device=result.device)
    done = torch.zeros_like(index, dtype=torch.bool)
    multipliers = torch.zeros_like(cells.totals)
    corrected, residual = cells.apply(multipliers, elements)
    for _ in range(iterations):
        is_open = cells.are_open(residual, tolerance)
        result[index], done[index] = corrected, ~is_open
        if not bool(is_open.any()):
            break
        # cells that are done cost nothing more
        cells, index, multipliers = cells.only(is_open), index[is_open], multipliers[is_open]
        corrected, residual = corrected[is_open], residual[is_open]
        step = _System.of(corrected * cells.weight, cells.totals, elements).newton_step(residual)
        step = _limited(step, cells.weight, elements)
        multipliers, corrected, residual = _descend(cells, elements, multipliers, step, corrected, residual)
    return result, done


@dataclass(frozen=True)
class _System:
    """The Newton equations of every cell, rows and columns scaled by the root of their totals.

    Attributes
    ----------
    factor
        Cholesky factor of the scaled Hessian, `(B, E, E)`.
    scale
        `(B, E)`.
    """

    factor: Tensor
    scale: Tensor

    @classmethod
    def of(cls, slope: Tensor, totals: Tensor, elements: Elements) -> _System:
        """Build and factorise the equations for the slopes of the species, `(B, S)`."""
        scale = torch.where(totals > 0, totals, torch.ones_like(totals)).rsqrt()
        hessian = elements.hessian(slope) * scale[:, :, None] * scale[:, None, :]
        diagonal = torch.diagonal(hessian, dim1=1, dim2=2)
        # an absent element has an empty row: a one on its diagonal leaves its multiplier at zero
        diagonal += torch.where(diagonal > 0, _RIDGE[slope.dtype] * diagonal, torch.ones_like(diagonal))
        return cls(torch.linalg.cholesky_ex(hessian).L, scale)

    def newton_step(self, residual: Tensor) -> Tensor:
        """Return the step that the equations ask for, in the precision of the residual `(B, E)`."""
        right = (residual * self.scale).to(self.factor.dtype)[..., None]
        return -(torch.cholesky_solve(right, self.factor)[..., 0] * self.scale).to(residual.dtype)


def _limited(step: Tensor, weight: Tensor, elements: Elements) -> Tensor:
    """Shorten each cell's step so that no species changes by more than the largest exponent step."""
    largest = (weight * elements.pull(step)).abs().amax(dim=1, keepdim=True)
    return step * (_MAX_EXPONENT_STEP / largest.clamp(min=_MAX_EXPONENT_STEP))


def _descend(
    cells: Cells,
    elements: Elements,
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
        corrected, residual = cells.apply(multipliers + step, elements)
        rises = cells.distance(residual) > distance
        rises &= ~(cells.objective(corrected, multipliers + step) < height)
        if not bool(rises.any()):
            break
        step = torch.where(rises[:, None], 0.5 * step, step)
    return multipliers + step, corrected, residual

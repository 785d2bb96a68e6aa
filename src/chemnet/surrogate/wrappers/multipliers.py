"""Newton's method for the multipliers that bring abundances to element totals, for many cells at once.

`chemnet.surrogate.wrappers.conservation` states what is solved. Shapes: B cells, S species, E elements and,
behind them where charge is conserved, the charge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

# plain Newton steps in float32, at most: until this share of the cells is within this relative residual
_SINGLE_STEPS, _SETTLED_SHARE, _SETTLED_RESIDUAL = 8, 0.99, 1e-5
# plain steps in float64 with the last Hessian, each of which lowers the residual a thousandfold
_DOUBLE_STEPS = 2
_MAX_MULTIPLIER_STEP = 4.0
_MAX_EXPONENT_STEP = 8.0  # a species changes by at most e^8 in one guarded step
_MAX_HALVINGS = 20
_SMALLEST_WEIGHT = 1e-12
# of the scaled Hessian's diagonal; elements may hang together in exact proportion
_RIDGE = {torch.float64: 1e-13, torch.float32: 1e-6}


@dataclass(frozen=True)
class Elements:
    """What species hold, in the forms that the sums over them need.

    Attributes
    ----------
    atoms
        Atoms, and in the last row charges where `charged`: `(E, S)` by precision. Products with its transpose
        are twice as fast as with a matrix `(S, E)`.
    products
        Products of pairs of elements, `(E (E + 1) / 2, S)` by precision.
    pairs
        The rows and columns of those pairs.
    charged
        Whether the last row is the charge, whose total is 0.
    """

    atoms: dict[torch.dtype, Tensor]
    products: dict[torch.dtype, Tensor]
    pairs: Tensor
    charged: bool = False

    @classmethod
    def of(cls, stoichiometry_SE: Tensor, charges_S: Tensor | None = None) -> Elements:
        """Prepare a matrix, and the charges of the species where they are to balance."""
        held = stoichiometry_SE.double()
        if charges_S is not None:
            held = torch.cat([held, charges_S.to(held)[:, None]], dim=1)
        atoms = held.T.contiguous()
        rows, columns = pairs = torch.tril_indices(len(atoms), len(atoms), device=atoms.device)
        products = atoms[rows] * atoms[columns]
        atoms_by, products_by = ({p: x.to(p) for p in _RIDGE} for x in (atoms, products))
        return cls(atoms_by, products_by, pairs, charges_S is not None)

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

    def start(self, abundance: Tensor, element_totals: Tensor) -> Cells:
        """Return cells with abundances `(B, S)`, none larger than its total allows, and their weights."""
        most = self._most(element_totals)
        abundance = torch.minimum(abundance, most)
        totals = size = element_totals
        if self.charged:
            # of either sign the larger sum: what electrons, which hold no element, may have to balance
            ionised = torch.maximum(*self.signed_charges(abundance))[:, None]
            most = torch.where(most.isinf(), ionised, most)
            totals, size = (torch.cat([element_totals, x], 1) for x in (torch.zeros_like(ionised), ionised))
        share = abundance / most.clamp(min=torch.finfo(most.dtype).tiny)
        # clamped before the root, whose slope at 0 is infinite
        return Cells(abundance, totals, share.clamp_(_SMALLEST_WEIGHT**2, 1.0).sqrt_(), size)

    def signed_charges(self, abundance: Tensor) -> tuple[Tensor, Tensor]:
        """Return the sums of positive and of negative charges of cells, both positive, `(B,)`."""
        charge = self.atoms[abundance.dtype][-1]
        return abundance @ charge.clamp(min=0.0), abundance @ -charge.clamp(max=0.0)

    def _most(self, totals: Tensor) -> Tensor:
        """Return the largest abundance of each species that the totals of elements allow, `(B, S)`."""
        # the steps of one history have the same totals, and stand one after another
        is_new = torch.ones(len(totals), dtype=torch.bool, device=totals.device)
        if not totals.requires_grad:  # gradients belong to each cell
            is_new[1:] = (totals[1:] != totals[:-1]).any(dim=1)
        different = totals[is_new]
        atoms = self.atoms[totals.dtype]
        most = torch.full(
            (len(different), atoms.shape[1]), torch.inf, dtype=totals.dtype, device=totals.device
        )
        for element, count in enumerate(atoms[: totals.shape[1]]):
            # a total of 0 allows no carrier, and says nothing of a species that is none
            allowed = different[:, element, None] / torch.where(count > 0, count, 1.0)
            most = torch.minimum(most, allowed.masked_fill(count == 0, torch.inf))
        return most[is_new.cumsum(0) - 1]


@dataclass(frozen=True)
class Cells:
    """What stays constant in cells while they are corrected.

    Attributes
    ----------
    abundance, weight
        `(B, S)`.
    totals
        What is wanted, `(B, E)`.
    size
        What a residual is measured by, `(B, E)`: the total, and of the charge the ions.
    """

    abundance: Tensor
    totals: Tensor
    weight: Tensor
    size: Tensor

    def only(self, chosen: Tensor) -> Cells:
        """Return some of the cells."""
        return Cells(*(values[chosen] for values in self._all()))

    def single(self) -> Cells:
        """Return the cells in float32."""
        return Cells(*(values.float() for values in self._all()))

    def detached(self) -> Cells:
        """Return the cells as constants."""
        return Cells(*(values.detach() for values in self._all()))

    def _all(self) -> tuple[Tensor, ...]:
        return self.abundance, self.totals, self.weight, self.size

    def apply(self, multipliers: Tensor, elements: Elements) -> tuple[Tensor, Tensor]:
        """Return the abundances under some multipliers and how far their totals are off."""
        corrected = elements.pull(multipliers).mul_(self.weight).exp_().mul_(self.abundance)
        return corrected, elements.held(corrected) - self.totals

    def distance(self, residual: Tensor) -> Tensor:
        """Return the squared relative residual of each cell."""
        return (residual / torch.where(self.size > 0, self.size, 1.0)).square().sum(1)

    def objective(self, corrected: Tensor, multipliers: Tensor) -> Tensor:
        """Return the convex function of each cell that the multipliers minimise."""
        return (corrected / self.weight).sum(1) - (self.totals * multipliers).sum(1)

    def are_open(self, residual: Tensor, tolerance: float) -> Tensor:
        """Return which cells miss a total; those with a residual that is not finite do."""
        return ~(residual.abs() <= tolerance * self.size).all(dim=1)


def plain_newton(cells: Cells, elements: Elements) -> tuple[Tensor, Tensor]:
    """Return corrected abundances and residuals after a few unguarded Newton steps of all cells."""
    single = cells.single()
    multipliers = torch.zeros_like(single.totals)
    corrected, residual = single.abundance, elements.held(single.abundance) - single.totals
    for _ in range(_SINGLE_STEPS):
        system = _System.of(corrected * single.weight, single.size, elements)
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


def with_gradients(corrected: Tensor, cells: Cells, elements: Elements) -> Tensor:
    r"""Return corrected abundances that depend on the cells' abundances, weights and totals.

    The multipliers solve :math:`F(\lambda; x, n) = 0`; their derivative is that of one Newton step from the
    solution (the implicit function theorem). Gradients are of first order; a second one is refused.

    Parameters
    ----------
    corrected
        The solution, `(B, S)`, a constant.
    cells
        What it is the solution for, with the weights that were used.
    elements
        What species hold.
    """
    abundance, weight = cells.abundance.detach(), cells.weight.detach()
    changed = torch.where(abundance > 0, corrected / abundance, 1.0)
    pull = changed.clamp(min=torch.finfo(changed.dtype).tiny).log() / weight
    moved = cells.abundance * (cells.weight * pull).exp()
    slope = corrected * weight
    step = _System.of(slope, cells.size.detach(), elements).newton_step(elements.held(moved) - cells.totals)
    attached: Tensor = _FirstOrder.apply(moved + slope * elements.pull(step))
    return attached


class _FirstOrder(torch.autograd.Function):
    """The identity, which no second derivative passes."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return values.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient


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
        step = _System.of(corrected * cells.weight, cells.size, elements).newton_step(residual)
        step = _limited(step, cells.weight, elements)
        multipliers, corrected, residual = _descend(cells, elements, multipliers, step, corrected, residual)
    return result, done


@dataclass(frozen=True)
class _System:
    """The Newton equations of every cell, rows and columns scaled by the root of their sizes.

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
    def of(cls, slope: Tensor, size: Tensor, elements: Elements) -> _System:
        """Build and factorise the equations for the slopes of the species, `(B, S)`."""
        scale = torch.where(size > 0, size, torch.ones_like(size)).rsqrt()
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

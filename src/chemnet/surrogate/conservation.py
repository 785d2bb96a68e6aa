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

Shapes: B cells, S species, E elements.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from chemnet.errors import ModelError

RELATIVE_TOLERANCE = 1e-10
# cells that are corrected together: a CPU keeps what they need in its cache, a GPU wants many
_CELLS_PER_CALL = {"cpu": 1024, "cuda": 65536}
# plain Newton steps in float32, at most: until this share of the cells is within this relative residual
_SINGLE_STEPS, _SETTLED_SHARE, _SETTLED_RESIDUAL = 8, 0.99, 1e-5
# plain steps in float64 with the last Hessian, each of which lowers the residual a thousandfold
_DOUBLE_STEPS = 2
_MAX_MULTIPLIER_STEP = 4.0
_WEIGHTED_ITERATIONS = 30  # of the guarded method; a prediction that is off by decades takes 12
_EQUAL_ITERATIONS = 60
_MAX_EXPONENT_STEP = 8.0  # a species changes by at most e^8 in one Newton step
_SMALLEST_WEIGHT = 1e-12
_MAX_HALVINGS = 20
# of the scaled Hessian's diagonal; elements may hang together in exact proportion
_RIDGE = {torch.float64: 1e-13, torch.float32: 1e-6}


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
    elements = _Elements.of(stoichiometry_SE.to(abundance_BS.device))
    corrected = torch.empty(abundance_BS.shape, dtype=torch.float64, device=abundance_BS.device)
    size, first = _CELLS_PER_CALL.get(abundance_BS.device.type, 65536), 0
    for part, totals in zip(abundance_BS.split(size), totals_BE.double().split(size), strict=True):
        try:
            corrected[first : first + len(part)] = _conserve(part, totals, elements, tolerance)
        except _MissedTotalError as failure:
            raise failure.in_words(first) from None
        first += len(part)
    return corrected


@dataclass(frozen=True)
class _Elements:
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
    def of(cls, stoichiometry_SE: Tensor) -> _Elements:
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
class _Cells:
    """What stays the same of cells while they are corrected."""

    abundance: Tensor
    totals: Tensor
    weight: Tensor

    def only(self, chosen: Tensor) -> _Cells:
        """Return some of the cells."""
        return _Cells(self.abundance[chosen], self.totals[chosen], self.weight[chosen])

    def single(self) -> _Cells:
        """Return the cells in float32."""
        return _Cells(self.abundance.float(), self.totals.float(), self.weight.float())

    def apply(self, multipliers: Tensor, elements: _Elements) -> tuple[Tensor, Tensor]:
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


def _conserve(abundance: Tensor, totals: Tensor, elements: _Elements, tolerance: float) -> Tensor:
    """Correct some cells at once."""
    most = elements.most(totals)
    abundance = torch.minimum(abundance.double(), most)
    weight = (abundance / most.clamp(min=torch.finfo(most.dtype).tiny)).sqrt_().clamp_(_SMALLEST_WEIGHT, 1.0)
    cells = _Cells(abundance, totals, weight)
    result, residual = _plain_newton(cells, elements)
    is_open = cells.are_open(residual, tolerance)
    if bool(is_open.any()):
        result[is_open] = _solve_open(cells.only(is_open), is_open.nonzero()[:, 0], elements, tolerance)
    return result


def _solve_open(cells: _Cells, numbers: Tensor, elements: _Elements, tolerance: float) -> Tensor:
    """Return the corrected abundances of cells that plain steps left open; `numbers` names them in errors."""
    missing = (cells.totals > 0) & ~(elements.held(cells.abundance) > 0)
    if bool(missing.any()):
        cell, element = (int(index) for index in missing.nonzero()[0])
        raise _MissedTotalError(int(numbers[cell]), element, float(cells.totals[cell, element]), 0.0)
    result, done = _guarded_newton(cells, elements, tolerance, _WEIGHTED_ITERATIONS)
    if not bool(done.all()):
        rest = _Cells(cells.abundance[~done], cells.totals[~done], torch.ones_like(cells.weight[~done]))
        result[~done], solved = _guarded_newton(rest, elements, tolerance, _EQUAL_ITERATIONS)
        done[~done] = solved
    if not bool(done.all()):
        residual = (elements.held(result) - cells.totals).abs()
        relative = (residual / cells.totals.clamp(min=torch.finfo(residual.dtype).tiny)).nan_to_num(torch.inf)
        cell, element = divmod(int(relative.argmax()), relative.shape[1])
        total = float(cells.totals[cell, element])
        raise _MissedTotalError(int(numbers[cell]), element, total, float(relative.max()))
    return result


def _plain_newton(cells: _Cells, elements: _Elements) -> tuple[Tensor, Tensor]:
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


def _guarded_newton(
    cells: _Cells, elements: _Elements, tolerance: float, iterations: int
) -> tuple[Tensor, Tensor]:
    """Return corrected abundances after at most so many Newton steps, and which cells have their totals."""
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
    def of(cls, slope: Tensor, totals: Tensor, elements: _Elements) -> _System:
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


def _limited(step: Tensor, weight: Tensor, elements: _Elements) -> Tensor:
    """Shorten each cell's step so that no species changes by more than the largest exponent step."""
    largest = (weight * elements.pull(step)).abs().amax(dim=1, keepdim=True)
    return step * (_MAX_EXPONENT_STEP / largest.clamp(min=_MAX_EXPONENT_STEP))


def _descend(
    cells: _Cells,
    elements: _Elements,
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

    def in_words(self, first: int) -> ModelError:
        """Return the error for users; the cells corrected together begin at number `first`."""
        where = f"cell {first + self.cell}: element {self.element}"
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

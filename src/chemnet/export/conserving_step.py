"""One conserving step of a surrogate as a graph of tensor operations, which PyTorch and ONNX programs hold.

No operation asks what the numbers are, so every cell takes the same path: Newton's method for the
multipliers has a fixed number of steps, and a cell that these leave off its totals is flagged. Flags are
those of ``chemnet_surrogate.h``.

Shapes: B cells, S species, P physical parameters, E elements (and the charge).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from chemnet.chemistry.network.stoichiometry import charges
from chemnet.errors import ModelError
from chemnet.models.emulators.steps.step import LATENT
from chemnet.surrogate.predictor import ComponentPredictor
from chemnet.surrogate.surrogate import Surrogate

INPUTS, OUTPUTS = ("physical", "dt", "abundances"), ("new_abundances", "flags")
BAD_INPUT, OUTSIDE_PHYSICAL, OUTSIDE_TOTALS, OUTSIDE_DT, BELOW_FLOOR, NOT_CONSERVED = (
    2**bit for bit in range(6)
)
# as in the C library
_PHYSICAL_SLACK, _COMPOSITION_SLACK, _FLOOR_SLACK = 1e-4, 0.02, 1e-6
_HYDROGEN, _MOST = (0.8, 1.2), 1e30
_NEWTON_STEPS = 12
_LARGEST_EXPONENT_STEP = 8.0
_SMALLEST_WEIGHT, _RIDGE, _TOLERANCE, _TINY = 1e-12, 1e-13, 1e-9, 1e-300


class ConservingStep(nn.Module):
    """One step of a surrogate: what `Surrogate.step` gives, with flags instead of errors.

    Parameters
    ----------
    surrogate
        One whose emulator has no implicit step.

    Raises
    ------
    ModelError
        When its emulator has one.
    """

    atoms: Tensor
    products: Tensor
    physical_range: Tensor
    totals_range: Tensor
    dt_range: Tensor
    units: Tensor

    def __init__(self, surrogate: Surrogate) -> None:
        super().__init__()
        if not surrogate.components.passes_gradients:
            raise ModelError(
                f"the surrogate {surrogate.name!r} has an implicit step, which neither ONNX nor pt2 holds",
                hint="surrogate.accuracy=fast exports the networks alone; the C library has that step",
            )
        parts, domain, data = surrogate.parts, surrogate.domain, surrogate.data
        # not the fused predictors of the surrogate: those are no PyTorch
        self.members = [ComponentPredictor(replace(parts, emulator=one)) for one in parts.emulators]
        self.networks = nn.ModuleList(part for part in parts.named.values())
        self.scaling, self.has_dt = data.abundance_scaling, domain.dt_max > 0.0
        self.hydrogen = data.elements.index("H") if "H" in data.elements else None
        self.n_elements, self.is_neutral = len(data.elements), surrogate.is_neutral
        held = data.stoichiometry.T
        if surrogate.is_neutral:
            held = np.vstack([held, charges(data.species)])
        self._keep("atoms", held)
        self._keep("products", (held[:, None] * held[None]).reshape(len(held) ** 2, -1).T)
        self._keep("physical_range", np.array([domain.physical_min, domain.physical_max]))
        self._keep("totals_range", np.array([domain.total_min, domain.total_max]))
        self._keep("dt_range", np.array([domain.dt_min, domain.dt_max]))
        self._keep("units", np.eye(len(held)))

    def forward(self, physical: Tensor, dt: Tensor, abundances: Tensor) -> tuple[Tensor, Tensor]:
        """Return abundances `(B, S)` after a step and flags `(B,)` int32.

        Parameters
        ----------
        physical, dt, abundances
            `(B, P)` in their own units, `(B,)` [yr] and `(B, S)`, all float64.
        """
        totals = abundances @ self.atoms[: self.n_elements].T
        is_bad = self._is_bad(physical, dt, abundances, totals)
        flags = self._outside(physical, dt, abundances, totals) * ~is_bad + BAD_INPUT * is_bad
        # what follows must be defined for bad cells, too
        physical = torch.where(is_bad[:, None], self.physical_range[:1], physical)
        start = torch.where(is_bad[:, None], 1e-20, abundances)
        predicted = self._predicted(physical, torch.where(is_bad, 1.0, dt), start)
        corrected, is_met = self._conserved(predicted, torch.where(is_bad[:, None], 1.0, totals))
        flags = flags + NOT_CONSERVED * (~is_met & ~is_bad)
        return torch.where((is_met & ~is_bad)[:, None], corrected, torch.nan), flags.int()

    def _predicted(self, physical: Tensor, dt: Tensor, abundances: Tensor) -> Tensor:
        """Return what the networks make of good cells, the geometric mean of all members, `(B, S)`."""
        scaled = []
        for member in self.members:
            state = member.step(member.start(abundances), physical, dt)
            scaled.append(member.decode_scaled(state[LATENT]))
        # float32, as Surrogate.step has it
        unscaled: Tensor = self.scaling.unscale(torch.stack(scaled).mean(dim=0))
        return unscaled.double()

    def _is_bad(self, physical: Tensor, dt: Tensor, abundances: Tensor, totals: Tensor) -> Tensor:
        # NaN compares as false
        good = ((physical > 0.0) & (physical < _MOST)).all(dim=1) & (dt > 0.0) & (dt < _MOST)
        good = good & ((abundances >= 0.0) & (abundances < _MOST)).all(dim=1)
        if self.hydrogen is not None:
            hydrogen = totals[:, self.hydrogen]
            good = good & (hydrogen >= _HYDROGEN[0]) & (hydrogen <= _HYDROGEN[1])
        return ~good

    def _outside(self, physical: Tensor, dt: Tensor, abundances: Tensor, totals: Tensor) -> Tensor:
        """Return flags `(B,)` of what was not trained."""
        floor = self.scaling.floor * (1.0 - _FLOOR_SLACK)
        flags = OUTSIDE_PHYSICAL * _leaves(physical, self.physical_range, _PHYSICAL_SLACK).any(dim=1)
        flags = flags + OUTSIDE_TOTALS * _leaves(totals, self.totals_range, _COMPOSITION_SLACK).any(dim=1)
        flags = flags + BELOW_FLOOR * (abundances < floor).any(dim=1)
        if self.has_dt:
            flags = flags + OUTSIDE_DT * _leaves(dt, self.dt_range, _COMPOSITION_SLACK)
        return flags

    def _conserved(self, abundance: Tensor, totals: Tensor) -> tuple[Tensor, Tensor]:
        """Return abundances `(B, S)` with these totals `(B, E)`, and which cells have them `(B,)`.

        As `chemnet.surrogate.wrappers.conservation`, but that no step is halved, and weights are never equal.
        """
        abundance, weight, totals, size = self._weighted(abundance, totals)
        multipliers, corrected = torch.zeros_like(totals), abundance
        for _ in range(_NEWTON_STEPS):
            held = corrected @ self.atoms.T
            # Newton's equations of the logarithms, which exponentials far from their goal need
            far = held * (held.clamp(min=_TINY) / totals.clamp(min=_TINY)).log()
            residual = torch.where(totals > 0, far, held)
            step = self._newton_step(corrected * weight, residual, size)
            largest = (weight * (step @ self.atoms)).abs().amax(dim=1, keepdim=True)
            step = step * (_LARGEST_EXPONENT_STEP / largest.clamp(min=_LARGEST_EXPONENT_STEP))
            multipliers = multipliers + step
            corrected = abundance * (weight * (multipliers @ self.atoms)).exp()
        residual = corrected @ self.atoms.T - totals
        return corrected, (residual.abs() <= _TOLERANCE * size).all(dim=1)

    def _weighted(self, abundance: Tensor, totals: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return abundances within what the totals allow, their weights, all totals, and their sizes."""
        elements = self.atoms[: self.n_elements]
        allowed = totals[:, :, None] / elements.clamp(min=1.0)
        most = torch.where(elements > 0, allowed, torch.inf).amin(dim=1)
        abundance, size = torch.minimum(abundance, most), totals
        if self.is_neutral:
            charge = self.atoms[-1]
            signs = abundance @ charge.clamp(min=0.0), abundance @ -charge.clamp(max=0.0)
            ions = torch.maximum(*signs)[:, None]
            most = torch.where(most > 1e300, ions, most)
            totals, size = torch.cat([totals, 0.0 * ions], dim=1), torch.cat([totals, ions], dim=1)
        share = abundance / most.clamp(min=_TINY)
        return abundance, share.clamp(_SMALLEST_WEIGHT**2, 1.0).sqrt(), totals, size

    def _newton_step(self, slope: Tensor, residual: Tensor, size: Tensor) -> Tensor:
        """Return the step `(B, E)` that Newton's equations ask for."""
        scale = torch.where(size > 0, size, 1.0).sqrt()
        n = len(self.units)
        matrix = (slope @ self.products).reshape(-1, n, n) / (scale[:, :, None] * scale[:, None, :])
        diagonal = (matrix * self.units).sum(dim=2)
        # an absent element has an empty row: a one on its diagonal leaves its multiplier at zero
        matrix = matrix + torch.where(diagonal > 0, _RIDGE * diagonal, 1.0)[:, :, None] * self.units
        return _solution(matrix, -residual / scale, self.units) / scale

    def _keep(self, name: str, values: Any) -> None:
        self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(values, np.float64)))


def _leaves(values: Tensor, limits: Tensor, slack: float) -> Tensor:
    return (values < limits[0] * (1.0 - slack)) | (values > limits[1] * (1.0 + slack))


def _solution(matrix: Tensor, right: Tensor, units: Tensor) -> Tensor:
    """Solve positive definite equations `(B, E, E)` by elimination: ONNX has no Cholesky factorisation."""
    system = torch.cat([matrix, right[:, :, None]], dim=2)
    for pivot in range(matrix.shape[1]):
        own = system.narrow(1, pivot, 1)
        row = own / own.narrow(2, pivot, 1)
        system = system - (system.narrow(2, pivot, 1) - units.narrow(1, pivot, 1)) * row
    return system[:, :, -1]

"""Reference cells of a bundle: states that a surrogate knows, and the answers that it gives to them.

Shapes: B cells, S species, P physical parameters, T steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from chemnet.surrogate.surrogate import Surrogate
from chemnet.surrogate.wrappers.conservation import conserve_elements

Array = NDArray[np.float64]
N_CELLS, N_STEPS = 32, 10


@dataclass(frozen=True)
class ReferenceCells:
    """Some cells and what becomes of them.

    Attributes
    ----------
    start, physical, dt
        `(B, S)`, `(B, P)` (constant in time) and `(B, T)` [yr].
    step, rollout
        Abundances `(B, S)` after the first and after the last step.
    expected_error
        Of the first step [dex], `(B,)`; NaN where the surrogate was never calibrated.
    """

    start: Array
    physical: Array
    dt: Array
    step: Array
    rollout: Array
    expected_error: Array

    def arrays(self) -> dict[str, Array]:
        """Return the arrays by name, with two axes each."""
        return {name: np.atleast_2d(values.T).T for name, values in vars(self).items()}


def reference_cells(surrogate: Surrogate, n_cells: int = N_CELLS, n_steps: int = N_STEPS) -> ReferenceCells:
    """Return states of the training split that the surrogate remembers, and its answers to them."""
    start, physical = _states(surrogate, n_cells)
    dt = np.full((len(start), n_steps), surrogate.domain.dt_usual or 1.0)
    history = np.repeat(physical[:, None], n_steps + 1, axis=1)
    rollout = np.asarray(surrogate.emulate(history, start, dt, rows=[1, n_steps]), np.float64)
    expected = np.full(len(start), np.nan)
    if surrogate.is_calibrated:
        expected = surrogate.trust(history[:, :2], start, dt[:, :1]).expected_error[:, 1].astype(np.float64)
    return ReferenceCells(start, physical, dt, rollout[:, 0], rollout[:, 1], expected)


def _states(surrogate: Surrogate, n_cells: int) -> tuple[Array, Array]:
    """Return abundances `(B, S)` with the usual element totals, and parameters `(B, P)`."""
    low, high = np.array(surrogate.domain.physical_min), np.array(surrogate.domain.physical_max)
    if not surrogate.is_calibrated:
        middle = np.sqrt(low * high)
        latents = np.full((1, surrogate.latent_dim), 0.5)
        return _with_usual_totals(surrogate, np.asarray(surrogate.decode(latents))), middle[None]
    known = surrogate.judgement.reference
    chosen = np.linspace(0, len(known.places) - 1, n_cells).astype(int)
    coordinates = (known.places[chosen] * known.spread + known.centre).double().numpy()
    n_physical = len(surrogate.physical_names)
    scaled = np.clip(coordinates[:, -n_physical:], 0.0, 1.0)
    physical = np.clip(surrogate.data.physical_scaling.unscale(scaled), low, high)
    return _with_usual_totals(surrogate, np.asarray(surrogate.decode(coordinates[:, :-n_physical]))), physical


def _with_usual_totals(surrogate: Surrogate, abundances: Array) -> Array:
    domain = surrogate.domain
    totals = 0.5 * (np.array(domain.total_min) + np.array(domain.total_max))
    wanted = torch.from_numpy(np.repeat(totals[None], len(abundances), axis=0))
    atoms = torch.from_numpy(surrogate.data.stoichiometry)
    return conserve_elements(torch.from_numpy(abundances.astype(np.float64)), wanted, atoms).numpy()

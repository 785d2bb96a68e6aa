"""Other stiff solvers on chemnet's own equations: the same rates, right-hand side and analytic Jacobian."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from chemnet.chemistry.equations import compile_equations, derivatives, jacobian
from chemnet.chemistry.network.network import Network
from chemnet.chemistry.rates import compile_reactions
from chemnet.chemistry.rates.constants import CR_YIELD
from chemnet.chemistry.solver.problem import Forcing, set_coefficients
from chemnet.chemistry.units import SECONDS_PER_YEAR

Array = NDArray[np.float64]
CONDITIONS = ("Density", "Radfield", "Av", "gasTemp", "gasTemp")
FLOOR = 1e-30
"""Least abundance that a row begins with."""
RETRY_FACTORS = (1.0, 0.1, 0.01)
"""Of the relative tolerance: CVODE fails now and then where the surface of the ice turns."""


class Peer(Protocol):
    """Another solver, called for each row of a tracer."""

    def advance(self, y: Array, seconds: float) -> Array:
        """Return the state `seconds` later."""


class System:
    """Right-hand side and Jacobian of a network under the conditions of one row of a tracer.

    Parameters
    ----------
    network
        The network.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        reactions = compile_reactions(network)
        self.rates = reactions.rates
        self.equations, rows, columns = compile_equations(network, reactions)
        self.k = np.empty(len(reactions.sources))
        size = self.equations.n + self.equations.n_border
        self._places = rows * size + columns
        self._full = np.zeros((size, size))
        self._values, self._rate = np.empty(self.equations.n_entries), np.empty(self.equations.n + 4)

    def set_conditions(self, conditions: Array, c_abundance: float) -> None:
        """Take on the conditions of a row."""
        none = np.zeros(0)
        forcing = Forcing(conditions, conditions, none, none, 1.0, False, c_abundance, CR_YIELD)
        set_coefficients(self.rates, forcing, 0.0, self.k)

    def right(self, y: Array) -> Array:
        """Return dy/dt [s^-1]; the next call overwrites it."""
        derivatives(self.equations, self.k, y, self._rate)
        return self._rate[: self.equations.n]

    def jacobian(self, y: Array) -> Array:
        """Return the dense Jacobian with its border eliminated [s^-1]."""
        n, size = self.equations.n, len(self._full)
        jacobian(self.equations, self.k, y, self._values)
        self._full.ravel()[self._places] = self._values
        if size == n:
            return self._full
        full = self._full
        return full[:n, :n] + full[:n, n:] @ np.linalg.solve(np.eye(size - n) - full[n:, n:], full[n:, :n])

    def follow(self, peer: Peer, way: Mapping[str, Array], initial: Array) -> Array:
        """Return the abundances (steps, n) along a tracer by `peer`, afresh from row to row."""
        columns = [way[name] for name in CONDITIONS]
        states = [initial]
        for row, years in enumerate(np.diff(way["time"])):
            y = np.maximum(states[-1], FLOOR)
            conditions = np.array([*(column[row] for column in columns), 1.0])
            self.set_conditions(conditions, float(y[self.network.index("C")]))
            states.append(peer.advance(y, years * SECONDS_PER_YEAR))
        return np.array(states)


class Cvode:
    """SUNDIALS' CVODE with the analytic Jacobian.

    Parameters
    ----------
    system
        The equations.
    rtol, atol
        Tolerances.
    linsolver
        ``"dense"``, ``"lapackdense"`` or ``"sparse"``.
    """

    def __init__(self, system: System, rtol: float, atol: float, linsolver: str = "dense") -> None:
        from sksundae.cvode import CVODE

        options: dict[str, Any] = {"jacfn": partial(_fill_dense, system)}
        if linsolver == "sparse":
            pattern = self._pattern(system)
            places = np.nonzero(pattern.T)[::-1]
            options = {"jacfn": partial(_fill_sparse, system, places), "sparsity": pattern}
            # it warns that the pattern serves the linear solver alone, as is meant here
            warnings.filterwarnings("ignore", message="Custom sparse Jacobian", category=UserWarning)
        self.solvers = [
            CVODE(
                lambda t, y, rate: np.copyto(rate, system.right(y)),
                rtol=rtol * factor,
                atol=atol,
                linsolver=linsolver,
                max_num_steps=1_000_000,
                **options,
            )
            for factor in RETRY_FACTORS
        ]

    @staticmethod
    def _pattern(system: System) -> Array:
        """Return where the Jacobian can differ from zero, found at an arbitrary state."""
        n = system.equations.n
        system.k[:] = 1.0
        return np.asarray(system.jacobian(np.linspace(1e-6, 2e-6, n)) != 0.0, np.float64)

    def advance(self, y: Array, seconds: float) -> Array:
        """Return the state `seconds` later."""
        for solver in self.solvers:
            solution = solver.solve(np.array([0.0, seconds]), y)
            if solution.success:
                return np.asarray(solution.y[-1])
        raise RuntimeError(f"CVODE gave up: {solution.message}")


def _fill_dense(system: System, t: float, y: Array, rate: Array, matrix: Array) -> None:
    """Hand CVODE the dense Jacobian."""
    matrix[:] = system.jacobian(y)


def _fill_sparse(
    system: System, places: tuple[NDArray[np.intp], ...], t: float, y: Array, rate: Array, values: Array
) -> None:
    """Hand CVODE the Jacobian's entries by column."""
    values[:] = system.jacobian(y)[places]


class ScipyBdf:
    """SciPy's BDF with the analytic Jacobian.

    Parameters
    ----------
    system
        The equations.
    rtol, atol
        Tolerances.
    """

    def __init__(self, system: System, rtol: float, atol: float) -> None:
        self.system, self.rtol, self.atol = system, rtol, atol

    def advance(self, y: Array, seconds: float) -> Array:
        """Return the state `seconds` later."""
        from scipy.integrate import solve_ivp

        solution = solve_ivp(
            lambda t, y: self.system.right(y).copy(),
            (0.0, seconds),
            y,
            method="BDF",
            jac=lambda t, y: self.system.jacobian(y),
            rtol=self.rtol,
            atol=self.atol,
        )
        return np.asarray(solution.y[:, -1])

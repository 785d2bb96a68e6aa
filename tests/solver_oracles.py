"""Small networks with known solutions, and other people's solvers on the same equations."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from chemnet.chemistry.equations import derivatives, jacobian
from chemnet.chemistry.network.network import Network
from chemnet.chemistry.network.species_and_reactions import NetworkSpecies, Reaction
from chemnet.chemistry.rates.constants import CR_YIELD
from chemnet.chemistry.solver.problem import Forcing, compile_network, set_coefficients

Array = NDArray[np.float64]
CONDITIONS = {"Density": 1e5, "Radfield": 1.0, "Av": 3.0, "gasTemp": 15.0}
ATOMIC_START = {
    "H": 0.5, "H2": 0.25, "HE": 0.1, "C+": 1.77e-4, "O": 3.34e-4, "N": 6.18e-5, "S+": 3.51e-6, "MG": 2.256e-6,
    "E-": 1.77e-4 + 3.51e-6,
}  # fmt: skip


def tracer(times: list[float], **columns: float | list[float]) -> dict[str, Array]:
    """Return a tracer with constant conditions, or those given, at `times` [yr]."""
    values = {**CONDITIONS, **columns}
    constant = {name: np.broadcast_to(np.asarray(value, float), len(times)) for name, value in values.items()}
    return {"time": np.asarray(times, float), **constant}


def isomer_network(*rows: tuple[tuple[str, ...], tuple[str, ...], float]) -> Network:
    """Return a network of three isomers (reactants, products, rate [s^-1]) that turn into one another."""
    species = [NetworkSpecies(name, 27.0) for name in ("HCN", "HNC", "CNH")]
    reactions = [
        Reaction(reactants, products, "EXPRESSION", 0.0, expression=lambda *_, value=rate: value)
        for reactants, products, rate in rows
    ]
    return Network.from_parts(species, reactions, name="isomers")


class RateSystem:
    """The rate equations of a network under constant conditions, as functions of time and abundances."""

    def __init__(
        self, network: Network, uclchem_compatible: bool = False, c_abundance: float = 1e-8, **columns: float
    ) -> None:
        values = {**CONDITIONS, **columns}
        order = ("Density", "Radfield", "Av", "gasTemp")
        conditions = np.array([*(values[name] for name in order), values["gasTemp"], 1.0])
        self.compiled = compile_network(network, uclchem_compatible)
        problem = self.compiled.problem
        self.equations, self.plan = problem.equations, problem.plan
        self.k = np.empty(problem.rates.integers.shape[1])
        none = np.zeros(0)
        forcing = Forcing(conditions, conditions, none, none, 1.0, False, c_abundance, CR_YIELD)
        set_coefficients(problem.rates, forcing, 0.0, self.k)

    def rhs(self, y: Array) -> Array:
        """Return dy/dt [s^-1]."""
        rate = np.empty(self.equations.n + 4)
        derivatives(self.equations, self.k, y, rate)
        return rate[: self.equations.n]

    def jacobian_values(self, y: Array) -> Array:
        """Return the values of the bordered Jacobian."""
        values = np.empty(self.equations.n_entries)
        jacobian(self.equations, self.k, y, values)
        return values

    def dense_jacobian(self, y: Array) -> Array:
        """Return d(dy/dt)/dy with the border eliminated, shape (n, n)."""
        n, size = self.equations.n, self.equations.n + self.equations.n_border
        full = np.zeros((size, size))
        plan, values = self.plan, self.jacobian_values(y)
        for i in range(size):
            span = slice(plan.entry_start[i], plan.entry_start[i + 1])
            full[plan.order[i], plan.order[plan.entry_column[span]]] = values[plan.entry[span]]
        border = np.linalg.solve(np.eye(size - n) - full[n:, n:], full[n:, :n])
        return full[:n, :n] + full[:n, n:] @ border

    def cvode(self, y0: Array, duration: float, rtol: float, atol: float) -> Array:
        """Return the state after `duration` seconds by SUNDIALS' CVODE."""
        from sksundae.cvode import CVODE

        def rhs(t: float, y: Array, rate: Array) -> None:
            rate[:] = self.rhs(y)

        def jac(t: float, y: Array, rate: Array, matrix: Array) -> None:
            matrix[:] = self.dense_jacobian(y)

        options = {"rtol": rtol, "atol": atol, "jacfn": jac, "max_num_steps": 100_000}
        solution = CVODE(rhs, **options).solve(np.array([0.0, duration]), y0)
        assert solution.success, solution.message
        return np.asarray(solution.y[-1])

    def scipy_bdf(self, y0: Array, duration: float, rtol: float, atol: float) -> Array:
        """Return the state after `duration` seconds by SciPy's BDF."""
        from scipy.integrate import solve_ivp

        def rhs(t: float, y: Array) -> Array:
            return self.rhs(y)

        def jac(t: float, y: Array) -> Array:
            return self.dense_jacobian(y)

        solution = solve_ivp(rhs, (0.0, duration), y0, method="BDF", jac=jac, rtol=rtol, atol=atol)
        assert solution.success, solution.message
        return np.asarray(solution.y[:, -1])


def decay_chain(y0: float, first: float, second: float, t: float) -> tuple[float, float, float]:
    """Return the exact abundances along A -> B -> C."""
    a = y0 * math.exp(-first * t)
    b = y0 * first / (second - first) * (math.exp(-first * t) - math.exp(-second * t))
    return a, b, y0 - a - b


def dex(one: Array, other: Array, floor: float = 1e-12) -> Array:
    """Return |log10| of the ratio where either is above `floor`."""
    seen = np.maximum(one, other) > floor
    return np.abs(np.log10(np.maximum(one[seen], 1e-30) / np.maximum(other[seen], 1e-30)))

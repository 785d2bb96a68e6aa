"""Networks, a short tracer and a compiled right-hand side for the tests of the solver's properties."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from chemnet.chemistry.equations import Equations, compile_equations, derivatives, jacobian
from chemnet.chemistry.network.initial_abundances import initial_abundances
from chemnet.chemistry.network.network import Network
from chemnet.chemistry.network.species_and_reactions import NetworkSpecies, Reaction
from chemnet.chemistry.rates import compile_reactions, rate_coefficients
from chemnet.chemistry.rates.constants import CR_YIELD

Array = NDArray[np.float64]
Tracer = dict[str, Array]


@dataclass(frozen=True)
class RightHandSide:
    """The rate equations of one network as functions of the abundances alone."""

    equations: Equations
    rows: NDArray[np.int32]
    columns: NDArray[np.int32]
    k: Array

    @classmethod
    def of(cls, network: Network, conditions: Array, c_abundance: float = 0.0) -> RightHandSide:
        """Compile `network`; conditions: Density, Radfield, Av, gas and dust temperature, zeta."""
        reactions = compile_reactions(network)
        equations, rows, columns = compile_equations(network, reactions)
        k = np.empty(len(reactions.changes))
        rate_coefficients(reactions.rates, conditions, c_abundance, CR_YIELD, np.empty(0), k)
        return cls(equations, rows, columns, k)

    def rates(self, y: Array) -> Array:
        """Return dy/dt, shape (n,)."""
        rate = np.empty(self.equations.n + 4)
        derivatives(self.equations, self.k, y, rate)
        return rate[: self.equations.n].copy()

    def surface_gain(self, y: Array) -> float:
        """Return what the surface gains before layers shift; for networks with bulk ice."""
        rate = np.empty(self.equations.n + 4)
        derivatives(self.equations, self.k, y, rate)
        return float(rate[self.equations.n + 3])

    def jacobian(self, y: Array) -> Array:
        """Return the Jacobian by abundances alone, shape (n, n), with the border eliminated."""
        n, size = self.equations.n, self.equations.n + self.equations.n_border
        values = np.empty(self.equations.n_entries)
        jacobian(self.equations, self.k, y, values)
        full = np.zeros((size, size))
        np.add.at(full, (self.rows, self.columns), values)
        border = np.linalg.solve(np.eye(size - n) - full[n:, n:], full[n:, :n])
        return full[:n, :n] + full[:n, n:] @ border


@pytest.fixture(scope="session")
def right_hand_side() -> Callable[..., RightHandSide]:
    """Return the compiler of a right-hand side."""
    return RightHandSide.of


@pytest.fixture(scope="session")
def collapse() -> Network:
    """The shipped two-phase network."""
    return Network.read("collapse")


@pytest.fixture(scope="session")
def collapse_bulk() -> Network:
    """The shipped three-phase network."""
    return Network.read("collapse_bulk")


@pytest.fixture(scope="session")
def gas_network(collapse: Network) -> Network:
    """The gas of the shipped network, with no ice."""
    gas = [one for one in collapse.species if one.phase == "gas"]
    names = {one.name for one in gas}
    inside = [one for one in collapse.reactions if names.issuperset((*one.reactants, *one.products))]
    return Network.from_parts(gas, inside, "gas")


@pytest.fixture(scope="session")
def initial(collapse: Network) -> dict[str, float]:
    """The standard abundances, neutral, by species: every network here has them all."""
    values = initial_abundances(collapse)
    return {name: float(value) for name, value in zip(collapse.species_names, values, strict=True) if value}


@pytest.fixture(scope="session")
def tracer() -> Tracer:
    """A core that contracts, with a jump in temperature on the way."""
    return {
        "time": np.linspace(0.0, 2e4, 7),
        "Density": np.geomspace(1e4, 1e6, 7),
        "Radfield": np.full(7, 1.5),
        "Av": np.linspace(2.0, 8.0, 7),
        "gasTemp": np.array([15.0, 14.0, 13.0, 40.0, 40.0, 20.0, 15.0]),
    }


@pytest.fixture(scope="session")
def make_network() -> Callable[[list[str], list[Reaction]], Network]:
    """Return a maker of gas networks from names and reactions; masses do not matter to them."""

    def make(names: list[str], reactions: list[Reaction]) -> Network:
        return Network.from_parts([NetworkSpecies(name, mass=1.0) for name in names], reactions, "made")

    return make

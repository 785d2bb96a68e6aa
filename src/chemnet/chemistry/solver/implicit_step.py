"""One implicit Euler step of a network's rate equations, for many cells at once.

x - y - dt f(x) = 0 is solved by a few Newton iterations from the state y at the start of the step. Balances
of fast species are intact there, so that it is a better first iterate than a good guess would be.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chemnet.chemistry.network.network import Network
from chemnet.chemistry.rates.expression_values import expression_values
from chemnet.chemistry.rates.table import DUST_TEMPERATURE, GAS_TEMPERATURE
from chemnet.chemistry.rates.temperature_coverage import temperature_coverage
from chemnet.chemistry.solver import implicit_cells
from chemnet.chemistry.solver.elimination import Factors, allocate_factors
from chemnet.chemistry.solver.flat_records import pack, unpack
from chemnet.chemistry.solver.implicit_cells import (
    Cells,
    Outcome,
    allocate_lanes,
    iterate_cells,
    pull_back_cells,
)
from chemnet.chemistry.solver.implicit_substeps import sub_step_cells
from chemnet.chemistry.solver.problem import CompiledNetwork, Problem, compile_network
from chemnet.chemistry.solver.step_conditions import N_CONDITIONS, StepConditions
from chemnet.chemistry.units import SECONDS_PER_YEAR
from chemnet.compiling import announce_compilation
from chemnet.errors import DataError, ModelError
from chemnet.workers import worker_count

Array = NDArray[np.float64]
Expressions = Callable[[Array], Array]


class StepCode(enum.IntEnum):
    """Outcome of one cell's step."""

    CONVERGED = implicit_cells.CONVERGED
    NOT_CONVERGED = implicit_cells.NOT_CONVERGED
    """The last update is larger than the tolerance."""
    SINGULAR = implicit_cells.SINGULAR
    """The linear equations have no finite solution; the abundances are NaN."""
    BAD_INPUT = implicit_cells.BAD_INPUT
    """Abundances, conditions or the length of the step have no meaning; the abundances are NaN."""


@dataclass(frozen=True)
class Iterated:
    """What the iterations gave for a batch of cells.

    Parameters
    ----------
    abundances
        Shape (cells, n_species); NaN for cells that are singular or bad.
    update
        Shape (cells,): mean over species of how much log10 max(x, 1e-20) changed in the last iteration,
        up or down [dex]; infinite where there was none.
    iterations
        Shape (cells,): how many were done.
    code
        Shape (cells,), int8: a `StepCode` each.
    cells
        What the step started from, for `ImplicitStep.pull_back`.
    """

    abundances: Array
    update: Array
    iterations: NDArray[np.int64]
    code: NDArray[np.int8]
    cells: Cells

    @property
    def converged(self) -> NDArray[np.bool_]:
        """Which cells have converged, shape (cells,)."""
        return self.code == StepCode.CONVERGED


class ImplicitStep:
    """One implicit Euler step of a network's rate equations for many cells, by a few Newton iterations.

    Make one with `of_network` or, without the network at hand, `from_arrays`. It never changes, and threads
    may share it.
    """

    def __init__(
        self,
        species_names: tuple[str, ...],
        network: CompiledNetwork,
        temperatures: tuple[float, float],
        dust_to_gas: float,
        expressions: Expressions | None = None,
    ) -> None:
        self.species_names = species_names
        self._network = network
        self._temperatures = temperatures
        self._dust_to_gas = dust_to_gas
        self._expressions = expressions

    @classmethod
    def of_network(cls, network: Network, *, uclchem_compatible: bool = False) -> ImplicitStep:
        """Compile the step of a network.

        Parameters
        ----------
        network
            Gas alone, or with one or two phases of ice.
        uclchem_compatible
            Whether UCLCHEM's quirks are reproduced: as `Network.solve` did for the truth.

        Raises
        ------
        DataError
            If a rate depends on abundances (KROME's expressions of densities), which has no Jacobian here.
        """
        coverage = temperature_coverage(network)
        expressions: Expressions | None = None
        if any(one.expression is not None for one in network.reactions):
            expressions = partial(expression_values, network)
            expressions(np.ones((0, N_CONDITIONS)))
        return cls(
            network.species_names,
            compile_network(network, uclchem_compatible),
            (float(coverage.lowest), float(coverage.highest)),
            network.rate_options.grain.dust_to_gas,
            expressions,
        )

    @property
    def uclchem_compatible(self) -> bool:
        """Whether UCLCHEM's quirks are reproduced."""
        return bool(self._network.switches.compatible)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return all that the step needs as plain arrays.

        Raises
        ------
        ModelError
            If the network holds rates that are expressions, which no array can carry.
        """
        if self._expressions is not None:
            raise ModelError(
                "a network with rate expressions (KROME) cannot be written as arrays",
                hint="keep the network file beside the surrogate and use ImplicitStep.of_network",
            )
        names = "\n".join(self.species_names).encode()
        return {
            "species": np.frombuffer(names, np.uint8).copy(),
            "temperatures": np.array(self._temperatures),
            "dust_to_gas": np.array(self._dust_to_gas),
            **pack(self._network),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> ImplicitStep:
        """Make the step that `to_arrays` wrote; results are identical.

        Raises
        ------
        ModelError
            If an array is missing.
        """
        network = unpack(CompiledNetwork, arrays)
        missing = {"species", "temperatures", "dust_to_gas"} - arrays.keys()
        if missing:
            raise ModelError(f"array {min(missing)!r} is missing", hint="the arrays must come from to_arrays")
        names = tuple(bytes(np.asarray(arrays["species"], np.uint8)).decode().split("\n"))
        low, high = np.asarray(arrays["temperatures"], np.float64)
        return cls(names, network, (float(low), float(high)), float(arrays["dust_to_gas"]))

    def iterate(
        self,
        abundances: ArrayLike,
        conditions: StepConditions,
        *,
        iterations: int | None = None,
        update_tolerance: float = 0.05,
        most_iterations: int = 8,
        least_iterations: int = 1,
        threads: int | None = None,
    ) -> Iterated:
        """Iterate the step's equation; a cell that cannot be iterated gets a code, never an exception.

        Parameters
        ----------
        abundances
            Shape (cells, n_species): state at the start relative to H nuclei, positive. Species that a table
            has cut off at 1e-20 are put into balance first.
        conditions
            What each cell lives through meanwhile.
        iterations
            A fixed number of iterations; None: until the update is small.
        update_tolerance
            Mean update [dex] at which a cell has converged.
        most_iterations, least_iterations
            Limits of their number, where it is not fixed.
        threads
            How many threads share the cells; None: as many as cores.

        Raises
        ------
        ModelError
            If an array has the wrong shape.
        """
        cells = self._cells(abundances, conditions)
        least, most = (least_iterations, most_iterations) if iterations is None else (iterations, iterations)
        announce_compilation(iterate_cells, "the implicit step (once per machine, about half a minute)")
        rest = (least, most, float(update_tolerance))
        return self._outcome(iterate_cells, allocate_lanes, threads, cells, rest)

    def sub_step(
        self,
        abundances: ArrayLike,
        conditions: StepConditions,
        *,
        count: int = 16,
        span: float = 5e5,
        update_tolerance: float = 0.01,
        threads: int | None = None,
    ) -> Iterated:
        """Integrate each step by growing sub-steps of second order, cheaper than by the solver.

        A cell has converged if every stage has, and if no sub-step changes it by more than 0.4 dex in the
        mean; starts from bare grains with UCLCHEM's quirks never do. What has not converged is for
        `Network.solve`.

        Parameters
        ----------
        abundances, conditions, threads
            As for `iterate`; what a table has cut off may be at its true abundance.
        count, span
            How many sub-steps, each `span ** (1 / count)` times as long as the one before.
        update_tolerance
            Mean update [dex] at which a stage of a sub-step has converged.

        Returns
        -------
        Iterated
            The largest last update of all stages, and how many iterations they took together. Not for
            `pull_back`, which takes one step.

        Raises
        ------
        ModelError
            If an array has the wrong shape.
        """
        cells = self._cells(abundances, conditions)
        announce_compilation(sub_step_cells, "sub-steps (once per machine, about half a minute)")
        rest = (count, span ** (1.0 / count), float(update_tolerance))
        return self._outcome(sub_step_cells, _allocate_factors, threads, cells, rest)

    def pull_back(
        self, iterated: Iterated, gradient: ArrayLike, *, largest: float = 10.0, threads: int | None = None
    ) -> Array:
        """Return the gradient of a scalar by log10 of the abundances at the start of the step.

        That of the solution of the step's equation, by the implicit function theorem: one transposed solve
        with the matrix at the iterate, exact as far as the iterate solves the equation. Cells that have not
        converged pass nothing back, for their iterate is no solution.

        Parameters
        ----------
        iterated
            From `iterate`.
        gradient
            Shape (cells, n_species): gradient by log10 of the iterate.
        largest
            A cell's gradient becomes no longer than so many times the one that came in; it is shortened.
        threads
            How many threads share the cells; None: as many as cores.
        """
        back = np.array(gradient, dtype=np.float64)
        if back.shape != iterated.abundances.shape:
            raise ModelError(
                f"gradient has shape {back.shape}, the iterate {iterated.abundances.shape}",
                hint="give one number per cell and species",
            )
        limit = largest * np.linalg.norm(back, axis=1)
        outcome = Outcome(iterated.abundances, iterated.update, iterated.iterations, iterated.code)
        self._share(pull_back_cells, _allocate_factors, threads, iterated.cells, (outcome, back))
        length = np.maximum(np.linalg.norm(back, axis=1), np.maximum(limit, 1e-300))
        return back * (limit / length)[:, None]

    def _outcome(
        self,
        kernel: Callable[..., None],
        allocate: Callable[[Problem], Any],
        threads: int | None,
        cells: Cells,
        rest: tuple[Any, ...],
    ) -> Iterated:
        """Return what a kernel makes of all cells; NaN where that has no meaning."""
        count = len(cells.duration)
        outcome = Outcome(
            np.full(cells.start.shape, np.nan),
            np.full(count, np.inf),
            np.zeros(count, np.int64),
            np.where(self._bad(cells), StepCode.BAD_INPUT, StepCode.NOT_CONVERGED).astype(np.int8),
        )
        self._share(kernel, allocate, threads, cells, (*rest, outcome))
        lost = outcome.code >= StepCode.SINGULAR
        outcome.abundances[lost], outcome.update[lost] = np.nan, np.nan
        return Iterated(*outcome, cells)

    def _share(
        self,
        kernel: Callable[..., None],
        allocate: Callable[[Problem], Any],
        threads: int | None,
        cells: Cells,
        rest: tuple[Any, ...],
    ) -> None:
        """Run a kernel on all cells, shared among threads that allocate their own storage."""
        count = len(cells.duration)
        threads = max(1, min(worker_count(0) if threads is None else threads, count))
        bounds = np.linspace(0, count, threads + 1).astype(int)

        def part(first: int, last: int) -> None:
            problem, switches = self._network.problem, self._network.switches
            kernel(problem, switches, allocate(problem), cells, first, last, *rest)

        if threads == 1:
            part(0, count)
            return
        with ThreadPoolExecutor(threads, thread_name_prefix="cells") as pool:
            for future in [pool.submit(part, *ends) for ends in pairwise(bounds)]:
                future.result()

    def _cells(self, abundances: ArrayLike, conditions: StepConditions) -> Cells:
        """Return the arrays that the kernels read; refuse shapes that do not fit."""
        start = np.ascontiguousarray(abundances, dtype=np.float64)
        if start.ndim != 2 or start.shape[1] != len(self.species_names):
            raise ModelError(
                f"abundances have shape {start.shape}; the step has {len(self.species_names)} species",
                hint="give shape (cells, n_species), in the order of species_names",
            )
        now, before, next_av = conditions.rows(len(start), self._dust_to_gas)
        duration = np.broadcast_to(np.asarray(conditions.dt, np.float64), len(start)) * SECONDS_PER_YEAR
        return Cells(start, now, before, next_av, self._expression_values(now), duration)

    def _expression_values(self, conditions: Array) -> Array:
        """Return the rates that are expressions, shape (cells, n_expressions); NaN where one is no rate."""
        if self._expressions is None:
            return np.zeros((len(conditions), 0))
        with np.errstate(all="ignore"):
            try:
                return self._expressions(conditions)
            except DataError:
                return np.concatenate([self._cell_expressions(one[None]) for one in conditions])

    def _cell_expressions(self, conditions: Array) -> Array:
        """Return the rates that are expressions in one cell, or NaN."""
        assert self._expressions is not None
        try:
            return self._expressions(conditions)
        except DataError:
            return np.full((1, self._expressions(np.ones((0, N_CONDITIONS))).shape[1]), np.nan)

    def _bad(self, cells: Cells) -> NDArray[np.bool_]:
        """Return which cells hold values without a meaning, or temperatures that are not covered."""
        usable = np.all(np.isfinite(cells.start) & (cells.start > 0.0), axis=1)
        given = cells.conditions[:, :N_CONDITIONS]
        usable &= np.all(np.isfinite(given) & (given >= 0.0), axis=1)
        usable &= np.all(np.isfinite(cells.expressions) & (cells.expressions >= 0.0), axis=1)
        usable &= np.all(cells.conditions[:, [0, GAS_TEMPERATURE, DUST_TEMPERATURE]] > 0.0, axis=1)
        usable &= np.isfinite(cells.duration) & (cells.duration > 0.0) & np.isfinite(cells.next_av)
        low, high = self._temperatures
        usable &= (cells.conditions[:, GAS_TEMPERATURE] >= low) & (
            cells.conditions[:, GAS_TEMPERATURE] <= high
        )
        return ~usable


def _allocate_factors(problem: Problem) -> Factors:
    """Return storage for the factors of one matrix."""
    return allocate_factors(problem.plan)

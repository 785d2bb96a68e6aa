"""Entry point of the solver: checks its input, integrates, and reports the outcome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chemnet.chemistry.network.network import Network
from chemnet.chemistry.network.rate_options import STANDARD_GRAIN
from chemnet.chemistry.rates.constants import NUCLEI_PER_MAGNITUDE
from chemnet.chemistry.rates.expression_values import ExpressionRates
from chemnet.chemistry.rates.table import COLUMN_NUCLEI, EXTINCTION
from chemnet.chemistry.rates.temperature_coverage import temperature_coverage
from chemnet.chemistry.solver.along_tracer import Tolerances, TracerIntegrator
from chemnet.chemistry.solver.bdf import integrate_bdf
from chemnet.chemistry.solver.outcome_codes import SolverCode, Statistics
from chemnet.chemistry.solver.problem import compile_network
from chemnet.chemistry.solver.rosenbrock import integrate_rodas3
from chemnet.chemistry.units import SECONDS_PER_YEAR
from chemnet.compiling import announce_compilation
from chemnet.errors import DataError, suggest

METHODS = {"bdf": integrate_bdf, "rodas3": integrate_rodas3}
"""Integrators by name: variable-order BDF for any network, Rosenbrock for smooth (two-phase or gas) ones."""
INTERPOLATIONS = ("constant", "linear")
"""How conditions pass from one row of a tracer to the next."""
COLUMNS = ("Density", "Radfield", "Av", "gasTemp", "dustTemp", "zeta")
"""A tracer's columns in the order of the solver; the last two may be missing."""
SHIELDING_COLUMNS = ("N_total", "N_H2", "N_CO", "N_C")
"""Column densities that a tracer may have besides; those that are missing follow from Av."""
MAX_INTERNAL_STEPS = 20_000
"""Default cap on internal steps per row of a tracer."""


@dataclass(frozen=True)
class Solution:
    """The result of integrating one tracer.

    Parameters
    ----------
    abundances
        Shape (steps, n_species), relative to H nuclei; row 0 is the initial state; rows after a failure are
        NaN.
    code
        How it ended.
    failed_step
        The step that could not be completed, or None.
    statistics
        What the solver did.
    """

    abundances: NDArray[np.float64]
    code: SolverCode
    failed_step: int | None
    statistics: Statistics

    @property
    def succeeded(self) -> bool:
        """Whether every step was completed."""
        return self.code is SolverCode.SUCCESS

    @property
    def message(self) -> str:
        """How it ended, for the user."""
        where = "" if self.failed_step is None else f"step {self.failed_step}: "
        return where + self.code.explanation


def solve(
    network: Network,
    tracer: Mapping[str, ArrayLike],
    initial: ArrayLike | Mapping[str, float],
    *,
    uclchem_compatible: bool = False,
    rtol: float = 1e-4,
    atol: float = 1e-20,
    method: str = "bdf",
    interpolation: str = "constant",
    max_internal_steps: int = MAX_INTERNAL_STEPS,
) -> Solution:
    """Integrate `network` along one tracer.

    Parameters
    ----------
    network, tracer, initial, uclchem_compatible
        As for `Network.solve`.
    rtol, atol
        Tolerances of the root mean square error of all abundances per internal step.
    method
        `"bdf"`, or `"rodas3"` for networks without bulk ice.
    interpolation
        `"constant"`: row i holds until row i + 1; `"linear"`: conditions change linearly in between.
    max_internal_steps
        Cap on internal steps per row of the tracer and per tolerance tried.

    Returns
    -------
    Solution
        Abundances, result code and statistics.

    Raises
    ------
    DataError
        If the tracer, the initial abundances or an option cannot be used, or the network does not cover a
        temperature.
    """
    _check_methods(network, method, interpolation)
    if not (0.0 < rtol < 1.0 and atol > 0.0):
        raise DataError(
            f"tolerances rtol={rtol}, atol={atol} are not usable", hint="take rtol 1e-4 and atol 1e-20"
        )
    time, conditions = checked_tracer(tracer)
    conditions = with_dust(conditions, network.rate_options.grain.dust_to_gas)
    temperature_coverage(network).check(
        conditions[:, COLUMNS.index("gasTemp")], lambda step: f"{_name(tracer)}, step {step}"
    )
    abundances = np.full((len(time), len(network.species)), np.nan)
    abundances[0] = _checked_initial(network, initial)
    announce_compilation(METHODS[method])
    integrator = TracerIntegrator(
        compile_network(network, uclchem_compatible),
        METHODS[method],
        Tolerances(rtol, atol, max_internal_steps),
    )
    outcome, last = integrator.run(
        time * SECONDS_PER_YEAR,
        conditions,
        ExpressionRates(network, conditions),
        interpolation == "linear",
        abundances,
    )
    failed = None if outcome is SolverCode.SUCCESS else last
    return Solution(abundances, outcome, failed, Statistics.from_counts(integrator.counts))


def _check_methods(network: Network, method: str, interpolation: str) -> None:
    """Refuse an integrator or an interpolation that does not exist or does not fit the network."""
    for name, value, allowed in (
        ("method", method, METHODS),
        ("interpolation", interpolation, INTERPOLATIONS),
    ):
        if value not in allowed:
            raise DataError(f"unknown {name} {value!r}", hint=suggest(str(value), allowed))
    if method == "rodas3" and network.has_bulk:
        raise DataError(
            "method 'rodas3' needs smooth equations, and networks with bulk ice (@) have kinks",
            hint="use method 'bdf'",
        )


def checked_tracer(tracer: Mapping[str, ArrayLike]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return times [yr] and conditions (steps, 6 or 10); refuse what cannot be integrated."""
    name = _name(tracer)
    _check_names(name, tracer)
    present = {
        "dustTemp": tracer.get("dustTemp", tracer.get("gasTemp")),
        **{key: tracer[key] for key in tracer},
    }
    missing = [column for column in ("time", *COLUMNS[:4]) if column not in tracer]
    if missing:
        raise DataError(
            f"{name}: column {missing[0]!r} is missing (found: {', '.join(map(str, tracer))})",
            hint="a tracer needs time, Density, Radfield, Av and gasTemp",
        )
    time = np.atleast_1d(np.asarray(tracer["time"], dtype=np.float64))
    if time.ndim != 1 or not time.size:
        raise DataError(f"{name}: no steps", hint="give at least one row, the initial state")
    names: tuple[str, ...] = COLUMNS
    if any(column in tracer for column in SHIELDING_COLUMNS):
        names += SHIELDING_COLUMNS
    conditions = np.ones((time.size, len(names)))
    for position, column in enumerate(names):
        default = np.nan if column in SHIELDING_COLUMNS else 1.0
        values = np.asarray(present.get(column, default), dtype=np.float64)
        if values.shape not in ((), time.shape):
            raise DataError(
                f"{name}: column {column!r} has shape {values.shape}, time has {time.shape}",
                hint="every column needs one value per step",
            )
        conditions[:, position] = values
    given = [position for position, column in enumerate(names) if column in present or column in COLUMNS]
    _check_values(name, time, [names[position] for position in given], conditions[:, given])
    return time, conditions


def with_dust(conditions: NDArray[np.float64], dust_to_gas: float) -> NDArray[np.float64]:
    """Return conditions with the column of gas that a magnitude of extinction by this dust stands for.

    Parameters
    ----------
    conditions
        Shape (rows, 6 or 10), columns as in `rates.table`.
    dust_to_gas
        Mass ratio of dust to gas; where it is the standard one, nothing changes.
    """
    if dust_to_gas == STANDARD_GRAIN.dust_to_gas:
        return conditions
    if conditions.shape[1] == len(COLUMNS):
        conditions = np.column_stack([conditions, np.full((len(conditions), len(SHIELDING_COLUMNS)), np.nan)])
    nuclei = conditions[:, EXTINCTION] * NUCLEI_PER_MAGNITUDE * STANDARD_GRAIN.dust_to_gas / dust_to_gas
    unknown = np.isnan(conditions[:, COLUMN_NUCLEI])
    conditions[unknown, COLUMN_NUCLEI] = nuclei[unknown]
    return conditions


def _check_names(name: str, tracer: Mapping[str, ArrayLike]) -> None:
    """Refuse a condition under another spelling: passed over, it would change the answer in silence."""
    known = {column.lower(): column for column in ("time", *COLUMNS)}
    for column in map(str, tracer):
        meant = known.get(column.lower(), column)
        if meant != column and meant not in tracer:
            raise DataError(f"{name}: unknown column {column!r}", hint=f"did you mean {meant!r}?")


def _name(tracer: Mapping[str, ArrayLike]) -> str:
    """Return what messages call a tracer."""
    return f"tracer {tracer['id']!r}" if "id" in tracer else "tracer"


def _check_values(
    name: str, time: NDArray[np.float64], columns: Sequence[str], conditions: NDArray[np.float64]
) -> None:
    """Refuse values that are not finite or have no meaning, and time that stands still."""
    for column, values in (("time", time), *zip(columns, conditions.T, strict=True)):
        bad = ~np.isfinite(values)
        if column != "time":
            bad |= values < 0.0
        if column in ("Density", "gasTemp", "dustTemp"):
            bad |= values <= 0.0
        if bad.any():
            step = int(np.argmax(bad))
            raise DataError(
                f"{name}, step {step}: {column} is {values[step]}",
                hint=f"{column} must be finite and {'positive' if column != 'time' else 'increasing'}",
            )
    still = np.diff(time) <= 0.0
    if still.any():
        step = int(np.argmax(still)) + 1
        raise DataError(
            f"{name}, step {step}: time is {time[step]} yr after {time[step - 1]} yr",
            hint="time must increase from step to step",
        )


def _checked_initial(network: Network, initial: ArrayLike | Mapping[str, float]) -> NDArray[np.float64]:
    if isinstance(initial, Mapping):
        abundances = np.zeros(len(network.species))
        for species, value in initial.items():
            abundances[network.index(species)] = value
    else:
        abundances = np.array(initial, dtype=np.float64)
    if abundances.shape != (len(network.species),):
        raise DataError(
            f"initial abundances have shape {abundances.shape}; network {network.name!r} has "
            f"{len(network.species)} species",
            hint="give one abundance per species, or a mapping from species to abundance",
        )
    bad = ~np.isfinite(abundances) | (abundances < 0.0)
    if bad.any():
        worst = int(np.argmax(bad))
        raise DataError(
            f"initial abundance of {network.species_names[worst]} is {abundances[worst]}",
            hint="abundances must be finite and not negative",
        )
    return abundances

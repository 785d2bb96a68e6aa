"""The solver where the surrogate is not to be trusted.

Shapes: B cells, T steps, S species, P physical parameters.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chemnet.chemistry.network.network import Network
from chemnet.chemistry.rates.temperature_coverage import temperature_coverage
from chemnet.chemistry.simulation.plan import SOLVER_OPTIONS
from chemnet.chemistry.simulation.simulate import worker_count
from chemnet.chemistry.tracers import PHYSICAL_NAMES
from chemnet.errors import DataError, ModelError, suggest
from chemnet.progress import get_logger
from chemnet.surrogate.input_checks import check_rows, is_one_cell
from chemnet.surrogate.predictor import State, without
from chemnet.surrogate.rollout import trajectory
from chemnet.surrogate.surrogate import Surrogate
from chemnet.surrogate.trust.error_indicators import MonitoredPredictor

Array = NDArray[np.float64]

_ABUNDANCE, _STATUS, _INSIDE = "fallback_abundance", "fallback_status", "fallback_inside"
_OWN = frozenset({_ABUNDANCE, _STATUS, _INSIDE})
_log = get_logger(__name__)


class Status(enum.IntEnum):
    """What computed a state."""

    SURROGATE = 0
    """The surrogate, and it is expected to be within the tolerance."""
    SOLVER = 1
    """The solver, because the surrogate was not expected to be."""
    SOLVER_FAILED = 2
    """The surrogate, beyond the tolerance: the solver was asked and gave up."""
    INPUT = 3
    """Given: row 0."""


@dataclass(frozen=True)
class FallbackRun:
    """What surrogate and solver computed together.

    Attributes
    ----------
    abundances
        `(B, T, S)`, or `(B, R, S)` of the rows that were wanted; row 0 is the input. float64: what the solver
        gave is kept as it is.
    status
        `Status` of each state, `(B, T)`, also of those that were not wanted.
    """

    abundances: Array
    status: NDArray[np.int64]

    @property
    def by_solver(self) -> NDArray[np.bool_]:
        """Which states the solver computed, `(B, T)`."""
        return self.status == Status.SOLVER

    @property
    def failed(self) -> NDArray[np.bool_]:
        """Which states neither can predict, `(B, T)`: distrusted, and the solver gave up."""
        return self.status == Status.SOLVER_FAILED

    def __str__(self) -> str:
        steps = max(1, self.status[..., 1:].size)
        solved, failed = int(self.by_solver.sum()), int(self.failed.sum())
        text = f"{solved} of {steps} steps ({100.0 * solved / steps:.1f} %) went to the solver"
        return text + (
            f"; it failed in {failed} more, which hold the surrogate's prediction" if failed else ""
        )


class Fallback:
    """A predictor that gives the solver those steps for which the surrogate cannot be trusted.

    It keeps the contract of a one-step predictor. Each step is predicted by the surrogate and judged; where
    the expected error is above the tolerance, or a parameter outside the trained ranges, the solver does the
    step from the state before, and the surrogate goes on from what it found. A tolerance of 0 is the solver
    alone. Each step of the solver is a fresh start under the parameters of its row, so what
    ``uclchem_compatible`` carries from call to call, or reads from the next row, is not reproduced.
    The solver keeps the net charge of its start: a surrogate that is `neutral` serves it best.

    Parameters
    ----------
    surrogate
        A calibrated surrogate.
    network
        The network that it was trained on, or one with the same species; the name or path of one is read by
        `Network.read`.
    tolerance
        Largest expected error [dex], the mean over species, that is accepted of the surrogate.
    options
        Keyword arguments of `Network.solve`, such as ``{"uclchem_compatible": True}``.
    workers
        Cells that are integrated at the same time; 0: one per core.

    Raises
    ------
    ModelError
        When the surrogate was never calibrated, or has no parameter that the solver needs.
    DataError
        When the network has other species, the tolerance or the number of workers is negative or no number,
        or the solver has no such option.
    """

    def __init__(
        self,
        surrogate: Surrogate,
        network: Network | str | Path,
        tolerance: float,
        *,
        options: Mapping[str, Any] | None = None,
        workers: int = 0,
    ) -> None:
        self.surrogate, self.tolerance = surrogate, _tolerance(tolerance)
        self.network = network = Network.read(network) if isinstance(network, (str, Path)) else network
        self.options, self.workers = _solver_options(options or {}), _threads(workers)
        self.monitored: MonitoredPredictor = surrogate.monitored
        self._calibration = surrogate.judgement.calibration
        self._columns = _solver_columns(surrogate)
        self._order = _species_order(surrogate, network)

    def emulate(self, physical: Any, abundances: Any, dt: Any = None, rows: Any = None) -> FallbackRun:
        """Predict cells along histories; takes what `Surrogate.emulate` takes.

        Raises
        ------
        DataError
            For input that cannot be used, or a temperature that the network does not cover, naming cell and
            step.
        """
        inputs = self.surrogate.checked_inputs(physical, abundances, dt)
        self._check_temperatures(inputs[1][:, :-1])
        wanted = frozenset(check_rows(rows, inputs[1].shape[1]).tolist())
        start, forcing, steps = (torch.from_numpy(x.copy()).to(self.surrogate.device) for x in inputs)
        with torch.inference_mode():
            run = self._run(start, forcing, steps, wanted)
        if is_one_cell(physical):
            run = FallbackRun(run.abundances[0], run.status[0])
        _log.info("%s", run)
        if run.failed.any():
            cell, step = (int(index) for index in np.argwhere(np.atleast_2d(run.failed))[0])
            _log.warning("the solver failed in %d steps, first in cell %d, step %d; see `failed`",
                         run.failed.sum(), cell, step)  # fmt: skip
        return run

    def start(self, abundance_BS: Tensor) -> State:
        """Return the state of cells with abundances `(B, S)`."""
        state = self.monitored.start(abundance_BS)
        inside = self.surrogate.domain.totals_inside(
            (abundance_BS.double() @ self.monitored.inner.stoichiometry.to(abundance_BS.device)).cpu().numpy()
        )
        return {
            **state,
            _ABUNDANCE: abundance_BS.double(),
            _STATUS: torch.full((len(abundance_BS),), Status.INPUT, device=abundance_BS.device),
            _INSIDE: torch.from_numpy(inside.all(axis=-1)).to(abundance_BS.device),
        }

    def step(self, state: State, physical_BP: Tensor, dt_B: Tensor) -> State:
        """Return the state after one step, by the surrogate or the solver."""
        monitored = self.monitored.step(without(state, _OWN), physical_BP, dt_B)
        observed = self.monitored.observe(monitored)
        after = {
            **monitored,
            _ABUNDANCE: observed[:, : self.monitored.n_species],
            _STATUS: torch.full_like(state[_STATUS], Status.SURROGATE),
            _INSIDE: state[_INSIDE],
        }
        expected = self._expected_error(
            state[_INSIDE], observed[:, self.monitored.n_species :], physical_BP, dt_B
        )
        # no tolerance at all is the solver alone, whatever is expected
        distrusted = (~(expected <= self.tolerance) | (self.tolerance == 0.0)).nonzero()[:, 0]
        return self._corrected(state, after, distrusted, physical_BP, dt_B) if len(distrusted) else after

    def abundance(self, state: State) -> Tensor:
        """Return abundances `(B, S)`, float64: the solver's own where it computed them."""
        return state[_ABUNDANCE]

    def _check_temperatures(self, forcing: Array) -> None:
        """Refuse parameters `(B, T - 1, P)` at which the network has no reactions, and so no truth."""
        temperatures = forcing[..., self._columns["gasTemp"]]

        def place(index: int) -> str:
            cell, step = divmod(index, temperatures.shape[1])
            return f"physical: cell {cell}, step {step}"

        temperature_coverage(self.network).check(temperatures.ravel(), place)

    def _corrected(
        self, before: State, after: State, cells: Tensor, physical_BP: Tensor, dt_B: Tensor
    ) -> State:
        """Return the state after a step that the solver does again for some cells, by their indices."""
        solved, succeeded = self._solve(before[_ABUNDANCE][cells], physical_BP[cells], dt_B[cells])
        status = after[_STATUS].index_fill(0, cells[~succeeded], Status.SOLVER_FAILED)
        chosen = cells[succeeded]
        known = {**self.start(solved[succeeded]), _INSIDE: before[_INSIDE][chosen]}
        corrected = {name: values.index_copy(0, chosen, known[name]) for name, values in after.items()}
        return {**corrected, _STATUS: status.index_fill(0, chosen, Status.SOLVER)}

    def _run(self, start: Tensor, forcing: Tensor, steps: Tensor, wanted: frozenset[int]) -> FallbackRun:
        """Predict checked cells along their histories, and keep the abundances of the wanted rows."""
        states = trajectory(self.step, self.start(start), forcing, steps, steps.shape[1])
        kept = [(one[_STATUS], one[_ABUNDANCE] if row in wanted else None) for row, one in enumerate(states)]
        abundances = [abundance for _, abundance in kept if abundance is not None]
        status = torch.stack([status for status, _ in kept], dim=1)
        return FallbackRun(torch.stack(abundances, dim=1).cpu().numpy(), status.cpu().numpy())

    def _expected_error(
        self, composition_inside: Tensor, indicators: Tensor, physical_BP: Tensor, dt_B: Tensor
    ) -> Tensor:
        """Return the expected error after a step [dex], `(B,)`: infinite outside what was trained."""
        domain = self.surrogate.domain
        inside = domain.physical_inside(physical_BP.cpu().numpy()).all(axis=-1)
        inside &= domain.dt_inside(dt_B.cpu().numpy())
        outside = ~(torch.from_numpy(inside).to(dt_B.device) & composition_inside)
        return self._calibration.expected_error(indicators).masked_fill(outside, torch.inf)

    def _solve(self, before: Tensor, physical_BP: Tensor, dt_B: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the solver makes of some cells in one step `(B, S)`, and where it succeeded `(B,)`."""
        abundances = before.cpu().numpy()
        parameters, lengths = physical_BP.double().cpu().numpy(), dt_B.double().cpu().numpy()

        def solve(cell: int) -> tuple[Array, bool]:
            tracer = {name: np.repeat(parameters[cell, column], 2) for name, column in self._columns.items()}
            tracer["time"] = np.array([0.0, lengths[cell]])
            solution = self.network.solve(tracer, abundances[cell, self._order], **self.options)
            return solution.abundances[-1], solution.code == 0

        # the solver releases the interpreter's lock
        with ThreadPoolExecutor(min(self.workers, len(abundances)), thread_name_prefix="cell") as pool:
            answers = list(pool.map(solve, range(len(abundances))))
        result = np.empty_like(abundances)
        result[:, self._order] = np.stack([abundance for abundance, _ in answers])
        succeeded = torch.tensor([done for _, done in answers], device=before.device)
        return torch.from_numpy(result).to(before.device), succeeded


def _tolerance(tolerance: Any) -> float:
    if not isinstance(tolerance, Real) or not float(tolerance) >= 0.0:
        raise DataError(f"tolerance = {tolerance!r} dex", hint="a number: 0 (the solver alone) or more")
    return float(tolerance)


def _solver_options(options: Mapping[str, Any]) -> dict[str, Any]:
    for name in options:
        if name not in SOLVER_OPTIONS:
            raise DataError(f"the solver has no option {name!r}", hint=suggest(name, SOLVER_OPTIONS))
    return dict(options)


def _threads(workers: Any) -> int:
    if not isinstance(workers, Integral) or workers < 0:
        raise DataError(f"workers = {workers!r}", hint="0 (one per core) or the number of cells at a time")
    return worker_count(int(workers))


def _solver_columns(surrogate: Surrogate) -> dict[str, int]:
    """Return the column of each parameter, by its name; the solver needs four of them."""
    columns = {name: column for column, name in enumerate(surrogate.physical_names)}
    missing = [name for name in PHYSICAL_NAMES if name not in columns]
    if missing:
        raise ModelError(
            f"the surrogate {surrogate.name!r} has no parameter {missing[0]}, which the solver needs",
            hint=f"its parameters are {', '.join(columns)}",
        )
    return columns


def _species_order(surrogate: Surrogate, network: Network) -> NDArray[np.int64]:
    """Return the surrogate's column of each species of the network."""
    ours, theirs = surrogate.species, network.species_names
    different = [name for name in theirs if name not in ours] + [name for name in ours if name not in theirs]
    if different:
        has, lacks = (
            (network.name, surrogate.name) if different[0] in theirs else (surrogate.name, network.name)
        )
        raise DataError(
            f"network and surrogate have different species: {has!r} has {different[0]!r}, {lacks!r} has not",
            hint="give the network that made the tracers of the surrogate's training",
        )
    return np.array([ours.index(name) for name in theirs])

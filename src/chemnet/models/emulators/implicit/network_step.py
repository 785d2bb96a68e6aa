"""A network's implicit step and its solver, for the scaled abundances that emulators work on.

Shapes: B cells, S species, P physical parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chemnet.chemistry.network.network import Network
from chemnet.chemistry.solver.disagreement import RateDisagreement
from chemnet.chemistry.solver.implicit_step import ImplicitStep, StepCode
from chemnet.chemistry.solver.solve import SHIELDING_COLUMNS
from chemnet.chemistry.solver.step_conditions import StepConditions
from chemnet.chemistry.tracers import FURTHER_CONDITIONS, PHYSICAL_NAMES
from chemnet.data.description import DataDescription
from chemnet.errors import ConfigError, DataError
from chemnet.progress import get_logger
from chemnet.workers import worker_count

Array = NDArray[np.float64]
#: last update, and expected error, of a step that neither iterations nor the solver could do [dex]
NO_UPDATE = 10.0
# what the solver begins with where a table has cut off, as a cold start does, and its absolute tolerance: at
# 1e-20 ice that nothing makes rises to 1e-17 in the first step
_COLD, _ATOL = 1e-30, 1e-25
#: fields of `StepConditions` for conditions beside the usual four
STEP_WORDS = {"zeta": "zeta", "dustTemp": "dust_temperature"}
# mean update [dex] of steps that are compared with the next row
_CONVERGED = 0.01
# relative error of an abundance that was scaled and back
_ROUNDING = 1e-9


_log = get_logger(__name__)


@dataclass(frozen=True)
class Iterates:
    """What the iterations made of some cells.

    Attributes
    ----------
    abundance
        Scaled, `(B, S)` float32; the state before the step where the equations could not be solved.
    update
        Size of the last update [dex], `(B,)`; `NO_UPDATE` there.
    iterations
        How many there were, `(B,)`.
    """

    abundance: Tensor
    update: Tensor
    iterations: Tensor


class ImplicitChemistry:
    """One implicit step, or the solver, in an emulator's own units.

    Parameters
    ----------
    network
        Must have the species of the data.
    uclchem_compatible
        Whether the data were made with UCLCHEM's quirks.
    data
        Names and scalings.

    Raises
    ------
    DataError
        When network and data have different species.
    ConfigError
        When the data lack a parameter that rates depend on.
    """

    def __init__(self, network: Network, uclchem_compatible: bool, data: DataDescription) -> None:
        self.network, self.uclchem_compatible, self.data = network, uclchem_compatible, data
        self._columns = _columns(data)
        self.order = _order(network, data)
        self._told: set[torch.device] = set()

    @cached_property
    def step(self) -> ImplicitStep:
        """The compiled step."""
        return ImplicitStep.of_network(self.network, uclchem_compatible=self.uclchem_compatible)

    def iterate(self, before: Tensor, physical: Tensor, dt: Tensor, **options: Any) -> Iterates:
        """Iterate the implicit step of scaled abundances `(B, S)`.

        Parameters
        ----------
        before, physical
            Scaled abundances `(B, S)` and parameters `(B, P)`.
        dt
            `(B,)` [yr].
        **options
            Of `ImplicitStep.iterate`.
        """
        self.tell_device(before.device)
        told = self.step.iterate(self._abundances(before), self._step_conditions(physical, dt), **options)
        usable = torch.from_numpy(told.code < StepCode.SINGULAR)
        filled = np.where(np.isfinite(told.abundances), told.abundances, 1.0)
        iterate = torch.where(usable[:, None], self._scaled(filled), before.detach().float().cpu())
        update = torch.from_numpy(np.where(np.isfinite(told.update), told.update, NO_UPDATE))
        counted = torch.from_numpy(told.iterations)
        return Iterates(*(each.float().to(before.device) for each in (iterate, update, counted)))

    def sub_step(self, before: Tensor, physical: Tensor, dt: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """Return what so many sub-steps make of scaled abundances `(B, S)`, and where they suffice `(B,)`."""
        start = self._abundances(before, nothing=_COLD)
        told = self.step.sub_step(start, self._step_conditions(physical, dt), count=count)
        filled = np.where(told.converged[:, None], told.abundances, 1.0)
        return self._scaled(filled).to(before.device), torch.from_numpy(told.converged).to(before.device)

    def tell_device(self, device: torch.device) -> None:
        """Say once that steps are done by the CPU, where the network that corrects them is elsewhere."""
        if device.type == "cpu" or device in self._told:
            return
        self._told.add(device)
        _log.warning(
            "the implicit step and the solver of %s run on the CPU, with %d threads; only what corrects "
            "them runs on %s, and each step waits for both. In predictions general.device=cpu, or "
            "Surrogate.to('cpu'), is as fast; a training computes its iterates once, then uses the device",
            self.network.name, worker_count(0), device,
        )  # fmt: skip

    def disagreement(self, before: Tensor, physical: Tensor, dt: Tensor, target: Tensor) -> RateDisagreement:
        """Return what converged steps from scaled abundances `(B, S)` miss those of the next rows by."""
        iterates = self.iterate(
            before, physical, dt, update_tolerance=_CONVERGED, most_iterations=12, threads=worker_count(0)
        )
        decades, truth = self.data.abundance_scaling.decades, target.detach().double().clamp(0.0, 1.0)
        error, moved = (
            _numpy(decades * (one.double().clamp(0.0, 1.0) - truth).abs())
            for one in (iterates.abundance, before)
        )
        return RateDisagreement.of_steps(
            self.data.species, error, moved, _numpy(iterates.update) <= _CONVERGED
        )

    def solve(
        self, before: Tensor, physical: Tensor, dt: Tensor, workers: int, options: Mapping[str, Any]
    ) -> tuple[Tensor, Tensor]:
        """Return what the solver makes of scaled abundances `(B, S)`, and where it succeeded `(B,)`.

        Parameters
        ----------
        before, physical, dt
            As for `iterate`.
        workers
            Cells that are integrated at the same time.
        options
            Of `Network.solve`.
        """
        abundances = self._abundances(before, nothing=_COLD)
        conditions, lengths = self._conditions(physical), _numpy(dt)

        chosen = {"uclchem_compatible": self.uclchem_compatible, "atol": _ATOL, **options}

        def integrate(cell: int) -> tuple[Array, bool]:
            constant = {name: np.repeat(values[cell], 2) for name, values in conditions.items()}
            tracer = {**constant, "time": np.array([0.0, lengths[cell]])}
            try:
                solution = self.network.solve(tracer, abundances[cell], **chosen)
            except DataError:  # a temperature at which the network has no reactions
                return abundances[cell], False
            return solution.abundances[-1], solution.code == 0

        # the solver releases the interpreter's lock
        with ThreadPoolExecutor(max(1, min(workers, len(abundances))), thread_name_prefix="cell") as pool:
            answers = list(pool.map(integrate, range(len(abundances))))
        solved = self._scaled(np.stack([abundance for abundance, _ in answers]))
        succeeded = torch.tensor([done for _, done in answers], dtype=torch.bool)
        return solved.to(before.device), succeeded.to(before.device)

    def _step_conditions(self, physical: Tensor, dt: Tensor) -> StepConditions:
        """Return what cells live through, of scaled parameters `(B, P)` and time steps `(B,)` [yr]."""
        conditions = self._conditions(physical)
        rest = {word: conditions[name] for name, word in STEP_WORDS.items() if name in conditions}
        four = np.stack([conditions[name] for name in PHYSICAL_NAMES], axis=-1)
        return StepConditions(four, _numpy(dt), **rest)

    def _abundances(self, scaled: Tensor, nothing: float | None = None) -> Array:
        """Return abundances in the network's order, `(B, S)` float64, and `nothing` for what is cut off."""
        held = scaled.detach().double().clamp(0.0, 1.0).cpu()
        scaling = self.data.abundance_scaling
        # the step must see what a table has cut off: rounding could lift it above the floor
        nothing = scaling.floor * (1.0 - _ROUNDING) if nothing is None else nothing
        return torch.where(held > 0.0, scaling.unscale(held), nothing).numpy()[:, self.order]

    def _scaled(self, abundances: Array) -> Tensor:
        """Return scaled abundances in the data's order, float32, of the network's `(B, S)`."""
        ordered = np.empty_like(abundances)
        ordered[:, self.order] = abundances
        return torch.from_numpy(self.data.abundance_scaling.scale(ordered)).float()

    def _conditions(self, physical: Tensor) -> dict[str, Array]:
        """Return the parameters that rates depend on, by name, `(B,)` float64 each."""
        natural = np.asarray(self.data.physical_scaling.unscale(physical.detach().double().cpu()))
        return {name: natural[:, column] for name, column in self._columns.items()}


def _numpy(values: Tensor) -> Array:
    return values.detach().double().cpu().numpy()


def _columns(data: DataDescription) -> dict[str, int]:
    """Return the column of each parameter that rates depend on: four, and of the others those there are."""
    missing = [name for name in PHYSICAL_NAMES if name not in data.physical_names]
    if missing:
        raise ConfigError(
            f"the data have no parameter {missing[0]}, which the rates of a network depend on",
            hint="model.ImplicitEmulator.iterations=0 is an emulator without a network",
        )
    columns = [name for name in SHIELDING_COLUMNS if name in data.physical_names]
    if columns:
        raise ConfigError(
            f"the data have the column density {columns[0]}; an implicit step takes columns from Av alone",
            hint=f"leave {columns[0]} out of data_set.physical, or set model.ImplicitEmulator.iterations=0",
        )
    known = (*PHYSICAL_NAMES, *FURTHER_CONDITIONS)
    return {name: data.physical_names.index(name) for name in known if name in data.physical_names}


def _order(network: Network, data: DataDescription) -> NDArray[np.int64]:
    """Return the data's column of each species of the network."""
    ours, theirs = data.species, network.species_names
    different = sorted(set(ours) ^ set(theirs))
    if different:
        has, lacks = (network.name, "the data") if different[0] in theirs else ("the data", network.name)
        raise DataError(
            f"{has} has the species {different[0]!r}, {lacks} has not ({len(different)} differ): an implicit "
            "step needs all of them",
            hint="set model.ImplicitEmulator.network to the network that made the data, or iterations to 0",
        )
    return np.array([ours.index(name) for name in theirs], dtype=np.int64)

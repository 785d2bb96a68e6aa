"""Emulator around an implicit step: the network's own rates first, then a perceptron that corrects them.

Shapes: B cells or tracers, W rows of a window, T steps, S species, P physical parameters.

    y = a few Newton iterations of  y = x + dt f(y)  from the state x
    x' = correction(x, y, physical parameters, how the iterations went)

See `correction` for the second line. It is trained on single steps from the truth, on iterates as
they are used; each is computed once (`IterateMemory`). A step that is expected to be wrong is integrated
instead: where the iterations do not end, and where the correction itself says that it is off. Growing
sub-steps do it where they resolve the change, and the solver where they do not, as at a cold start.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from chemnet.chemistry.formats import native_writer
from chemnet.chemistry.formats.row_files import ReadingOptions
from chemnet.chemistry.network.network import Network
from chemnet.chemistry.network.rate_options import RateOptions
from chemnet.config import ConfigDict
from chemnet.errors import ConfigError, DataError, ModelError
from chemnet.models import losses, validation_metrics
from chemnet.models.contract import Batch, ChemModel, StepResult, TrainingRows
from chemnet.models.emulators.implicit.correction import (
    ImplicitCorrection,
    NoCorrection,
    log_error_loss,
    signs,
)
from chemnet.models.emulators.implicit.iterate_memory import IterateMemory
from chemnet.models.emulators.implicit.network_step import NO_UPDATE, ImplicitChemistry, Iterates
from chemnet.models.emulators.physical_features import PhysicalFeatures
from chemnet.models.emulators.steps.step import DIVIDED_STEPS, LATENT, SOLVER_STEPS, State
from chemnet.models.emulators.time_step import time_step
from chemnet.models.layers import concatenated, moments
from chemnet.progress import get_logger
from chemnet.registry import chem_model
from chemnet.workers import worker_count

if TYPE_CHECKING:
    from chemnet.data.preprocessed import DataDescription

NETWORK_FOLDER = "network"
UPDATE, EXPECTED_ERROR = "last_update", "expected_step_error"
ACCUMULATED_ERROR = "accumulated_error"
# error of a step by sub-steps [dex], measured on steps that a correction is not trusted with
DIVIDED_ERROR = 0.015
# spread that a species counts with at least [dex]: most of what rests at the floor has none
_LEAST_SPREAD = 0.1
# change of a row [dex] below which it is drawn like one that rests
_CHANGE = 0.05
# rows of the training split that the network is compared with
_COMPARED_ROWS = 400
_log = get_logger(__name__)
Integrate = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


@chem_model
class ImplicitEmulator(ChemModel):
    """Emulator of scaled abundances that corrects one implicit step of the data's own network.

    Parameters
    ----------
    config
        Reads ``[model.ImplicitEmulator]``.
    data
        Names, scalings and numbers of species and physical parameters.

    Raises
    ------
    ConfigError
        When iterations are wanted and no network is named.
    DataError
        When the network has other species than the data.
    """

    role = "direct_emulator"
    feed = "windows"
    # calls compiled code: members of an ensemble step one after another
    stackable = False
    # rate equations keep totals, wrong ones too: a surrogate mends them in the state
    conserves_state = True
    # of what a state says about its own error
    signs = (UPDATE, EXPECTED_ERROR, ACCUMULATED_ERROR)
    # keys of the table that name files, which a saved surrogate takes along
    file_keys = ("network",)

    def __init__(self, config: ConfigDict, data: DataDescription) -> None:
        super().__init__(config, data)
        self.decades = data.abundance_scaling.decades
        self.features = PhysicalFeatures(data)
        self.time_step = time_step(True)
        self.correction = ImplicitCorrection(
            data.n_species, len(self.features.names), self.table["hidden"], self.decades
        )
        self.chemistry = _chemistry(self.table, data)
        self._known = IterateMemory(self.iterate)

    @property
    def passes_gradients(self) -> bool:
        """Whether gradients pass a step: iterations and solver are compiled code, which has none."""
        return self.chemistry is None

    def spending(self, **keys: Any) -> ImplicitEmulator:
        """Return this emulator, of the same weights, with other keys of its table, such as `iterations`."""
        other = copy.copy(self)
        other.config = self.config.replace({f"model.ImplicitEmulator.{key}": keys[key] for key in keys})
        vars(other).pop("table", None)  # the one of the keys before
        return other

    def uncorrected(self) -> ImplicitEmulator:
        """Return an emulator that ends with the iterates: what the iterations are worth by themselves."""
        other = copy.copy(self)
        other._modules = {**self._modules, "correction": NoCorrection()}
        return other

    def share(self, other: ImplicitEmulator) -> None:
        """Take network and iterates of another with the same table: each is computed once for both."""
        self.chemistry, self._known = other.chemistry, other._known

    def iterate(self, before: Tensor, physical: Tensor, dt: Tensor) -> Iterates:
        """Return the iterates of scaled abundances `(B, S)`; the state itself without iterations."""
        if self.chemistry is None:
            nothing = torch.zeros(len(before), device=before.device)
            return Iterates(before, nothing, nothing)
        wanted = self.table["iterations"]
        options = {
            "iterations": None if wanted is False else wanted,
            "update_tolerance": self.table["update_tolerance"],
            "least_iterations": min(self.table["least_iterations"], self.table["most_iterations"]),
            "most_iterations": self.table["most_iterations"],
            "threads": torch.get_num_threads(),
        }
        return self.chemistry.iterate(before, physical, dt, **options)

    def correct(
        self, before: Tensor, iterates: Iterates, physical: Tensor, dt: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return scaled abundances after a step `(B, S)`, and log10 of their expected error [dex] `(B,)`."""
        seen = signs(iterates.update, iterates.iterations)
        held = iterates.abundance.clamp(0.0, 1.0)
        return self.correction(before, held, self.features(physical), seen, self.time_step.relative(dt))

    def forward(self, batch: Batch) -> Tensor:
        """Return scaled abundances after each step of a rollout from the first row, `(B, W - 1, S)`."""
        state, steps = self.begin(batch["abundance"][:, 0]), []
        for physical, dt in zip(batch["physical"].unbind(1), batch["dt"].unbind(1), strict=True):
            state = self.advance(state, physical, dt)
            steps.append(state[LATENT])
        return torch.stack(steps, dim=1)

    def train_batch(self, batch: Batch) -> StepResult:
        """Return the criterion's loss of single steps from the true rows, and that of their expected error.

        Rows whose iterations did not end are left out: the solver does them. Of the others those that change
        much are drawn more often.
        """
        before, physical, dt, target = _single_steps(batch)
        iterates = self._known(before, physical, dt)
        change = self.decades * (iterates.abundance - before).abs().mean(dim=1)
        weight = self._ended(iterates.update) * (change + _CHANGE) ** self.table["change_weight"]
        # nothing ended: learn from what there is
        weight = weight if bool(weight.any()) else torch.ones_like(weight)
        chosen = torch.multinomial(weight, len(weight), replacement=True)
        part = Iterates(*(each[chosen] for each in vars(iterates).values()))
        predicted, log_error = self.correct(before[chosen], part, physical[chosen], dt[chosen])
        loss, terms = losses.apply_criterion(self.criterion, predicted, target[chosen])
        dex = validation_metrics.scaled_dex_error(predicted.detach(), target[chosen], self.decades).mean(
            dim=1
        )
        expected = self.table["error_weight"] * log_error_loss(log_error, dex)
        return loss + expected, {**terms, "expected_error": expected.detach()}

    def validate_batch(self, batch: Batch) -> StepResult:
        """Return the criterion's loss and the validation metrics of single steps from the true rows."""
        before, physical, dt, target = _single_steps(batch)
        predicted, _ = self.correct(before, self._known(before, physical, dt), physical, dt)
        loss, terms = losses.apply_criterion(self.criterion, predicted, target)
        return loss, {**terms, **validation_metrics.validation_metrics(predicted, target, self.decades)}

    def infer_batch(self, batch: Batch) -> dict[str, Tensor]:
        """Return scaled abundances along the rollout from the first row, `(B, T + 1, S)`."""
        with torch.no_grad():
            steps = self(batch)
        return {LATENT: torch.cat([batch["abundance"][:, :1], steps], dim=1)}

    def encode(self, abundance: Tensor) -> Tensor:
        """Return scaled abundances `(..., S)` as they are."""
        return abundance

    def decode(self, latent: Tensor) -> Tensor:
        """Return scaled abundances `(..., S)` as they are."""
        return latent

    def begin(self, latent: Tensor) -> State:
        """Return the first state of cells with scaled abundances `(B, S)`."""
        nothing = torch.zeros(len(latent), device=latent.device)
        return {LATENT: latent, **dict.fromkeys((*self.signs, SOLVER_STEPS, DIVIDED_STEPS), nothing)}

    def advance(self, state: State, physical: Tensor, dt: Tensor) -> State:
        """Return the state after `dt` `(B,)` [yr] under scaled parameters `(B, P)`.

        Its ``"last_update"`` and ``"expected_step_error"`` [dex] say how the step went,
        ``"accumulated_error"`` sums the latter along the history; ``"divided_steps"`` and ``"solver_steps"``
        count what was done by sub-steps and by the solver. Where that gave up too the expected error is that
        of no step at all.
        """
        before = state[LATENT]
        iterates = self.iterate(before, physical, dt)
        after, log_error = self.correct(before, iterates, physical, dt)
        after, expected = after.clamp(0.0, 1.0), 10.0**log_error
        ended = self._ended(iterates.update)
        limit = self.table["solver_error"]
        wanted = ~ended if limit is False else ~ended | (expected > limit)
        divided = by_solver = torch.zeros_like(wanted)
        if self.chemistry is not None and bool(wanted.any()):
            after, divided = self._integrate(self._divide, after, wanted, before, physical, dt)
            after, by_solver = self._integrate(self._solve, after, wanted & ~divided, before, physical, dt)
            expected = expected.masked_fill(divided, DIVIDED_ERROR).masked_fill(by_solver, 0.0)
            expected = expected.masked_fill(~(ended | divided | by_solver), NO_UPDATE)
        return {
            LATENT: after,
            UPDATE: iterates.update,
            EXPECTED_ERROR: expected,
            ACCUMULATED_ERROR: state[ACCUMULATED_ERROR] + expected,
            SOLVER_STEPS: state[SOLVER_STEPS] + by_solver,
            DIVIDED_STEPS: state[DIVIDED_STEPS] + divided,
        }

    def write_files(self, folder: Path) -> dict[str, Any]:
        """Write the network into a folder, and return the keys that name it, relative to that.

        Raises
        ------
        DataError
            For a network with rate expressions (KROME).
        """
        if self.chemistry is None:
            return {}
        network = self.chemistry.network
        native_writer.write(
            folder / NETWORK_FOLDER,
            network.species,
            network.reactions,
            name=network.name,
            abundances=network.standard_abundances,
        )
        # what was read is written out: it needs no options any more
        return {"network": NETWORK_FOLDER, "reading": {}}

    def before_training(self, training: TrainingRows) -> None:
        """Learn mean and spread of each species, of the features, and the usual time step.

        Raises
        ------
        DataError
            When the network's step is worse than none at all: the data were made with other rates.
        """
        self._compare_network(training)
        mean, spread = moments(rows["abundance"] for rows in training.row_batches())
        self.correction.centre.copy_(mean)
        self.correction.width.copy_(spread.clamp_min(_LEAST_SPREAD / self.decades))
        self.features.learn(training)
        self.time_step.learn(concatenated(rows["dt"] for rows in training.row_batches()))

    def _compare_network(self, training: TrainingRows) -> None:
        """Refuse a network whose steps miss the true rows as only other rates do."""
        if self.chemistry is None:
            return
        rows = consecutive_steps(training)
        found = self.chemistry.disagreement(*rows)
        network, compatible = self.chemistry.network, self.chemistry.uclchem_compatible
        _log.info("the implicit step of %s is off by %s; rows are %.2g dex apart",
                  network.name, found, found.moved)  # fmt: skip
        if not found.disagrees:
            return
        other = ImplicitChemistry(network, not compatible, self.data).disagreement(*rows)
        word = str(not compatible).lower()
        raise DataError(
            f"the network {network.name} did not make these data: with uclchem_compatible = "
            f"{str(compatible).lower()} its step misses the next row by {found}; with {word} by {other}. The "
            f"row before is {found.moved:.2g} dex away",
            hint="set model.ImplicitEmulator.network to what the data were made with "
            "(`chemnet network NETWORK --against SET` tells)"
            if other.disagrees
            else f"set model.ImplicitEmulator.uclchem_compatible={word}",
        )

    def _ended(self, update: Tensor) -> Tensor:
        return update <= self.table["update_tolerance"]

    def _integrate(
        self, by: Integrate, after: Tensor, wanted: Tensor, before: Tensor, physical: Tensor, dt: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return states in which some cells are integrated afresh, and those where it succeeded `(B,)`."""
        rows = wanted.nonzero()[:, 0]
        if not len(rows):
            return after, wanted
        integrated, done = by(before[rows], physical[rows], dt[rows])
        chosen = rows[done]
        succeeded = torch.zeros_like(wanted).index_fill(0, chosen, True)
        return after.index_copy(0, chosen, integrated[done]), succeeded

    def _divide(self, before: Tensor, physical: Tensor, dt: Tensor) -> tuple[Tensor, Tensor]:
        """Return what sub-steps make of some cells, and where they suffice."""
        if self.chemistry is None or not self.table["sub_steps"]:
            return before, torch.zeros(len(before), dtype=torch.bool, device=before.device)
        return self.chemistry.sub_step(before, physical, dt, self.table["sub_steps"])

    def _solve(self, before: Tensor, physical: Tensor, dt: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the solver makes of some cells, and where it succeeded."""
        if self.chemistry is None:
            raise ModelError("an emulator without iterations has no solver")
        options = {"rtol": self.table["solver_rtol"]}
        return self.chemistry.solve(before, physical, dt, worker_count(0), options)


def _single_steps(batch: Batch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return each step of windows on its own: state, parameters, time step, and the state after it."""
    abundance = batch["abundance"]
    before, target = abundance[:, :-1].flatten(0, 1), abundance[:, 1:].flatten(0, 1)
    return before, batch["physical"].flatten(0, 1), batch["dt"].flatten(0, 1), target


def consecutive_steps(training: TrainingRows) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return some evenly spaced steps of the training split: state, parameters, time step, state after it."""
    names, parts = ("abundance", "physical", "dt"), []
    for rows in training.row_batches():
        first = _thinned((rows["dt"][:-1] > 0.0).nonzero()[:, 0])
        parts.append([*(rows[name][first] for name in names), rows["abundance"][first + 1]])
    before, physical, dt, target = (torch.cat(columns) for columns in zip(*parts, strict=True))
    return _thinned(before), _thinned(physical), _thinned(dt), _thinned(target)


def _thinned(rows: Tensor) -> Tensor:
    return rows[torch.linspace(0, len(rows) - 1, min(len(rows), _COMPARED_ROWS)).long()]


def _chemistry(table: ConfigDict, data: DataDescription) -> ImplicitChemistry | None:
    """Return the network's step, or None where no iterations are wanted."""
    if table["iterations"] == 0 and table["iterations"] is not False:
        return None
    if not table["network"]:
        raise ConfigError(
            "model.ImplicitEmulator.network is not set: iterations need the network that made the data",
            hint="name it: data_set.network='collapse', or the folder of another; or set "
            "model.ImplicitEmulator.iterations=0",
        )
    return ImplicitChemistry(named_network(table), table["uclchem_compatible"], data)


def named_network(table: Mapping[str, Any]) -> Network:
    """Return the network that a table ``[model.ImplicitEmulator]`` describes, with its rates.

    Raises
    ------
    DataError
        When it cannot be read, or a factor names no reaction of it.
    """
    network = Network.read(table["network"], ReadingOptions.of(table["reading"]))
    return network.with_rates(
        RateOptions.of({"grain": table["grain"], "rates": {"scale": table["rate_scale"]}})
    )

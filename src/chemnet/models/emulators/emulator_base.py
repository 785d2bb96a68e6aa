"""What every emulator shares: windows, rollout, loss, standardised latents and their range.

Shapes: B tracers, W rows of a window of which the last H (the horizon) are predicted, T steps, S species, P
physical parameters, D of what drives a step, L latents (for a direct emulator the scaled abundances).

    z_0 = standardised latent of the last given row;  z_{i+1} = step(z_i, drive(physical_i, dt_i))

The whole rollout is differentiated: its latents are decoded and compared with the true abundances, so the
loss sees what a user sees. In inference a wide margin around the training range stops a rollout from running
away. In training latents are free, or held in the same range (`hold_training_rollouts`); then their gradient
passes as if they were free, since a clamp would kill it.

A model states `encode`, `decode` and `step`, and `memory` where it remembers more than the latents.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from chemnet.config import ConfigDict
from chemnet.models import losses, validation_metrics
from chemnet.models.contract import Batch, StepResult, TrainingRows, evaluating
from chemnet.models.emulators.time_step import time_step
from chemnet.models.layers import concatenated, robust_range

if TYPE_CHECKING:
    from chemnet.data.preprocessed import DataDescription

State = dict[str, Tensor]

LATENT = "latent"
# the quantiles at one standard deviation of a normal distribution
_ONE_SIGMA_TAIL = 0.1587


class EmulatorBase(nn.Module, ABC):
    """Emulator that is autoregressive along a window.

    Parameters
    ----------
    table
        The model's own configuration table; read here are `use_dt`, `start_noise`, `rollout_noise`,
        `range_margin` and `hold_training_rollouts`.
    data
        Gives the number of physical parameters, the window and the scaling of the abundances.
    latent_dim
        Number of latents.

    Attributes
    ----------
    n_drive
        Width of `drive`: the physical parameters and what is shown of the time step.
    """

    feed = "windows"

    def __init__(self, table: ConfigDict, data: DataDescription, latent_dim: int) -> None:
        super().__init__()
        self.table, self.latent_dim = table, latent_dim
        self.decades = data.abundance_scaling.decades
        # the rows before the last of the context are not needed: a rollout starts from one state
        self.n_given = max(1, data.window - data.horizon) if data.window and data.horizon else 1
        self.time_step = time_step(table["use_dt"])
        self.n_drive = data.n_physical + self.time_step.n_features
        self.register_buffer("centre", torch.zeros(latent_dim))
        self.register_buffer("width", torch.ones(latent_dim))
        self.register_buffer("low", torch.full((latent_dim,), -torch.inf))
        self.register_buffer("high", torch.full((latent_dim,), torch.inf))

    @abstractmethod
    def encode(self, abundance: Tensor) -> Tensor:
        """Return latents `(..., L)` of scaled abundances `(..., S)`."""

    @abstractmethod
    def decode(self, latent: Tensor) -> Tensor:
        """Return scaled abundances `(..., S)` of latents `(..., L)`."""

    @abstractmethod
    def step(self, state: State, drive: Tensor, dt: Tensor) -> State:
        """Return the state after one step.

        Parameters
        ----------
        state
            Its ``"latent"`` `(B, L)` is standardised; the other entries are those of `memory`.
        drive
            `(B, D)`, of `drive`.
        dt
            `(B,)` [yr].
        """

    def memory(self, latent: Tensor) -> State:
        """Return what else than the standardised latents `(B, L)` is carried along; nothing by default."""
        return {}

    def drive(self, physical: Tensor, dt: Tensor) -> Tensor:
        """Return what the network sees of parameters `(..., P)` and time steps `(...)` [yr], `(..., D)`."""
        return torch.cat([physical, self.time_step.features(dt)], dim=-1)

    def forward(self, batch: Batch) -> Tensor:
        """Return the standardised latents after each step of the horizon, `(B, H, L)`."""
        last = self.n_given - 1
        start = self.standardise(self.encode(batch["abundance"][:, last]))
        if self.training and self.table["start_noise"]:
            start = start + self.table["start_noise"] * torch.randn_like(start)
        return self.rollout(start, batch["physical"][:, last:], batch["dt"][:, last:])

    def rollout(self, start: Tensor, physical: Tensor, dt: Tensor) -> Tensor:
        """Return `(B, T, L)` from `start` `(B, L)`, `physical` `(B, T, P)` and `dt` `(B, T)` [yr].

        Latents are standardised. Models that have a fused rollout use it, unless each step has noise.
        """
        # the whole window at once: per step it would be many small kernels
        drive_BTD = self.drive(physical, dt)
        noisy = self.training and self.table["rollout_noise"]
        # a fused rollout passes gradients on as if latents were free, which only training asks for
        if not noisy and (self.training or not torch.is_grad_enabled()):
            latents = self.fused_rollout(start, drive_BTD, dt, self._held())
            if latents is not None:
                return latents
        return self.repeated_steps(start, drive_BTD, dt)

    def fused_rollout(self, start: Tensor, drive: Tensor, dt: Tensor, held: Tensor | None) -> Tensor | None:
        """Return what `repeated_steps` does in a faster way, or None where there is none.

        Parameters
        ----------
        start, drive, dt
            As for `repeated_steps`.
        held
            Least and most that latents are held between, `(2, L)`; None where they are free.
        """
        return None

    def repeated_steps(self, start: Tensor, drive: Tensor, dt: Tensor) -> Tensor:
        """Return `(B, T, L)` from `start` `(B, L)`, `drive` `(B, T, D)` and `dt` `(B, T)` [yr]."""
        state, latents = {LATENT: start, **self.memory(start)}, []
        for drive_BD, dt_B in zip(drive.unbind(1), dt.unbind(1), strict=True):
            state = self._settled(self.step(state, drive_BD, dt_B))
            latents.append(state[LATENT])
        return torch.stack(latents, dim=1)

    def train_batch(self, batch: Batch) -> StepResult:
        """Return the criterion's loss of the decoded rollout, plus what `further_losses` adds."""
        latents, target = self(batch), batch["abundance"][:, self.n_given :]
        loss, terms = losses.apply_criterion(self.criterion, self._decode_standardised(latents), target)
        terms = dict(terms)
        for name, term in self.further_losses(latents, target).items():
            loss, terms[name] = loss + term, term.detach()
        return loss, terms

    def further_losses(self, latents: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Return named scalars that are added to the training loss; none by default.

        Parameters
        ----------
        latents
            Predicted standardised latents `(B, H, L)`.
        target
            True scaled abundances `(B, H, S)`.
        """
        return {}

    def validate_batch(self, batch: Batch) -> StepResult:
        """Return the criterion's loss and the validation metrics of the decoded rollout."""
        target = batch["abundance"][:, self.n_given :]
        predicted = self._decode_standardised(self(batch))
        loss, terms = losses.apply_criterion(self.criterion, predicted, target)
        return loss, {**terms, **validation_metrics.validation_metrics(predicted, target, self.decades)}

    def infer_batch(self, batch: Batch) -> dict[str, Tensor]:
        """Return the latents along the rollout from the first row, `(B, T + 1, L)`.

        Only ``abundance[:, 0]`` is read, so `abundance` may hold one row.
        """
        start = self.standardise(self.encode(batch["abundance"][:, 0]))
        latents = torch.cat([start[:, None], self.rollout(start, batch["physical"], batch["dt"])], dim=1)
        return {LATENT: self.destandardise(latents)}

    def begin(self, latent: Tensor) -> State:
        """Return the first state of cells with latents `(B, L)`."""
        return {LATENT: latent, **self.memory(self.standardise(latent))}

    def advance(self, state: State, physical: Tensor, dt: Tensor) -> State:
        """Return the state after `dt` `(B,)` [yr] under `physical` `(B, P)`; its ``"latent"`` is `(B, L)`."""
        inner = {**state, LATENT: self.standardise(state[LATENT])}
        after = self._settled(self.step(inner, self.drive(physical, dt), dt))
        return {**after, LATENT: self.destandardise(after[LATENT])}

    def standardise(self, latent: Tensor) -> Tensor:
        """Return latents in units of their own robust spread on the training split."""
        return (latent - self.centre) / self.width

    def destandardise(self, latent: Tensor) -> Tensor:
        """Return latents as the decoder takes them; the inverse of `standardise`."""
        return self.centre + latent * self.width

    def before_training(self, training: TrainingRows) -> None:
        """Learn centre, spread and range of each latent, and the usual time step, from the training split."""
        latents = self._encoded(training)
        low, high = robust_range(latents, _ONE_SIGMA_TAIL)
        self.centre.copy_(0.5 * (low + high))
        self.width.copy_(0.5 * (high - low))
        self._learn_range(latents)
        self.time_step.learn(concatenated(rows["dt"] for rows in training.row_batches()))

    def _encoded(self, training: TrainingRows) -> Tensor:
        """Return the latents of the training split, `(rows, L)`."""
        with evaluating(self):
            return concatenated(self.encode(rows["abundance"]) for rows in training.row_batches())

    def _learn_range(self, latents: Tensor) -> None:
        """Set the range that standardised latents are held in by the latents `(rows, L)` of training."""
        standardised = self.standardise(latents)
        least, most = standardised.amin(0), standardised.amax(0)
        margin = self.table["range_margin"] * (most - least).clamp_min(1.0)
        self.low.copy_(least - margin)
        self.high.copy_(most + margin)

    def _settled(self, state: State) -> State:
        """Return a state with noise on its latents in training, and inside the range otherwise."""
        latent = state[LATENT]
        if not self.training:
            return {**state, LATENT: latent.clamp(self.low, self.high)}
        if self.table["rollout_noise"]:
            latent = latent + self.table["rollout_noise"] * torch.randn_like(latent)
        if self.table["hold_training_rollouts"]:
            latent = latent + (latent.clamp(self.low, self.high) - latent).detach()
        return {**state, LATENT: latent}

    def _held(self) -> Tensor | None:
        """Return least and most that latents are held between after each step, `(2, L)`; None where free."""
        if self.training and not self.table["hold_training_rollouts"]:
            return None
        return torch.stack([self.low, self.high])

    def _decode_standardised(self, latents: Tensor) -> Tensor:
        """Return scaled abundances `(B, T, S)` of standardised latents `(B, T, L)`, decoded as one matrix."""
        flat = self.destandardise(latents).flatten(0, 1)
        return self.decode(flat).unflatten(0, latents.shape[:2])

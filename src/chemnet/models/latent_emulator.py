"""Residual perceptron that advances latents under physical parameters, through a frozen autoencoder.

Shapes: B tracers, W rows of a window of which the last H (the horizon) are predicted, T steps, S species, P
physical parameters, L latents.

    z_0 = standardised latent of the first row;  z_{i+1} = z_i + g(dt_i) f([physical_i, z_i, log dt_i])

f starts at zero (persistence, which is already within 0.07 dex per step), and the whole rollout is
differentiated: its latents are decoded by the frozen autoencoder and compared with the true abundances, so
the loss sees what a user sees. Latents are not clamped in training, which would kill gradients; in inference
a wide margin around the training range stops a rollout from running away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from chemnet.config import ConfigDict
from chemnet.models import losses
from chemnet.models.base import Batch, StepResult, TrainingRows
from chemnet.models.layers import concatenated, perceptron, robust_range, spread
from chemnet.registry import chem_model

if TYPE_CHECKING:
    from chemnet.datasets.preprocessed import DataDescription

# the quantiles at one standard deviation of a normal distribution
_ONE_SIGMA_TAIL = 0.1587
# shortest time step [yr] that the logarithm of dt tells apart
_SHORTEST_STEP = 1e-6


@chem_model
class LatentEmulator(nn.Module):
    """Emulator of the evolution in latent space, autoregressive along a window.

    Parameters
    ----------
    config
        Reads ``[model.LatentEmulator]``.
    data
        Gives the number of physical parameters and the scaling of the abundances.
    autoencoder
        A trained autoencoder; used frozen, in its inference form.
    """

    role = "emulator"
    feed = "windows"

    def __init__(self, config: ConfigDict, data: DataDescription, autoencoder: nn.Module) -> None:
        super().__init__()
        self.table = config["model"]["LatentEmulator"]
        self.decades, self.use_dt = data.abundance_scaling.decades, self.table["use_dt"]
        # the rows before the last of the context are not needed: a state is all that this emulator remembers
        self.n_given = max(1, data.window - data.horizon) if data.window and data.horizon else 1
        # a plain list keeps the autoencoder out of parameters() and state_dict()
        self._frozen: list[Any] = [autoencoder.for_inference().requires_grad_(False)]
        self.latent_dim = self._frozen[0].encode(torch.zeros(1, data.n_species)).shape[-1]
        n_inputs = data.n_physical + self.latent_dim + int(self.use_dt)
        widths = (n_inputs, *self.table["hidden"], self.latent_dim)
        self.change = perceptron(widths, self.table["activation"], self.table["dropout"])
        nn.init.zeros_(self.change[-1].weight)
        nn.init.zeros_(self.change[-1].bias)
        self.register_buffer("centre", torch.zeros(self.latent_dim))
        self.register_buffer("width", torch.ones(self.latent_dim))
        self.register_buffer("low", torch.full((self.latent_dim,), -torch.inf))
        self.register_buffer("high", torch.full((self.latent_dim,), torch.inf))
        self.register_buffer("usual_dt", torch.ones(()))

    @property
    def autoencoder(self) -> Any:
        """The frozen autoencoder, which is no part of this model's weights."""
        return self._frozen[0]

    def forward(self, batch: Batch) -> Tensor:
        """Return the standardised latents after each step of the horizon, `(B, H, L)`."""
        last = self.n_given - 1
        start = self.standardise(self.autoencoder.encode(batch["abundance"][:, last]))
        if self.training and self.table["start_noise"]:
            start = start + self.table["start_noise"] * torch.randn_like(start)
        return self.rollout(start, batch["physical"][:, last:], batch["dt"][:, last:])

    def train_batch(self, batch: Batch) -> StepResult:
        """Return the criterion's loss of the decoded rollout, plus the weighted distance of the latents."""
        latents = self(batch)
        target = batch["abundance"][:, self.n_given :]
        loss, terms = losses.apply_criterion(self.criterion, self._decode_standardised(latents), target)
        weight = self.table["latent_weight"]
        if weight:
            distance = (latents - self.standardise(self.autoencoder.encode(target))).abs().mean()
            loss, terms = loss + weight * distance, {**terms, "latent_error": weight * distance.detach()}
        return loss, terms

    def validate_batch(self, batch: Batch) -> StepResult:
        """Return the criterion's loss and the validation metrics of the decoded rollout."""
        target = batch["abundance"][:, self.n_given :]
        predicted = self._decode_standardised(self(batch))
        loss, terms = losses.apply_criterion(self.criterion, predicted, target)
        return loss, {**terms, **losses.validation_metrics(predicted, target, self.decades)}

    def infer_batch(self, batch: Batch) -> dict[str, Tensor]:
        """Return the autoencoder's latents along the rollout from the first row, `(B, T + 1, L)`.

        Only ``abundance[:, 0]`` is read, so `abundance` may hold one row.
        """
        start = self.standardise(self.autoencoder.encode(batch["abundance"][:, 0]))
        latents = torch.cat([start[:, None], self.rollout(start, batch["physical"], batch["dt"])], dim=1)
        return {"latent": self.destandardise(latents)}

    def advance(self, state: dict[str, Tensor], physical: Tensor, dt: Tensor) -> dict[str, Tensor]:
        """Return the state (the autoencoder's `latent` `(B, L)`) after `dt` `(B,)` [yr] under `physical`."""
        latent = self.step(self.standardise(state["latent"]), physical, dt)
        return {"latent": self.destandardise(latent)}

    def rollout(self, start: Tensor, physical: Tensor, dt: Tensor) -> Tensor:
        """Return `(B, T, L)` from `start` `(B, L)`, `physical` `(B, T, P)` and `dt` `(B, T)` [yr]."""
        latent, latents = start, []
        for i in range(physical.shape[1]):
            latent = self.step(latent, physical[:, i], dt[:, i])
            latents.append(latent)
        return torch.stack(latents, dim=1)

    def step(self, latent: Tensor, physical: Tensor, dt: Tensor) -> Tensor:
        """Advance standardised latents `(B, L)` by `dt` `(B,)` [yr] under `physical` `(B, P)`."""
        if self.use_dt:
            relative = (dt / self.usual_dt)[:, None]
            inputs = torch.cat([physical, latent, relative.clamp_min(_SHORTEST_STEP).log10()], dim=-1)
            # 0 for no time, 1 for the usual step, at most 2
            change = (2.0 * relative / (1.0 + relative)) * self.change(inputs)
        else:
            change = self.change(torch.cat([physical, latent], dim=-1))
        latent = latent + change
        return latent if self.training else latent.clamp(self.low, self.high)

    def decode(self, latent: Tensor) -> Tensor:
        """Return scaled abundances `(..., S)` of the autoencoder's latents `(..., L)`."""
        return self.autoencoder.decode(latent)

    def standardise(self, latent: Tensor) -> Tensor:
        """Return the autoencoder's latents in units of their own robust spread on the training split."""
        return (latent - self.centre) / self.width

    def destandardise(self, latent: Tensor) -> Tensor:
        """Return the autoencoder's latents; the inverse of `standardise`."""
        return self.centre + latent * self.width

    def before_training(self, training: TrainingRows) -> None:
        """Learn centre, spread and range of each latent, and the usual time step, from the training split."""
        with torch.no_grad():
            rows = [
                (self.autoencoder.encode(rows["abundance"]), rows["dt"]) for rows in training.row_batches()
            ]
        latents, dt = concatenated(latent for latent, _ in rows), concatenated(dt for _, dt in rows)
        low, high = robust_range(latents, _ONE_SIGMA_TAIL)
        self.centre.copy_(0.5 * (low + high))
        self.width.copy_(0.5 * (high - low))
        standardised = self.standardise(latents)
        least, most = standardised.amin(0), standardised.amax(0)
        margin = self.table["range_margin"] * (most - least).clamp_min(1.0)
        self.low.copy_(least - margin)
        self.high.copy_(most + margin)
        if bool((dt > 0).any()):
            self.usual_dt.copy_(spread(dt[dt > 0]).median())

    def _decode_standardised(self, latents: Tensor) -> Tensor:
        """Return scaled abundances `(B, T, S)` of standardised latents `(B, T, L)`, decoded as one matrix."""
        flat = self.destandardise(latents).flatten(0, 1)
        return self.autoencoder.decode(flat).unflatten(0, latents.shape[:2])

    def _apply(self, fn: Any, recurse: bool = True) -> LatentEmulator:
        """Move the frozen autoencoder along when the emulator changes device or dtype."""
        for autoencoder in self._frozen:
            autoencoder._apply(fn)
        return super()._apply(fn, recurse)

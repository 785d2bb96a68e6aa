"""An emulator: a space, a step that advances states in it, and the rollout and the loss around both.

Shapes: B tracers, W rows of a window of which the last H (the horizon) are predicted, T steps, S species, P
physical parameters, F of a step's forcing, L latents (for a direct emulator the scaled abundances).

    z_0 = standardised latent of the last given row;  z_{i+1} = step(z_i, forcing(physical_i, dt_i), dt_i)

The whole rollout is differentiated: its latents are decoded and compared with the true abundances, so the
loss sees what a user sees. In inference latents are clamped to a wide margin around the training range, which
stops a rollout from running away. In training they are free, or clamped to the same range
(`hold_training_rollouts`); then their gradient passes as if they were free, since a clamp would end it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from chemnet.config import ConfigDict
from chemnet.errors import ModelError
from chemnet.models import losses, validation_metrics, weights
from chemnet.models.contract import Batch, ChemModel, StepResult, TrainingRows
from chemnet.models.emulators.spaces.latent import TRAINED_AUTOENCODER
from chemnet.models.emulators.spaces.space import Space
from chemnet.models.emulators.steps.step import LATENT, State, Step

if TYPE_CHECKING:
    from chemnet.data.preprocessed import DataDescription


class Emulator(ChemModel):
    """Emulator that is autoregressive along a window: ``class Mine(Emulator, space=A, step=B)``.

    Parameters
    ----------
    config
        Read is the model's own table, ``[model.<Class>]`` (of a class without one, that of its base): by the
        emulator `keys`, by its space and its step theirs.
    data
        Gives the window, the scaling of the abundances, and what space and step need.
    autoencoder
        The trained autoencoder, for a space of latents.

    Attributes
    ----------
    keys
        Keys of the table that the emulator itself reads.
    space_class, step_class
        What it is composed of.
    space, step
        The parts.
    """

    feed = "windows"
    keys: ClassVar[tuple[str, ...]] = ("start_noise", "rollout_noise", "hold_training_rollouts")
    # a space's constructor takes the table, the data and, for latents, the autoencoder
    space_class: ClassVar[type[Any]]
    step_class: ClassVar[type[Step]]

    def __init_subclass__(
        cls, *, space: type[Space] | None = None, step: type[Step] | None = None, **options: Any
    ) -> None:
        super().__init_subclass__(**options)
        if space is not None:
            cls.space_class, cls.role = space, space.role
        if step is not None:
            cls.step_class = step
        missing = [part for part in ("space", "step") if not hasattr(cls, f"{part}_class")]
        if missing:
            raise ModelError(
                f"the emulator {cls.__name__} states no {' and no '.join(missing)}",
                hint=f"class {cls.__name__}(Emulator, space=LatentSpace, step=ResidualStep)",
            )

    def __init__(self, config: ConfigDict, data: DataDescription, *autoencoder: nn.Module) -> None:
        super().__init__(config, data)
        self.decades = data.abundance_scaling.decades
        # the rows before the last of the context are not needed: a rollout starts from one state
        self.n_given = max(1, data.window - data.horizon) if data.window and data.horizon else 1
        self.space: Space = self.space_class(self.table, data, *autoencoder)
        self.step = self.step_class(self.table, data, self.space.latent_dim)

    @classmethod
    def table_keys(cls) -> set[str]:
        """Return the keys of the model's table: of the emulator, its space and its step."""
        return {*cls.keys, *cls.space_class.keys, *cls.step_class.keys}

    @property
    def stackable(self) -> bool:
        """Whether the members of an ensemble can be vectorised."""
        return self.step.stackable

    @property
    def latent_dim(self) -> int:
        """Number of latents."""
        return self.space.latent_dim

    @property
    def trained_autoencoder(self) -> nn.Module | None:
        """The autoencoder among the emulator's own weights, if it was trained along."""
        return getattr(self.space, "trained_autoencoder", None)

    def encode(self, abundance: Tensor) -> Tensor:
        """Return latents `(..., L)` of scaled abundances `(..., S)`."""
        return self.space.encode(abundance)

    def decode(self, latent: Tensor) -> Tensor:
        """Return scaled abundances `(..., S)` of latents `(..., L)`."""
        return self.space.decode(latent)

    def forward(self, batch: Batch) -> Tensor:
        """Return the standardised latents after each step of the horizon, `(B, H, L)`."""
        last = self.n_given - 1
        start = self.space.standardise(self.encode(batch["abundance"][:, last]))
        if self.training and self.table["start_noise"]:
            start = start + self.table["start_noise"] * torch.randn_like(start)
        return self.rollout(start, batch["physical"][:, last:], batch["dt"][:, last:])

    def rollout(self, start: Tensor, physical: Tensor, dt: Tensor) -> Tensor:
        """Return `(B, T, L)` from `start` `(B, L)`, `physical` `(B, T, P)` and `dt` `(B, T)` [yr].

        Latents are standardised. Steps that have a fused rollout use it, unless there is noise in each.
        """
        # the whole window at once: per step it would be many small kernels
        forcing_BTF = self.step.forcing(physical, dt)
        noisy = self.training and self.table["rollout_noise"]
        # a fused rollout passes gradients on as if latents were free, which only training asks for
        if not noisy and (self.training or not torch.is_grad_enabled()):
            latents = self.step.fused_rollout(start, forcing_BTF, dt, self._limits())
            if latents is not None:
                return latents
        return self.repeated_steps(start, forcing_BTF, dt)

    def repeated_steps(self, start: Tensor, forcing: Tensor, dt: Tensor) -> Tensor:
        """Return `(B, T, L)` from `start` `(B, L)`, `forcing` `(B, T, F)` and `dt` `(B, T)` [yr]."""
        state, latents = {LATENT: start, **self.step.memory(start)}, []
        for forcing_BF, dt_B in zip(forcing.unbind(1), dt.unbind(1), strict=True):
            state = self._settled(self.step(state, forcing_BF, dt_B))
            latents.append(state[LATENT])
        return torch.stack(latents, dim=1)

    def train_batch(self, batch: Batch) -> StepResult:
        """Return the criterion's loss of the decoded rollout, plus what the space's `further_losses` add."""
        latents, target = self(batch), batch["abundance"][:, self.n_given :]
        loss, terms = losses.apply_criterion(self.criterion, self._decode_standardised(latents), target)
        terms = dict(terms)
        for name, term in self.space.further_losses(latents, target, self.criterion).items():
            loss, terms[name] = loss + term, term.detach()
        return loss, terms

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
        start = self.space.standardise(self.encode(batch["abundance"][:, 0]))
        latents = torch.cat([start[:, None], self.rollout(start, batch["physical"], batch["dt"])], dim=1)
        return {LATENT: self.space.destandardise(latents)}

    def begin(self, latent: Tensor) -> State:
        """Return the first state of cells with latents `(B, L)`."""
        return {LATENT: latent, **self.step.memory(self.space.standardise(latent))}

    def advance(self, state: State, physical: Tensor, dt: Tensor) -> State:
        """Return the state after `dt` `(B,)` [yr] under `physical` `(B, P)`; its ``"latent"`` is `(B, L)`."""
        inner = {**state, LATENT: self.space.standardise(state[LATENT])}
        after = self._settled(self.step(inner, self.step.forcing(physical, dt), dt))
        return {**after, LATENT: self.space.destandardise(after[LATENT])}

    def before_training(self, training: TrainingRows) -> None:
        """Let space and step learn their statistics of the training split."""
        self.space.learn(training)
        self.step.learn(training)

    def after_training(self, training: TrainingRows) -> None:
        """Let the space learn again what training has moved."""
        self.space.learn_again(training)

    def load_weights(self, path: str | Path) -> None:
        """Read the weights; those of an emulator with a frozen autoencoder leave the copy as it is.

        So a training with the autoencoder frozen can go on with both.

        Raises
        ------
        ModelError
            When the file is missing or damaged, or its tensors do not fit.
        """
        wanted = self.state_dict()
        found = weights.renamed(weights.read_tensors(path), wanted)
        copied = {name for name in wanted if name.startswith(f"{TRAINED_AUTOENCODER}.")}
        if copied.isdisjoint(found):
            found |= {name: wanted[name] for name in copied}
        self.load_state_dict(weights.fitted(found, wanted, str(path)))

    def _settled(self, state: State) -> State:
        """Return a state with noise on its latents in training, and inside the range otherwise."""
        latent = state[LATENT]
        if not self.training:
            return {**state, LATENT: self.space.clamp(latent)}
        if self.table["rollout_noise"]:
            latent = latent + self.table["rollout_noise"] * torch.randn_like(latent)
        if self.table["hold_training_rollouts"]:
            latent = latent + (self.space.clamp(latent) - latent).detach()
        return {**state, LATENT: latent}

    def _limits(self) -> Tensor | None:
        """Return least and most that latents are clamped to after each step, `(2, L)`; None where free."""
        if self.training and not self.table["hold_training_rollouts"]:
            return None
        return torch.stack([self.space.low, self.space.high])

    def _decode_standardised(self, latents: Tensor) -> Tensor:
        """Return scaled abundances `(B, T, S)` of standardised latents `(B, T, L)`, decoded as one matrix."""
        flat = self.space.destandardise(latents).flatten(0, 1)
        return self.decode(flat).unflatten(0, latents.shape[:2])

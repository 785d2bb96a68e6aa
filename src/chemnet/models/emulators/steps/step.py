"""What a step is: the network that advances standardised latents by one time step.

Shapes: B tracers, T steps, P physical parameters, F of a step's forcing, L latents, any leading axes.

A new kind of emulator is a new `Step`, in one file. It states

- ``__init__(table, data, latent_dim)``: its layers, built after ``super().__init__``;
- ``forward(state, forcing, dt) -> state``: one step; a state is a dict of tensors that holds ``"latent"``
  `(B, L)` and what `memory` begins with;
- ``keys``: the keys of the model's table that it reads, those of `Step` among them;

and, where it has them, ``forcing(physical, dt)`` (what the network sees of a row; by default the scaled
parameters and the time step), ``memory(latent)``, ``learn(training)`` and ``fused_rollout``. A model is then
``class Mine(Emulator, space=LatentSpace, step=MyStep)``; see `chemnet.models.emulators.compositions`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from chemnet.models.contract import TrainingRows
from chemnet.models.emulators.time_step import time_step
from chemnet.models.layers import concatenated

if TYPE_CHECKING:
    from chemnet.data.preprocessed import DataDescription

State = dict[str, Tensor]

LATENT = "latent"
#: entry of a state with the number of steps that a solver has done, where an emulator asks one
SOLVER_STEPS = "solver_steps"
DIVIDED_STEPS = "divided_steps"


class Step(nn.Module, ABC):
    """One step of an emulator, built of the model's own table, the data and the number of latents.

    Attributes
    ----------
    keys
        Keys of the model's table that are read here.
    stackable
        Whether `torch.func.vmap` can vectorise the step over the members of an ensemble.
    time_step
        What the network is shown of the length of a step, and how that scales its change.
    n_forcing
        Width of `forcing`.
    """

    keys: ClassVar[tuple[str, ...]] = ("use_dt",)
    stackable: ClassVar[bool] = True

    def __init__(self, table: Mapping[str, Any], data: DataDescription, latent_dim: int) -> None:
        super().__init__()
        self.time_step = time_step(table["use_dt"])
        self.n_forcing = data.n_physical + self.time_step.n_features

    def forcing(self, physical: Tensor, dt: Tensor) -> Tensor:
        """Return what the network sees of parameters `(..., P)` and time steps `(...)` [yr], `(..., F)`."""
        return torch.cat([physical, self.time_step.features(dt)], dim=-1)

    def memory(self, latent: Tensor) -> State:
        """Return the entries of a state beside its standardised latents `(B, L)`; none by default."""
        return {}

    @abstractmethod
    def forward(self, state: State, forcing: Tensor, dt: Tensor) -> State:
        """Return the state after one step.

        Parameters
        ----------
        state
            Its ``"latent"`` `(B, L)` is standardised; the other entries are those of `memory`.
        forcing
            `(B, F)`, of `forcing`.
        dt
            `(B,)` [yr].
        """

    def fused_rollout(
        self, start: Tensor, forcing: Tensor, dt: Tensor, limits: Tensor | None
    ) -> Tensor | None:
        """Return what repeated steps give, `(B, T, L)`, by a faster way; None where there is none.

        Parameters
        ----------
        start, forcing, dt
            Standardised latents `(B, L)`, `(B, T, F)` and `(B, T)` [yr].
        limits
            Least and most that latents are clamped to after each step, `(2, L)`; the gradient passes as if
            they were free. None where they are.
        """
        return None

    def learn(self, training: TrainingRows) -> None:
        """Learn the usual time step from the training split."""
        self.time_step.learn(concatenated(rows["dt"] for rows in training.row_batches()))

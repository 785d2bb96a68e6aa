"""Several predictors of the same cells as one: their mean and their spread.

Shapes: B cells, M members, S species, P physical parameters, L latents. A state holds the members' values
side by side: its ``"latent"`` is `(B, M L)`, so that latents of an ensemble are rolled out like any others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property

import torch
from torch import Tensor

from chemnet.models.emulators.ensembles.stacked import call_each, stacked_state
from chemnet.surrogate.engine.fused_predictor import FusedPredictor
from chemnet.surrogate.predictor import Parts, State
from chemnet.surrogate.rollout import rollout_states, stepwise

# the sign of its own error that an ensemble shows
SPREAD = "spread"


class Ensemble:
    """Predictors whose emulators are of one kind; one vectorised step advances all of them.

    Every member keeps its own state through a rollout. The abundances are the geometric mean of what the
    members decode (the mean of the logarithms).

    Parameters
    ----------
    members
        Predictors with the same species and parameters. Autoencoders may be shared or not.
    """

    signs = (SPREAD,)

    def __init__(self, members: Sequence[FusedPredictor]) -> None:
        self.members, self.data, self.size = list(members), members[0].data, len(members)
        self.device, self.scaling = members[0].device, members[0].scaling
        self.passes_gradients = all(member.passes_gradients for member in self.members)
        self.latent_dim = sum(member.latent_dim for member in self.members)
        self._emulators = [member.emulator for member in members]
        self._stacked = stacked_state(self._emulators)

    def to(self, device: torch.device) -> Ensemble:
        """Move every network to a device and return this predictor."""
        for member in self.members:
            member.to(device)
        self.device = device
        self._stacked = {name: tensor.to(device) for name, tensor in self._stacked.items()}
        return self

    def start(self, abundance_BS: Tensor) -> State:
        """Return the members' states of cells with abundances `(B, S)`."""
        return self.begin(self.encode(abundance_BS))

    def begin(self, latent: Tensor) -> State:
        """Return the state of cells with latents `(B, M L)`."""
        states = [member.begin(one) for member, one in zip(self.members, self._apart(latent), strict=True)]
        return {name: _side_by_side([state[name] for state in states]) for name in states[0]}

    def step(self, state: State, physical_BP: Tensor, dt_B: Tensor) -> State:
        """Return the state after one step of every member."""
        members = {
            name: values.t() if name in self._numbers else torch.stack(self._apart(values))
            for name, values in state.items()
        }
        arguments = (members, self.scaled_physical(physical_BP), dt_B.float())
        after = call_each(self._emulators, "advance", (0, None, None), *arguments, state=self._stacked)
        return {name: _side_by_side(list(values)) for name, values in after.items()}

    def rollout(self, state: State, physical_BTP: Tensor, dt_BN: Tensor, rows: Tensor) -> State:
        """Return the states `(B, R, ...)` in the wanted rows; see `rollout_states`."""
        if not all(member.is_fused(physical_BTP.device) for member in self.members):
            # one vectorised step of all members at a time
            return stepwise(self, state, physical_BTP, dt_BN, rows)
        starts = [{name: self._apart(values)[i] for name, values in state.items()} for i in range(self.size)]
        states = [
            rollout_states(member, start, physical_BTP, dt_BN, rows)
            for member, start in zip(self.members, starts, strict=True)
        ]
        return {name: torch.cat([one[name] for one in states], dim=-1) for name in state}

    def abundance(self, state: State) -> Tensor:
        """Return the geometric mean of the members' abundances, `(B, S)`."""
        return self.decode(state["latent"])

    def observe(self, state: State) -> tuple[Tensor, dict[str, Tensor]]:
        """Return abundances `(B, S)`, and the members' spread averaged over species [dex], `(B,)`."""
        scaled = self._scaled(state["latent"])
        return self._mean(scaled), {SPREAD: self._spread(scaled).mean(dim=1)}

    def spread(self, state: State) -> Tensor:
        """Return the standard deviation of the members' log10 abundances [dex], `(B, S)`."""
        return self._spread(self._scaled(state["latent"]))

    def encode(self, abundance: Tensor) -> Tensor:
        """Return the members' latents `(..., M L)` of abundances `(..., S)`."""
        return torch.cat([member.encode(abundance) for member in self.members], dim=-1)

    def decode(self, latent: Tensor) -> Tensor:
        """Return the geometric mean of the abundances `(..., S)` of the members' latents `(..., M L)`."""
        return self._mean(self._scaled(latent))

    def decoder_of(self, species: Sequence[int]) -> Callable[[Tensor], Tensor]:
        """Return a decoder of some species, columns in their order."""
        return lambda latent: self.decode(latent)[..., list(species)]

    def scaled_physical(self, physical: Tensor) -> Tensor:
        """Return scaled parameters, as the members see them."""
        return self.members[0].scaled_physical(physical)

    @cached_property
    def _numbers(self) -> set[str]:
        """Names of what a member's state holds one number of per cell, `(B,)`; here they are `(B, M)`."""
        one = self.members[0]
        state = one.begin(torch.zeros(1, self.latent_dim // self.size, device=self.device))
        return {name for name, values in state.items() if values.ndim == 1}

    def _apart(self, values: Tensor) -> list[Tensor]:
        return list(values.chunk(self.size, dim=1))

    def _scaled(self, latent: Tensor) -> Tensor:
        """Return the members' scaled abundances, which are linear in the logarithm, `(M, ..., S)`."""
        parts = zip(self.members, latent.chunk(self.size, dim=-1), strict=True)
        return torch.stack([member.decode_scaled(part) for member, part in parts])

    def _mean(self, scaled: Tensor) -> Tensor:
        abundance: Tensor = self.scaling.unscale(scaled.mean(dim=0))
        return abundance

    def _spread(self, scaled: Tensor) -> Tensor:
        return self.scaling.decades * scaled.std(dim=0, correction=0)


def _side_by_side(values: Sequence[Tensor]) -> Tensor:
    """Return the members' values, `(B, n)` or `(B,)` each, as `(B, M n)`."""
    return torch.stack(list(values), dim=1) if values[0].ndim == 1 else torch.cat(list(values), dim=1)


Components = FusedPredictor | Ensemble
"""What trained networks become: the innermost predictor of a surrogate."""


def components_of(parts: Parts) -> Components:
    """Return the predictor of some trained networks: one, or an ensemble of its emulator's members."""
    members = [FusedPredictor(replace(parts, emulator=emulator)) for emulator in parts.emulators]
    return Ensemble(members) if hasattr(parts.emulator, "members") else members[0]

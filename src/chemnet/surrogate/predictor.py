"""The contract of a one-step predictor, and the one that is made of trained components.

Shapes: B cells, S species, P physical parameters, L latents.

A predictor keeps cells in a state of its own, a dict of tensors, cells first: `start` makes it from
abundances, `step` advances it, `abundance` reads it. What goes in and out is in physical units. Wrappers
(`ConservingPredictor`, ...) keep this contract, so they stack.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, Self

import torch
from torch import Tensor, nn

from chemnet.data.description import DataDescription
from chemnet.errors import ModelError
from chemnet.models.codec import Codec

State = dict[str, Tensor]

# how far scaled physical parameters may leave [0, 1] before they are clamped
PHYSICAL_MARGIN = 0.05


class Predictor(Protocol):
    """Advances cells by one step."""

    def start(self, abundance_BS: Tensor) -> State:
        """Return the state of cells with abundances `(B, S)` relative to H nuclei."""
        ...

    def step(self, state: State, physical_BP: Tensor, dt_B: Tensor) -> State:
        """Return the state after `dt` `(B,)` [yr] under physical parameters `(B, P)` in their own units."""
        ...

    def abundance(self, state: State) -> Tensor:
        """Return abundances `(B, S)` relative to H nuclei."""
        ...


def without(state: State, names: Collection[str]) -> State:
    """Return what the predictor inside a wrapper knows of a state: all but the wrapper's own entries."""
    return {name: values for name, values in state.items() if name not in names}


def gradients_wanted(*values: Tensor) -> bool:
    """Return whether gradients are recorded, and one of the tensors has them."""
    return torch.is_grad_enabled() and any(one.requires_grad for one in values)


def no_single_step(emulator: nn.Module) -> ModelError:
    """Return the error for an emulator that only predicts whole histories."""
    return ModelError(
        f"{type(emulator).__name__} cannot advance cells one step at a time",
        hint="an emulator that is part of a surrogate states advance(state, physical, dt); "
        "see the documentation of chemnet.models.contract",
    )


@dataclass(frozen=True)
class Parts:
    """The trained networks of a surrogate.

    Attributes
    ----------
    emulator
        Advances latents; a direct emulator advances scaled abundances.
    encoder, decoder
        Autoencoders whose encoder and decoder are used; None for a direct emulator.
    data
        Species, scalings and shapes that the emulator was trained with.
    """

    emulator: nn.Module
    encoder: nn.Module | None
    decoder: nn.Module | None
    data: DataDescription

    def __post_init__(self) -> None:
        for emulator in self.emulators:
            if not callable(getattr(emulator, "advance", None)):
                raise no_single_step(emulator)

    @property
    def emulators(self) -> list[nn.Module]:
        """The emulator, or the members of an ensemble of them."""
        members: Any = getattr(self.emulator, "members", None)
        return list(members or [self.emulator])

    @property
    def named(self) -> dict[str, nn.Module]:
        """The different networks by the role that they play, each once."""
        parts = {"emulator": self.emulator, "encoder": self.encoder}
        if self.decoder is not self.encoder:
            parts["decoder"] = self.decoder
        return {role: part for role, part in parts.items() if part is not None}


class ComponentPredictor(Codec):
    """A one-step predictor that encodes, advances and decodes with trained networks.

    Parameters
    ----------
    parts
        The networks.
    """

    # how many emulators predict
    size = 1

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts.encoder, parts.decoder, parts.data.abundance_scaling)
        self.data, self.device = parts.data, torch.device("cpu")
        self.emulator: Any = parts.emulator.eval().requires_grad_(False)
        # names of what `observe` gives beside abundances: entries of the state, where an emulator has some
        self.signs: tuple[str, ...] = getattr(self.emulator, "signs", ())
        # whether derivatives of a step are those of what it computes
        self.passes_gradients: bool = getattr(self.emulator, "passes_gradients", True)
        # whether a step begins with element totals that are kept, which latents in general cannot hold
        self.conserves_state: bool = getattr(self.emulator, "conserves_state", False)

    @cached_property
    def latent_dim(self) -> int:
        """Width of the latents."""
        return int(self.encode(torch.ones(1, self.data.n_species, device=self.device)).shape[-1])

    def to(self, device: torch.device) -> Self:
        """Move every network to a device and return this predictor."""
        for module in (self.emulator, self._encoder, self._decoder):
            module.to(device)
        self.device = device
        return self

    def start(self, abundance_BS: Tensor) -> State:
        """Return the state of cells with abundances `(B, S)`."""
        return self.begin(self.encode(abundance_BS))

    def begin(self, latent_BL: Tensor) -> State:
        """Return the state of cells with latents `(B, L)`; a network with memory adds its own."""
        begin: Callable[[Tensor], State] | None = getattr(self.emulator, "begin", None)
        return begin(latent_BL) if begin is not None else {"latent": latent_BL}

    def step(self, state: State, physical_BP: Tensor, dt_B: Tensor) -> State:
        """Return the state after one step."""
        after: State = self.emulator.advance(state, self.scaled_physical(physical_BP), dt_B.float())
        return after

    def abundance(self, state: State) -> Tensor:
        """Return abundances `(B, S)`, float32."""
        return self.decode(state["latent"])

    def observe(self, state: State) -> tuple[Tensor, dict[str, Tensor]]:
        """Return abundances `(B, S)`, and by name what the emulator's state says of their error."""
        return self.abundance(state), {name: state[name] for name in self.signs}

    def scaled_physical(self, physical: Tensor) -> Tensor:
        """Return scaled parameters, clamped near their range so that no input makes a network explode."""
        scaled: Tensor = self.data.physical_scaling.scale(physical.double())
        return scaled.clamp(-PHYSICAL_MARGIN, 1.0 + PHYSICAL_MARGIN).float()

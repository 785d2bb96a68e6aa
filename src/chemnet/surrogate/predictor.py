"""The contract of a one-step predictor, and the one that is made of trained components.

Shapes: B cells, S species, P physical parameters, L latents.

A predictor carries cells through time in a state of its own: a dict of tensors, cells first. `start` makes it
from abundances, `step` advances it, `abundance` reads it. In and out go physical units;
what is inside is the predictor's business. Wrappers (`Conserving`, ...) keep this contract, so they stack.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from chemnet.data.description import DataDescription
from chemnet.errors import ModelError

State = dict[str, Tensor]

# scaled physical parameters that a network is given at most: held there where a cell leaves its range further
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


class ScaledAbundances(nn.Module):
    """What stands for encoder and decoder of a direct emulator: its latents are the scaled abundances."""

    def encode(self, abundance: Tensor) -> Tensor:
        """Return scaled abundances as they are."""
        return abundance

    def decode(self, latent: Tensor) -> Tensor:
        """Return scaled abundances as they are."""
        return latent


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
            self._check(emulator)

    @staticmethod
    def _check(emulator: nn.Module) -> None:
        """Raise for an emulator that states no single step."""
        if not callable(getattr(emulator, "advance", None)):
            raise ModelError(
                f"{type(emulator).__name__} cannot advance cells one step at a time",
                hint="an emulator that is part of a surrogate states advance(state, physical, dt); "
                "see the documentation of chemnet.models.contract",
            )

    @property
    def emulators(self) -> list[nn.Module]:
        """The emulator, or the members of an ensemble of them."""
        return list(getattr(self.emulator, "members", None) or [self.emulator])

    @property
    def named(self) -> dict[str, nn.Module]:
        """The different networks by the role that they play, each once."""
        parts = {"emulator": self.emulator, "encoder": self.encoder}
        if self.decoder is not self.encoder:
            parts["decoder"] = self.decoder
        return {role: part for role, part in parts.items() if part is not None}


class ComponentPredictor:
    """A one-step predictor that encodes, advances and decodes with trained networks.

    Parameters
    ----------
    parts
        The networks.
    """

    # how many emulators predict
    size = 1

    def __init__(self, parts: Parts) -> None:
        self.data = parts.data
        self.emulator = parts.emulator.eval().requires_grad_(False)
        # names of what `observe` gives beside abundances: entries of the state, where an emulator has some
        self.signs: tuple[str, ...] = getattr(self.emulator, "signs", ())
        self._encoder = _inference_form(parts.encoder)
        self._decoder = self._encoder if parts.decoder is parts.encoder else _inference_form(parts.decoder)

    def to(self, device: torch.device) -> ComponentPredictor:
        """Move every network to a device and return this predictor."""
        for module in (self.emulator, self._encoder, self._decoder):
            module.to(device)
        return self

    def start(self, abundance_BS: Tensor) -> State:
        """Return the state of cells with abundances `(B, S)`."""
        return self.begin(self.encode(abundance_BS))

    def begin(self, latent_BL: Tensor) -> State:
        """Return the state of cells with latents `(B, L)`; a network with memory adds its own."""
        begin = getattr(self.emulator, "begin", None)
        return begin(latent_BL) if begin is not None else {"latent": latent_BL}

    def step(self, state: State, physical_BP: Tensor, dt_B: Tensor) -> State:
        """Return the state after one step."""
        return self.emulator.advance(state, self.scaled_physical(physical_BP), dt_B.float())

    def abundance(self, state: State) -> Tensor:
        """Return abundances `(B, S)`, float32."""
        return self.decode(state["latent"])

    def observe(self, state: State) -> tuple[Tensor, dict[str, Tensor]]:
        """Return abundances `(B, S)`, and by name what the emulator's state says of their error."""
        return self.abundance(state), {name: state[name] for name in self.signs}

    def encode(self, abundance: Tensor) -> Tensor:
        """Return latents `(..., L)` of abundances `(..., S)`."""
        return self._encoder.encode(self.data.abundance_scaling.scale(abundance).float())

    def decode(self, latent: Tensor) -> Tensor:
        """Return abundances `(..., S)` of latents `(..., L)`, inside the scaled range."""
        return self.data.abundance_scaling.unscale(self.decode_scaled(latent))

    def decode_scaled(self, latent: Tensor) -> Tensor:
        """Return scaled abundances `(..., S)` of latents `(..., L)`, inside the scaled range."""
        return self._decoder.decode(latent).clamp(0.0, 1.0)

    def scaled_physical(self, physical: Tensor) -> Tensor:
        """Return scaled parameters; beyond the margin they are held, so that no input makes a net explode."""
        scaled = self.data.physical_scaling.scale(physical.double())
        return scaled.clamp(-PHYSICAL_MARGIN, 1.0 + PHYSICAL_MARGIN).float()


def _inference_form(autoencoder: nn.Module | None) -> Any:
    """Return an autoencoder as inference uses it; the identity where there is none."""
    if autoencoder is None:
        return ScaledAbundances()
    model: Any = autoencoder
    return model.for_inference().requires_grad_(False)

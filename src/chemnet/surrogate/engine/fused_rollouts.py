"""Emulators as fused rollouts: scaling, standardisation and biases folded into a few compiled loops.

Shapes: B cells, T rows of a history, R wanted rows, P physical parameters, L latents, M units of memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chemnet.compiling import announce_compilation
from chemnet.data.description import DataDescription
from chemnet.models.emulators.emulator import Emulator
from chemnet.models.emulators.spaces.abundance import AbundanceSpace, StandardisedAbundanceSpace
from chemnet.models.emulators.spaces.latent import LatentSpace
from chemnet.models.emulators.steps.recurrent import MEMORY, RecurrentStep
from chemnet.models.emulators.steps.relaxation import RelaxationStep
from chemnet.models.emulators.steps.residual import ResidualStep
from chemnet.models.emulators.steps.step import LATENT
from chemnet.models.fast.training_kernels.blocks import in_blocks
from chemnet.surrogate.engine import rollout_kernels
from chemnet.surrogate.engine.forcing_features import Floats, Forcing, absorb, forcing_of, ranges_of
from chemnet.surrogate.engine.perceptron_arrays import Layer, Packed, as_float64, filled, layers_of, pack
from chemnet.surrogate.predictor import State

Rows = NDArray[np.int64]
Stepping = tuple[Callable[[Any, Any], Floats], Floats]
# said while the kernels are compiled
_WHAT_COMPILES = "the rollout (once per machine, some 20 s)"
# cells whose hidden layers a core works on together: few enough for its cache, many enough for its BLAS
CELLS_PER_BLOCK = 512


class FusedRollout(Protocol):
    """Rolls cells out along their histories on the CPU."""

    def states(self, state: State, physical_BTP: Tensor, dt_BN: Tensor, rows: Rows) -> State:
        """Return the states `(B, R, ...)` in the wanted rows, which ascend; row 0 is the given state."""
        ...

    def stepper(self, state: State) -> Stepping:
        """Return what advances cells from a state, and their latents `(B, L)`, which it overwrites.

        It takes parameters `(B, P)` and time steps `(B,)` or one number, and returns the latents.
        """
        ...


@dataclass(frozen=True)
class PerceptronRollout:
    """The rollout of an emulator whose step is one perceptron.

    Attributes
    ----------
    kind
        ``RESIDUAL`` or ``RELAXING``, of `chemnet.surrogate.engine.rollout_kernels`.
    network, forcing, ranges
        The perceptron, its forcing, and the scaling and range of the latents.
    """

    kind: int
    network: Packed
    forcing: Forcing
    ranges: Floats

    def states(self, state: State, physical_BTP: Tensor, dt_BN: Tensor, rows: Rows) -> State:
        """Return the states in the wanted rows; see `FusedRollout`."""
        announce_compilation(rollout_kernels.roll, _WHAT_COMPILES)
        start, physical, dt = state[LATENT].numpy(), physical_BTP.numpy(), dt_BN.numpy()
        latents = np.empty((len(start), len(rows), start.shape[1]), np.float32)

        def roll(cells: slice) -> None:
            self.write(start[cells], physical[cells], dt[cells], rows, latents[cells])

        in_blocks(len(start), roll, CELLS_PER_BLOCK)
        return {LATENT: torch.from_numpy(latents)}

    def stepper(self, state: State) -> Stepping:
        """Return what advances the latents of some cells in place; see `FusedRollout`."""
        latents = state[LATENT].numpy().astype(np.float32, order="C")
        physical, dt = np.empty((len(latents), 1, len(self.forcing.limits))), np.empty((len(latents), 1))
        forcing = self.forcing
        fixed = (self.kind, *self.network, forcing.terms, forcing.limits, self.ranges, forcing.usual)
        # the kernel has read the start when it writes the end
        moving = (latents, physical, dt, np.ones(1, np.int64), latents[:, None])

        def advance(parameters: Any, step: Any) -> Floats:
            physical[:, 0], dt[:, 0] = parameters, step
            rollout_kernels.roll(*fixed, *moving)
            return latents

        return advance, latents

    def write(self, start: Floats, physical: Any, dt: Any, rows: Rows, out: Floats) -> None:
        """Write the latents `(B, R, L)` of some cells."""
        forcing = self.forcing
        rollout_kernels.roll(
            self.kind,
            *self.network,
            forcing.terms,
            forcing.limits,
            self.ranges,
            forcing.usual,
            np.ascontiguousarray(start, np.float32),
            np.ascontiguousarray(physical, np.float64),
            np.ascontiguousarray(dt, np.float64),
            rows,
            out,
        )


@dataclass(frozen=True)
class RecurrentRollout:
    """The rollout of an emulator with a gated recurrent unit.

    Attributes
    ----------
    look, new, old, head
        Perceptrons; see `chemnet.surrogate.engine.rollout_kernels.roll_recurrent`.
    forcing, ranges
        As for `PerceptronRollout`.
    """

    look: Packed
    new: Packed
    old: Packed
    head: Packed
    forcing: Forcing
    ranges: Floats

    def states(self, state: State, physical_BTP: Tensor, dt_BN: Tensor, rows: Rows) -> State:
        """Return the states in the wanted rows; see `FusedRollout`."""
        announce_compilation(rollout_kernels.roll_recurrent, _WHAT_COMPILES)
        start, memory = state[LATENT].numpy(), state[MEMORY].numpy()
        physical, dt = physical_BTP.numpy(), dt_BN.numpy()
        latents, memories = (
            np.empty((len(start), len(rows), first.shape[1]), np.float32) for first in (start, memory)
        )
        networks = tuple(tuple(network) for network in (self.look, self.new, self.old, self.head))

        def roll(cells: slice) -> None:
            rollout_kernels.roll_recurrent(
                *networks,
                self.forcing.terms,
                self.forcing.limits,
                self.ranges,
                self.forcing.usual,
                np.ascontiguousarray(start[cells], np.float32),
                np.ascontiguousarray(memory[cells], np.float32),
                np.ascontiguousarray(physical[cells], np.float64),
                np.ascontiguousarray(dt[cells], np.float64),
                rows,
                latents[cells],
                memories[cells],
            )

        in_blocks(len(start), roll, CELLS_PER_BLOCK)
        return {LATENT: torch.from_numpy(latents), MEMORY: torch.from_numpy(memories)}

    def stepper(self, state: State) -> Stepping:
        """Return what advances the latents of some cells in place; see `FusedRollout`."""
        latents, memory = (state[name].numpy().astype(np.float32, order="C") for name in (LATENT, MEMORY))
        physical, dt = np.empty((len(latents), 1, len(self.forcing.limits))), np.empty((len(latents), 1))
        forcing = self.forcing
        networks = tuple(tuple(network) for network in (self.look, self.new, self.old, self.head))
        fixed = (*networks, forcing.terms, forcing.limits, self.ranges, forcing.usual)
        moving = (latents, memory, physical, dt, np.ones(1, np.int64), latents[:, None], memory[:, None])

        def advance(parameters: Any, step: Any) -> Floats:
            physical[:, 0], dt[:, 0] = parameters, step
            rollout_kernels.roll_recurrent(*fixed, *moving)
            return latents

        return advance, latents


def fused_rollout(emulator: Any, data: DataDescription) -> FusedRollout | None:
    """Return the fused rollout of an emulator, or None for a kind that has none.

    Only what chemnet's own classes do is known: what is derived from them may do something else.
    """
    build = _BUILDERS.get(type(emulator.step)) if is_composition(emulator) else None
    found = forcing_of(emulator, data) if build is not None else None
    return build(emulator, *found) if build is not None and found is not None else None


def is_composition(emulator: Any) -> bool:
    """Return whether an emulator's class composes a space and a step of chemnet, and states nothing else."""
    own = [cls for cls in type(emulator).__mro__ if issubclass(cls, Emulator) and cls is not Emulator]
    return (
        isinstance(emulator, Emulator)
        and type(emulator.space) in _SPACES
        and not any(
            callable(value) for cls in own for value in vars(cls).values() if not isinstance(value, type)
        )
    )


def _residual(emulator: Any, forcing: Forcing, gains: Any) -> FusedRollout | None:
    layers = layers_of(emulator.step.change)
    if layers is None:
        return None
    network = pack(filled([absorb(layers[0], gains), *layers[1:]]))
    return PerceptronRollout(rollout_kernels.RESIDUAL, network, forcing, ranges_of(emulator))


def _relaxing(emulator: Any, forcing: Forcing, gains: Any) -> FusedRollout:
    net = emulator.step
    drive = Layer.of(net.from_forcing)
    matrix = np.concatenate([drive.matrix, as_float64(net.from_latent.weight).T])
    layers = [absorb(Layer(matrix, drive.bias, "silu"), gains)]
    for linear in net.layers[:-1]:
        layer = Layer.of(linear)
        layers.append(Layer(layer.matrix, layer.bias, "silu"))
    layers.append(_halves(Layer.of(net.layers[-1]), emulator.latent_dim))
    return PerceptronRollout(rollout_kernels.RELAXING, pack(layers), forcing, ranges_of(emulator))


def _recurrent(emulator: Any, forcing: Forcing, gains: Any) -> FusedRollout | None:
    step = emulator.step
    look, head = layers_of(step.look), layers_of(step.change)
    if look is None or head is None:
        return None
    cell = step.cell
    new, old = (
        Layer(as_float64(weight).T, as_float64(bias))
        for weight, bias in ((cell.weight_ih, cell.bias_ih), (cell.weight_hh, cell.bias_hh))
    )
    packed = pack([absorb(look[0], gains), *look[1:]]), pack([new]), pack([old]), pack(filled(head))
    return RecurrentRollout(*packed, forcing, ranges_of(emulator))


def _halves(layer: Layer, latent_dim: int) -> Layer:
    """Return the last layer of a relaxation with targets and rates each filled up to whole vectors."""
    halves = (range(latent_dim), range(latent_dim, 2 * latent_dim))
    parts = [layer.only(half).filled() for half in halves]
    matrix = np.concatenate([part.matrix for part in parts], axis=1)
    return Layer(matrix, np.concatenate([part.bias for part in parts]))


_SPACES = (LatentSpace, AbundanceSpace, StandardisedAbundanceSpace)
_BUILDERS: dict[type, Callable[[Any, Forcing, Any], FusedRollout | None]] = {
    ResidualStep: _residual,
    RelaxationStep: _relaxing,
    RecurrentStep: _recurrent,
}

"""Encoders and decoders as fused maps between abundances and latents: both scalings are in the weights.

Shapes: S species, L latents.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from chemnet.data.scaling import AbundanceScaling
from chemnet.models.autoencoders.autoencoder import FoldedAutoencoder
from chemnet.models.autoencoders.pca_autoencoder import PCAAutoencoder
from chemnet.models.autoencoders.residual_autoencoder import ResidualAutoencoder
from chemnet.models.codec import ScaledAbundances
from chemnet.models.fast.training_kernels.blocks import in_blocks
from chemnet.surrogate.engine import perceptron_kernels
from chemnet.surrogate.engine.perceptron_arrays import (
    Array,
    Layer,
    Packed,
    as_float64,
    filled,
    layers_of,
    pack,
)

# a perceptron, and a matrix from its inputs to its outputs where there is one
Network = tuple[list[Layer], Array | None]
_LOG2_10 = float(np.log2(10.0))


class Coder(Protocol):
    """One direction of an autoencoder, on the CPU."""

    def __call__(self, values: Tensor, out: Tensor | None = None) -> Tensor:
        """Return latents `(..., L)` of abundances `(..., S)`, or the other way round; float32.

        `out` is written where it is given: contiguous and of the shape of the result.
        """
        ...


@dataclass(frozen=True)
class FusedMap:
    """Latents of abundances, or abundances of latents, by a perceptron.

    Attributes
    ----------
    kernel, dtype
        `encode`, which reads abundances in float64, or `decode`, which reads latents in float32.
    network, width
        The perceptron, and how many of its outputs count.
    decades
        Between the abundance floor and 1.
    """

    kernel: Callable[..., None]
    dtype: torch.dtype
    network: Packed
    width: int
    decades: float

    def __call__(self, values: Tensor, out: Tensor | None = None) -> Tensor:
        """Return latents of abundances, or abundances of latents; see `Coder`."""
        rows = values.reshape(-1, values.shape[-1]).to(self.dtype).contiguous().numpy()
        result = _result(out, values.shape[:-1], self.width)
        found = result.view(-1, self.width).numpy()

        def of_rows(part: slice) -> None:
            self.kernel(rows[part], *self.network, self.decades, found[part])

        in_blocks(len(rows), of_rows)
        return result


@dataclass(frozen=True)
class Unscaling:
    """Abundances of scaled ones, which are the latents of a direct emulator.

    Attributes
    ----------
    decades
        Between the abundance floor and 1.
    species
        Columns that are wanted; None: all.
    """

    decades: float
    species: Sequence[int] | None = None

    def __call__(self, values: Tensor, out: Tensor | None = None) -> Tensor:
        """Return abundances `(..., S)` of scaled ones `(..., S)`; see `Coder`."""
        chosen = values if self.species is None else values[..., list(self.species)]
        scaled = chosen.float().contiguous().view(-1).numpy()
        result = _result(out, chosen.shape[:-1], chosen.shape[-1])
        abundances = result.view(-1).numpy()

        def unscale(part: slice) -> None:
            perceptron_kernels.unscale(scaled[part], self.decades, abundances[part])

        in_blocks(len(scaled), unscale)
        return result


def _result(out: Tensor | None, leading: torch.Size, width: int) -> Tensor:
    return torch.empty(*leading, width) if out is None else out


def fused_encoder(autoencoder: Any, scaling: AbundanceScaling) -> Coder | None:
    """Return the fused encoder of an autoencoder in its inference form, or None for a kind that has none."""
    network = _network(autoencoder, _ENCODERS)
    if network is None:
        return None
    layers, skip = network
    # the kernel gives log2 of the abundances beside the floor
    gain = np.full(layers[0].matrix.shape[0], 1.0 / (scaling.decades * _LOG2_10))
    first = layers[0].after_inputs(gain, np.zeros_like(gain))
    packed = pack(filled([first, *layers[1:]]), None if skip is None else skip * gain[:, None])
    n_latents = layers[-1].matrix.shape[1]
    return FusedMap(perceptron_kernels.encode, torch.float64, packed, n_latents, scaling.decades)


def fused_decoder(
    autoencoder: Any, scaling: AbundanceScaling, species: Sequence[int] | None = None
) -> Coder | None:
    """Return the fused decoder of an autoencoder in its inference form, or None for a kind that has none.

    Parameters
    ----------
    autoencoder
        `ScaledAbundances` stands for the decoder of a direct emulator.
    scaling
        Of the abundances.
    species
        Columns that are wanted; None: all. The others are never computed.
    """
    if type(autoencoder) is ScaledAbundances:
        return Unscaling(scaling.decades, species)
    network = _network(autoencoder, _DECODERS)
    if network is None:
        return None
    layers, skip = network
    chosen = range(layers[-1].matrix.shape[1]) if species is None else species
    gain = np.full(len(chosen), scaling.decades * _LOG2_10)
    last = layers[-1].only(chosen).before_outputs(gain, -gain)
    packed = pack(filled([*layers[:-1], last]), None if skip is None else skip[:, chosen] * gain)
    return FusedMap(perceptron_kernels.decode, torch.float32, packed, len(chosen), scaling.decades)


def _network(autoencoder: Any, known: dict[type, Any]) -> Network | None:
    """Return one direction of an autoencoder as a perceptron whose last layer is linear, if it is one."""
    build = known.get(type(autoencoder))
    network = build(autoencoder) if build is not None else None
    return network if network is not None and network[0][-1].activation == "none" else None


def _of_sequence(name: str, autoencoder: Any) -> Network | None:
    layers = layers_of(getattr(autoencoder, name))
    return None if layers is None else (layers, None)


def _residual_encoder(autoencoder: Any) -> Network | None:
    """Return the encoder that corrects principal components: its mean and latent range go into the layers."""
    layers = layers_of(autoencoder.correct_latent)
    if layers is None:
        return None
    gain, offset = _latent_map(autoencoder)
    matrix, mean = as_float64(autoencoder.linear_in).T, as_float64(autoencoder.mean)
    first = layers[0].after_inputs(np.ones_like(mean), -mean)
    layers = [first, *layers[1:]]
    layers[-1] = layers[-1].before_outputs(gain, offset - gain * (mean @ matrix))
    return layers, matrix * gain


def _residual_decoder(autoencoder: Any) -> Network | None:
    layers = layers_of(autoencoder.correct_output)
    if layers is None:
        return None
    gain, offset = _latent_map(autoencoder)
    matrix, mean = as_float64(autoencoder.linear_out).T, as_float64(autoencoder.mean)
    # latents are gain raw + offset
    width, low = 1.0 / gain, -offset / gain
    layers = [layers[0].after_inputs(width, low), *layers[1:]]
    layers[-1] = layers[-1].before_outputs(np.ones_like(mean), mean + low @ matrix)
    return layers, matrix * width[:, None]


def _component_encoder(autoencoder: Any) -> Network:
    gain, offset = _latent_map(autoencoder)
    matrix, mean = as_float64(autoencoder.components).T, as_float64(autoencoder.mean)
    return [Layer(matrix, -(mean @ matrix)).before_outputs(gain, offset)], None


def _component_decoder(autoencoder: Any) -> Network:
    gain, offset = _latent_map(autoencoder)
    layer = Layer(as_float64(autoencoder.components), as_float64(autoencoder.mean))
    return [layer.after_inputs(1.0 / gain, -offset / gain)], None


def _latent_map(autoencoder: Any) -> tuple[Array, Array]:
    """Return gain and offset that make latents of raw ones, each `(L,)`."""
    low, high = as_float64(autoencoder.latent_low), as_float64(autoencoder.latent_high)
    return 1.0 / (high - low), -low / (high - low)


_ENCODERS: dict[type, Any] = {
    FoldedAutoencoder: partial(_of_sequence, "encoder"),
    ResidualAutoencoder: _residual_encoder,
    PCAAutoencoder: _component_encoder,
}
_DECODERS: dict[type, Any] = {
    FoldedAutoencoder: partial(_of_sequence, "decoder"),
    ResidualAutoencoder: _residual_decoder,
    PCAAutoencoder: _component_decoder,
}

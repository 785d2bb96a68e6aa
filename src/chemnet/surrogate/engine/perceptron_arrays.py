"""Perceptrons as arrays that the compiled kernels read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from chemnet.models.fast.training_kernels.activations import ACTIVATION_CODES
from chemnet.models.layers import FullPrecisionLinear, activation_name
from chemnet.surrogate.engine.perceptron_kernels import BIAS_ROWS

Array = NDArray[np.float64]
# outputs are filled up with zeros to a multiple of this: whole vectors of AVX2
_VECTOR = 8


@dataclass(frozen=True)
class Layer:
    """A linear map followed by an activation, ``activation(x @ matrix + bias)``.

    Attributes
    ----------
    matrix
        `(n_in, n_out)`.
    bias
        `(n_out,)`.
    activation
        One of `chemnet.models.fast.training_kernels.activations.ACTIVATION_CODES`.
    """

    matrix: Array
    bias: Array
    activation: str = "none"

    @classmethod
    def of(cls, linear: nn.Linear) -> Layer:
        """Return the layer of a PyTorch one."""
        matrix = as_float64(linear.weight).T
        return cls(matrix, np.zeros(matrix.shape[1]) if linear.bias is None else as_float64(linear.bias))

    def after_inputs(self, gain: Array, offset: Array) -> Layer:
        """Return the layer that does for x what this one does for ``gain x + offset``, each `(n_in,)`."""
        return Layer(self.matrix * gain[:, None], self.bias + offset @ self.matrix, self.activation)

    def before_outputs(self, gain: Array, offset: Array) -> Layer:
        """Return the layer whose outputs are ``gain y + offset`` of the outputs y of this linear one."""
        return Layer(self.matrix * gain, self.bias * gain + offset, self.activation)

    def only(self, outputs: Sequence[int]) -> Layer:
        """Return the layer of some of the outputs."""
        return Layer(self.matrix[:, outputs], self.bias[outputs], self.activation)

    def filled(self) -> Layer:
        """Return the layer with outputs of 0 added up to whole vectors."""
        n_out = -(-self.matrix.shape[1] // _VECTOR) * _VECTOR
        bias = _with_columns(self.bias[None], n_out)[0]
        return Layer(_with_columns(self.matrix, n_out), bias, self.activation)


class Packed(NamedTuple):
    """A perceptron as the kernels of `chemnet.surrogate.engine.perceptron_kernels` take it."""

    matrices: NDArray[np.float32]
    biases: NDArray[np.float32]
    layout: NDArray[np.int64]


def pack(layers: Sequence[Layer], skip: Array | None = None) -> Packed:
    """Return a perceptron in arrays.

    Parameters
    ----------
    layers
        In order.
    skip
        `(n_in, n_out)`: the inputs times this are added to the outputs.
    """
    widths = [layers[0].matrix.shape[0], *(layer.matrix.shape[1] for layer in layers)]
    codes = [ACTIVATION_CODES[layer.activation] for layer in layers]
    matrices = [layer.matrix.ravel() for layer in layers]
    if skip is not None:
        matrices.append(_with_columns(skip, widths[-1]).ravel())
    return Packed(
        np.concatenate(matrices).astype(np.float32),
        np.concatenate([np.tile(layer.bias, BIAS_ROWS) for layer in layers]).astype(np.float32),
        np.array([len(layers), *widths, *codes, skip is not None], dtype=np.int64),
    )


def filled(layers: Sequence[Layer]) -> list[Layer]:
    """Return layers whose outputs are filled up to whole vectors."""
    return [*layers[:-1], layers[-1].filled()]


def layers_of(module: nn.Module) -> list[Layer] | None:
    """Return the layers of a sequence of linear layers and activations; None where it has something else."""
    layers: list[Layer] = []
    for part in _flattened(module):
        if type(part) is nn.Dropout:
            continue
        if type(part) is nn.Linear:
            layers.append(Layer.of(part))
            continue
        name = activation_name(part)
        if name is None or not layers or layers[-1].activation != "none":
            return None
        layers[-1] = Layer(layers[-1].matrix, layers[-1].bias, name)
    return layers or None


def as_float64(tensor: Tensor) -> Array:
    """Return a tensor as an array in double precision."""
    return tensor.detach().double().cpu().numpy()


def _flattened(module: nn.Module) -> list[nn.Module]:
    """Return what a sequence does one after another, linear layers bare."""
    if isinstance(module, FullPrecisionLinear):
        return [module.layer]
    if type(module) is nn.Sequential:
        return [inner for part in module for inner in _flattened(part)]
    return [module]


def _with_columns(matrix: Array, n_columns: int) -> Array:
    return np.pad(matrix, ((0, 0), (0, n_columns - matrix.shape[1])))

"""What no program can go below on this machine: matrix products alone, and a plain read and write."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch


def training_products(widths: Sequence[int], rows: int, batches: int) -> Callable[[], None]:
    """Return the matrix products of a perceptron's training, forward and backward, and nothing else.

    Parameters
    ----------
    widths
        Of its layers, inputs first.
    rows
        Rows per batch; everything is written into memory that is there already.
    batches
        How often.
    """
    inputs = [torch.rand(rows, width) for width in widths]
    gradients = [torch.rand(rows, width) for width in widths]
    weights = [torch.rand(n_out, n_in) for n_in, n_out in pairwise(widths)]
    weight_gradients = [torch.empty_like(weight) for weight in weights]
    layers = range(len(weights))

    def multiply() -> None:
        for _ in range(batches):
            for k in layers:
                torch.mm(inputs[k], weights[k].T, out=inputs[k + 1])
            for k in reversed(layers):
                torch.mm(gradients[k + 1].T, inputs[k], out=weight_gradients[k])
                if k:  # the data need no gradient
                    torch.mm(gradients[k + 1], weights[k], out=gradients[k])

    # without bounds the values would overflow, which some processors are slow at
    for weight in weights:
        weight /= weight.shape[1]
    return multiply

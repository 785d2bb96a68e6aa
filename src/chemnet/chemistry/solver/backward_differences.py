"""The backward differences of a variable-order NDF: predicted, rescaled, and taken on by one step."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from chemnet.compiling import inner

Array = NDArray[np.float64]

MAX_ORDER = 5
_KAPPA = np.array([0.0, -0.1850, -1.0 / 9.0, -0.0823, -0.0415, 0.0])
_GAMMA = np.concatenate((np.zeros(1), np.cumsum(1.0 / np.arange(1, MAX_ORDER + 1))))
ALPHA = (1.0 - _KAPPA) * _GAMMA
"""Step size over the coefficient of the right-hand side, by order."""
ERROR_CONSTANT = _KAPPA * _GAMMA + 1.0 / np.arange(1, MAX_ORDER + 2)
"""Local error over the next backward difference, by order."""


@inner(fastmath={"reassoc", "contract"})
def scaled_norm(x: Array, scale: Array) -> float:
    """Return the root mean square of x / scale."""
    total = 0.0
    for i in range(scale.size):
        ratio = x[i] / scale[i]
        total += ratio * ratio
    return math.sqrt(total / scale.size)


@inner
def set_scale(y: Array, rtol: float, atol: float, scale: Array) -> None:
    """Fill `scale` with the error that each abundance may have."""
    for i in range(y.size):
        scale[i] = atol + rtol * abs(y[i])


@inner
def predict(differences: Array, order: int, prediction: Array, history: Array) -> None:
    """Extrapolate by one step, and sum up what the history adds to the step's equation."""
    for i in range(prediction.size):
        prediction[i] = differences[0, i]
        history[i] = 0.0
    for j in range(1, order + 1):
        weight = _GAMMA[j] / ALPHA[order]
        for i in range(prediction.size):
            prediction[i] += differences[j, i]
            history[i] += weight * differences[j, i]


@inner
def rescale(differences: Array, order: int, factor: float) -> None:
    """Rescale the backward differences in place for a step `factor` times as large."""
    size = order + 1
    scaling, identity = np.zeros((size, size)), np.zeros((size, size))
    for j in range(size):
        scaling[0, j] = identity[0, j] = 1.0
    for i in range(1, size):
        for j in range(1, size):
            scaling[i, j] = scaling[i - 1, j] * (i - 1 - factor * j) / i
            identity[i, j] = identity[i - 1, j] * (i - 1 - j) / i
    old = differences[:size].copy()
    for i in range(1, size):  # the state itself stays, and so its totals
        for s in range(old.shape[1]):
            differences[i, s] = 0.0
        for j in range(1, size):
            weight = 0.0
            for between in range(size):
                weight += scaling[j, between] * identity[between, i]
            for s in range(old.shape[1]):
                differences[i, s] += weight * old[j, s]


@inner
def accept(differences: Array, order: int, correction: Array) -> None:
    """Update the differences with the correction of an accepted step; abundances stay positive."""
    for i in range(correction.size):
        differences[order + 2, i] = correction[i] - differences[order + 1, i]
        differences[order + 1, i] = correction[i]
    for j in range(order, -1, -1):
        for i in range(correction.size):
            differences[j, i] += differences[j + 1, i]
    for i in range(correction.size):
        differences[0, i] = max(differences[0, i], 0.0)


@inner
def best_order(differences: Array, scale: Array, order: int, error: float) -> tuple[int, float]:
    """Return the order whose error allows the largest next step, and the factor for that step."""
    best, largest = order, max(error, 1e-30) ** (-1.0 / (order + 1))
    if order > 1:
        lower = ERROR_CONSTANT[order - 1] * scaled_norm(differences[order], scale)
        factor = max(lower, 1e-30) ** (-1.0 / order)
        if factor > largest:
            best, largest = order - 1, factor
    if order < MAX_ORDER:
        higher = ERROR_CONSTANT[order + 1] * scaled_norm(differences[order + 2], scale)
        factor = max(higher, 1e-30) ** (-1.0 / (order + 2))
        if factor > largest:
            best, largest = order + 1, factor
    return best, largest

"""Activations with their slopes, in one pass."""

from __future__ import annotations

import numpy as np

from chemnet.models.kernels.compilation import part
from chemnet.models.kernels.elementary import F, erf_half, exp2, tanh

ACTIVATION_CODES = {"none": 0, "gelu": 1, "silu": 2, "relu": 3, "tanh": 4}
LOG2_OF_NORMAL = F(-0.5 * np.log2(np.e))
NORMAL_AT_0 = F(1.0 / np.sqrt(2.0 * np.pi))


@part
def activate_with_slope(values, slopes, code):
    """Replace values, of one axis, by their activation, and write its slope."""
    if code == 1:
        for j in range(values.shape[0]):
            x = values[j]
            below = F(0.5) + erf_half(x)
            values[j] = x * below
            slopes[j] = below + x * (NORMAL_AT_0 * exp2(LOG2_OF_NORMAL * x * x))
    elif code == 2:
        for j in range(values.shape[0]):
            x = values[j]
            logistic = F(0.5) + F(0.5) * tanh(F(0.5) * x)
            value = x * logistic
            values[j] = value
            slopes[j] = logistic + value * (F(1.0) - logistic)
    elif code == 3:
        for j in range(values.shape[0]):
            x = values[j]
            values[j] = max(x, F(0.0))
            slopes[j] = F(1.0) if x > F(0.0) else F(0.0)
    else:
        for j in range(values.shape[0]):
            value = tanh(values[j])
            values[j] = value
            slopes[j] = F(1.0) - value * value

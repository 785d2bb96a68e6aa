"""Kernels of training on a CPU: activations together with their slopes, in one pass."""

from __future__ import annotations

import numpy as np

from chemnet.compiling import inner_kernel, kernel
from chemnet.models.fast.training_kernels.elementary import LOG2_E, F, erf_half, exp2, log2, tanh

ACTIVATION_CODES = {"none": 0, "gelu": 1, "silu": 2, "relu": 3, "tanh": 4}
_LOG2_OF_NORMAL = F(-0.5 * np.log2(np.e))
_NORMAL_AT_0 = F(1.0 / np.sqrt(2.0 * np.pi))


@inner_kernel
def gelu_and_slope(x):
    """Return GELU and its derivative at one value."""
    below = F(0.5) + erf_half(x)
    return x * below, below + x * (_NORMAL_AT_0 * exp2(_LOG2_OF_NORMAL * x * x))


@inner_kernel
def remaining_distance(rate, relative):
    """Return ``exp(-r softplus(k))`` (see `chemnet.models.layers`), and the logistic function of k."""
    grown = exp2(rate * LOG2_E)
    return exp2(-relative * log2(F(1.0) + grown)), grown / (F(1.0) + grown)


@kernel
def gelu_with_slope(values, out, slope):
    """Fill `out` with GELU(values) and `slope` with its derivative; all are `(n,)` float32."""
    for i in range(len(values)):
        out[i], slope[i] = gelu_and_slope(values[i])


@inner_kernel
def activate_with_slope(values, slopes, code):
    """Replace values, of one axis, by their activation, and write its slope."""
    if code == 1:
        for j in range(values.shape[0]):
            values[j], slopes[j] = gelu_and_slope(values[j])
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

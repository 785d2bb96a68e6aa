"""Kernel of training on a CPU: GELU together with its slope, in one pass."""

from __future__ import annotations

import numpy as np

from chemnet.models.kernels.compilation import kernel
from chemnet.models.kernels.elementary import F, erf_half, exp2

_LOG2_OF_NORMAL = F(-0.5 * np.log2(np.e))
_NORMAL_AT_0 = F(1.0 / np.sqrt(2.0 * np.pi))


@kernel
def gelu_with_slope(values, out, slope):
    """Fill `out` with GELU(values) and `slope` with its derivative; all are `(n,)` float32."""
    for i in range(len(values)):
        y = values[i]
        below = F(0.5) + erf_half(y)
        out[i] = y * below
        slope[i] = below + y * (_NORMAL_AT_0 * exp2(_LOG2_OF_NORMAL * y * y))

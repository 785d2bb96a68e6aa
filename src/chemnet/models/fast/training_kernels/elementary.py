"""Elementary functions in float32 that the compiler turns into vector instructions, which libm's are not.

They are good to a few units in the last place: NaN in, NaN out.
"""

from __future__ import annotations

import numpy as np

from chemnet.compiling import inner_kernel

F, I = np.float32, np.int32  # noqa: E741  short, for they stand in every line
LOG2_10 = np.float32(np.log2(10.0))
LOG10_2 = np.float32(np.log10(2.0))
LOG2_E = np.float32(np.log2(np.e))


@inner_kernel
def exp2(x):
    """2^x for x in [-126, 126]: a Taylor polynomial on [-1/2, 1/2] times a power of two made of its bits."""
    x = min(max(x, F(-126.0)), F(126.0))
    whole = np.floor(x + F(0.5))
    f = x - whole
    f2 = f * f
    low = (F(1.0) + F(0.6931471805599453) * f) + (F(0.2402265069591007) + F(0.0555041086648216) * f) * f2
    high = (F(0.009618129107628477) + F(0.0013333558146428443) * f) + F(0.00015403530393381608) * f2
    return (low + high * (f2 * f2)) * I((I(whole) + I(127)) << I(23)).view(F)


@inner_kernel
def log2(x):
    """log2 of a positive number: its exponent, and an artanh series in its mantissa in [1/sqrt 2, sqrt 2)."""
    bits = F(x).view(I)
    exponent = I(I(bits - I(0x3F3504F3)) >> I(23))
    mantissa = I(bits - I(exponent << I(23))).view(F)
    s = (mantissa - F(1.0)) / (mantissa + F(1.0))
    q = s * s
    series = F(1.0) + q * (F(1.0 / 3.0) + q * (F(0.2) + q * (F(1.0 / 7.0) + q * F(1.0 / 9.0))))
    return F(exponent) + F(2.8853900817779268) * s * series


@inner_kernel
def erf_half(x):
    """erf(x / sqrt 2) / 2, by the rational minimax approximation of Eigen's erf, factors drawn in."""
    x = min(max(x, F(-5.656854249492381)), F(5.656854249492381))
    q = x * x
    q2 = q * q
    low = (F(0.398942254539802) + F(0.03661506797952034) * q) + (
        F(0.004554209307118366) + F(0.00017636187818949488) * q
    ) * q2
    high = (F(3.254634397810506e-06) + F(-2.1459904745651184e-08) * q) + F(1.0557466595229366e-10) * q2
    below = (F(1.0) + F(0.2584459884133409) * q) + (
        F(0.029492775302725233) + F(0.001869768301664804) * q
    ) * q2
    return x * ((low + high * (q2 * q2)) / (below + F(6.38202694858039e-05) * (q2 * q2)))


@inner_kernel
def tanh(x):
    """tanh(x), by the rational minimax approximation of Eigen."""
    x = min(max(x, F(-7.90531110763549805)), F(7.90531110763549805))
    q = x * x
    q2 = q * q
    low = (F(4.89352455891786e-03) + F(6.37261928875436e-04) * q) + (
        F(1.48572235717979e-05) + F(5.12229709037114e-08) * q
    ) * q2
    high = (F(-8.60467152213735e-11) + F(2.00018790482477e-13) * q) + F(-2.76076847742355e-16) * q2
    below = (F(4.89352518554385e-03) + F(2.26843463243900e-03) * q) + (
        F(1.18534705686654e-04) + F(1.19825839466702e-06) * q
    ) * q2
    return x * ((low + high * (q2 * q2)) / below)

/* Elementary functions that compilers turn into vector instructions; a few units in the last place. */
#ifndef CHEMNET_ELEMENTARY_H
#define CHEMNET_ELEMENTARY_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#define LOG2_10F 3.3219280948873623f
#define LOG10_2F 0.30102999566398120f
#define LOG2_EF 1.4426950408889634f

static inline float held(float x, float low, float high) {
    x = x < low ? low : x;
    return x > high ? high : x;
}

/* 2^x for x in [-126, 126]: a Taylor polynomial on [-1/2, 1/2] times a power of two made of its bits */
static inline float fast_exp2(float x) {
    x = held(x, -126.0f, 126.0f);
    /* truncation towards zero of a positive number is floor */
    const int32_t whole = (int32_t)(x + 126.5f) - 126;
    const float f = x - (float)whole, f2 = f * f;
    const float low = (1.0f + 0.6931471805599453f * f) + (0.2402265069591007f + 0.0555041086648216f * f) * f2;
    const float high = (0.009618129107628477f + 0.0013333558146428443f * f) + 0.00015403530393381608f * f2;
    const int32_t bits = (int32_t)((uint32_t)(whole + 127) << 23);
    float power;
    memcpy(&power, &bits, sizeof power);
    return (low + high * (f2 * f2)) * power;
}

/* log2 of a positive normal number: its exponent, and an artanh series in its mantissa in [1/sqrt 2, sqrt 2) */
static inline float fast_log2(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    const int32_t exponent = (int32_t)(bits - 0x3F3504F3u) >> 23;
    const uint32_t reduced = bits - ((uint32_t)exponent << 23);
    float mantissa;
    memcpy(&mantissa, &reduced, sizeof mantissa);
    const float s = (mantissa - 1.0f) / (mantissa + 1.0f), q = s * s;
    const float series = 1.0f + q * (1.0f / 3.0f + q * (0.2f + q * (1.0f / 7.0f + q * (1.0f / 9.0f))));
    return (float)exponent + 2.8853900817779268f * s * series;
}

/* erf(x / sqrt 2) / 2 and tanh(x): rational minimax approximations of Eigen */
static inline float half_erf(float x) {
    x = held(x, -5.656854249492381f, 5.656854249492381f);
    const float q = x * x, q2 = q * q;
    const float low = (0.398942254539802f + 0.03661506797952034f * q)
                      + (0.004554209307118366f + 0.00017636187818949488f * q) * q2;
    const float high = (3.254634397810506e-06f + -2.1459904745651184e-08f * q) + 1.0557466595229366e-10f * q2;
    const float below = (1.0f + 0.2584459884133409f * q) + (0.029492775302725233f + 0.001869768301664804f * q) * q2;
    return x * ((low + high * (q2 * q2)) / (below + 6.38202694858039e-05f * (q2 * q2)));
}

static inline float fast_tanh(float x) {
    x = held(x, -7.90531110763549805f, 7.90531110763549805f);
    const float q = x * x, q2 = q * q;
    const float low = (4.89352455891786e-03f + 6.37261928875436e-04f * q)
                      + (1.48572235717979e-05f + 5.12229709037114e-08f * q) * q2;
    const float high = (-8.60467152213735e-11f + 2.00018790482477e-13f * q) + -2.76076847742355e-16f * q2;
    const float below = (4.89352518554385e-03f + 2.26843463243900e-03f * q)
                        + (1.18534705686654e-04f + 1.19825839466702e-06f * q) * q2;
    return x * ((low + high * (q2 * q2)) / below);
}

static inline float fast_asinh(float x) {
    const float a = x < 0.0f ? -x : x, found = fast_log2(a + sqrtf(a * a + 1.0f)) * 0.6931471805599453f;
    return x < 0.0f ? -found : found;
}

/* e^x in double for |x| < 700 */
static inline double fast_exp(double x) {
    x = x < -700.0 ? -700.0 : x > 700.0 ? 700.0 : x;
    const double shift = 6755399441055744.0; /* 1.5 2^52: the low bits of a sum with it are a whole number */
    const double sum = x * 1.4426950408889634 + shift, whole = sum - shift;
    const double r = (x - whole * 6.93147180369123816490e-01) - whole * 1.90821492927058770002e-10;
    double series = 1.0 / 6227020800.0; /* Taylor's, |r| < 0.35 */
    series = series * r + 1.0 / 479001600.0;
    series = series * r + 1.0 / 39916800.0;
    series = series * r + 1.0 / 3628800.0;
    series = series * r + 1.0 / 362880.0;
    series = series * r + 1.0 / 40320.0;
    series = series * r + 1.0 / 5040.0;
    series = series * r + 1.0 / 720.0;
    series = series * r + 1.0 / 120.0;
    series = series * r + 1.0 / 24.0;
    series = series * r + 1.0 / 6.0;
    series = series * r + 0.5;
    series = (series * r + 1.0) * r + 1.0;
    uint64_t bits;
    memcpy(&bits, &sum, sizeof bits);
    bits = (bits + 1023u) << 52;
    double power;
    memcpy(&power, &bits, sizeof power);
    return series * power;
}

#endif

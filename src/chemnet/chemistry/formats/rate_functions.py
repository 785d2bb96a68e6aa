"""Rate functions that network files call by name: formulas of papers, with the fits' numbers.

- `fhnoj(Av)`: attenuation of the photodissociation of H2O+ and H3O+ (Glover et al. 2010, MNRAS 404, 2, eq. 4)
- `fselfh2(N, b)`: self-shielding of H2 with column N [cm^-2] and Doppler width b [cm s^-1] (Draine & Bertoldi
  1996, ApJ 468, 269, eq. 37)
- `dissh2_martin96(n_H, T)`: dissociation of H2 by H, collision-induced and by tunnelling [cm^3 s^-1] (Martin,
  Schwarz & Mandy 1996, ApJ 461, 265)
- `dissh2h_hunter23`, `dissh2h2_hunter23` (n_H, n(H), n(H2), T): the same by H and by H2, between the limits
  of thin and dense gas (Hunter et al. 2023)
- `h_recombination_on_dust(psi, T)` and the like for He, C, Si, ...: recombination of ions on grains
  [cm^3 s^-1 per H nucleus] (Weingartner & Draine 2001, ApJ 563, 842, eq. 8), psi = G sqrt(T) / n_e
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

RECOMBINATION = {
    "H": (12.25, 8.074e-6, 1.378, 5.087e2, 1.586e-2, 0.4723, 1.102e-5),
    "HE": (5.572, 3.185e-7, 1.512, 5.115e3, 3.903e-7, 0.4956, 5.494e-7),
    "C": (45.58, 6.089e-3, 1.128, 4.331e2, 4.845e-2, 0.8120, 1.333e-4),
    "NA": (2.178, 1.732e-7, 2.133, 1.029e4, 1.859e-6, 1.0341, 3.223e-5),
    "MG": (2.510, 8.116e-8, 1.864, 6.170e4, 2.169e-6, 0.9605, 7.232e-5),
    "SI": (2.166, 5.678e-8, 1.874, 4.375e4, 1.635e-6, 0.8964, 7.538e-5),
    "S": (3.064, 7.769e-5, 1.319, 1.087e2, 3.475e-1, 0.4790, 4.689e-2),
    "K": (1.596, 1.907e-7, 2.123, 8.138e3, 1.530e-5, 1.0380, 4.550e-5),
    "CA": (1.636, 8.208e-9, 2.289, 1.254e5, 1.349e-9, 1.1506, 7.204e-4),
    "MN": (2.029, 1.433e-6, 1.673, 1.403e4, 1.865e-6, 0.9358, 4.339e-9),
    "FE": (1.701, 9.554e-8, 1.851, 5.763e4, 4.116e-8, 0.9456, 2.198e-5),
}
"""C0 [1e-14 cm^3 s^-1] to C6 of Weingartner & Draine (2001), table 3, by the atom of the ion."""

_COLLISIONS = (
    *(
        -178.4239,
        -68.42243,
        43.20243,
        -4.633167,
        69.70086,
        40870.38,
        -23705.70,
        128.8953,
        -53.91334,
        5.315517,
    ),
    *(-19.73427, 16780.95, -25786.11, 14.82123, -4.890915, 0.4749030, -133.8283, -1.164408, 0.8227443),
    *(0.5864073, -2.056313),
)
_TUNNELLING = (
    *(
        -142.7664,
        42.70741,
        -2.027365,
        -0.2582097,
        21.36094,
        27535.31,
        -21467.79,
        60.34928,
        -27.43096,
        2.676150,
    ),
    *(-11.28215, 14254.55, -23125.20, 9.305564, -2.464009, 0.1985955, 743.0600, -1.174242, 0.7502286),
    *(0.2358848, 2.937507),
)


def water_ion_attenuation(av: Array) -> Array:
    """Return by how much dust weakens the dissociation of H2O+ and H3O+ at a visual extinction [mag]."""
    return np.where(av <= 15.0, np.exp(-2.55 * av + 0.0165 * av**2), np.exp(-2.8 * av))


def h2_shielding(column: Array, width: Array) -> Array:
    """Return the self-shielding of H2 with a column [cm^-2] and a Doppler width [cm s^-1]."""
    x, b5 = column / 5e14, width / 1e5
    root = np.sqrt(1.0 + x)
    return 0.965 / (1.0 + x / b5) ** 2 + 0.035 / root * np.exp(-8.5e-4 * root)


def h2_dissociation(density: Array, t_gas: Array) -> Array:
    """Return the dissociation of H2 by H [cm^3 s^-1] at a density of H nuclei [cm^-3]."""
    return _martin(_COLLISIONS, density, t_gas) + _martin(_TUNNELLING, density, t_gas)


def dust_recombination(ion: str, charging: Array, t_gas: Array) -> Array:
    """Return the recombination of an ion on grains [cm^3 s^-1 per H nucleus] at psi = G sqrt(T) / n_e."""
    c0, c1, c2, c3, c4, c5, c6 = RECOMBINATION[ion]
    psi = np.maximum(charging, 1e-30)
    inner = 1.0 + c3 * t_gas**c4 * psi ** (-c5 - c6 * np.log(t_gas))
    return 1e-14 * c0 / (1.0 + c1 * psi**c2 * inner)


def h2_dissociation_by_h(density: Array, h: Array, h2: Array, t_gas: Array) -> Array:
    """Return the dissociation of H2 by H [cm^3 s^-1] between thin gas (Mac Low & Shull 1986) and LTE.

    Parameters
    ----------
    density, h, h2
        Densities of H nuclei, H and H2 [cm^-3].
    t_gas
        Gas temperature [K].
    """
    thin = 6.67e-12 * np.sqrt(t_gas) * np.exp(-(1.0 + 63590.0 / t_gas))
    return _between_limits(thin, _lte_dissociation(t_gas), density, h, h2, t_gas)


def h2_dissociation_by_h2(density: Array, h: Array, h2: Array, t_gas: Array) -> Array:
    """Return the dissociation of H2 by H2 [cm^3 s^-1]; thin: Gong et al. (2017), LTE: 1/8 of that by H."""
    thin = 5.996e-30 * t_gas**4.1881 / (1.0 + 6.761e-6 * t_gas) ** 5.6881 * np.exp(-54657.4 / t_gas)
    return _between_limits(thin, _lte_dissociation(t_gas) / 8.0, density, h, h2, t_gas)


def _lte_dissociation(t_gas: Array) -> Array:
    """Return the dissociation of H2 by H in dense gas (Martin et al. 1996) [cm^3 s^-1]."""
    dense = np.full_like(np.asarray(t_gas, dtype=np.float64), 1e30)
    return h2_dissociation(dense, t_gas)


def _between_limits(thin: Array, dense: Array, density: Array, h: Array, h2: Array, t_gas: Array) -> Array:
    """Return a coefficient between its limits, by the critical densities of Glover & Mac Low (2007)."""
    log_t4 = np.log10(t_gas / 1e4)
    by_h = 10.0 ** (3.0 - 0.416 * log_t4 - 0.327 * log_t4**2)
    by_h2 = 10.0 ** (4.845 - 1.3 * log_t4 + 1.62 * log_t4**2)
    share = density * (h / density / by_h + h2 / density / by_h2)
    weight = share / (1.0 + share)
    return 10.0 ** (weight * np.log10(dense) + (1.0 - weight) * np.log10(thin))


def _martin(a: tuple[float, ...], density: Array, t_gas: Array) -> Array:
    """Return one of the two terms of Martin et al. (1996)."""
    log_t, inverse = np.log10(t_gas), 1.0 / t_gas
    high = a[0] + a[1] * log_t + a[2] * log_t**2 + a[3] * log_t**3 + a[4] * np.log10(1.0 + a[5] * inverse)
    low = a[7] + a[8] * log_t + a[9] * log_t**2 + a[10] * np.log10(1.0 + a[11] * inverse)
    critical = a[13] + a[14] * log_t + a[15] * log_t**2 + a[16] * inverse
    power = a[18] + a[19] * np.exp(-t_gas / 1850.0) + a[20] * np.exp(-t_gas / 440.0)
    share = 1.0 / (1.0 + (density / 10.0**critical) ** power)
    share_of_barrier = 1.0 / (1.0 + (density / 10.0 ** (critical + a[17])) ** power)
    barrier = a[6] * inverse - (a[6] - a[12]) * inverse * share_of_barrier
    return 10.0 ** (high - (high - low) * share + barrier)


RATE_FUNCTIONS: dict[str, tuple[int, Callable[..., Array]]] = {
    "fhnoj": (1, water_ion_attenuation),
    "fselfh2": (2, h2_shielding),
    "dissh2_martin96": (2, h2_dissociation),
    "dissh2h_hunter23": (4, h2_dissociation_by_h),
    "dissh2h2_hunter23": (4, h2_dissociation_by_h2),
    "o_recombination_on_dust": (2, lambda psi, t_gas: 0.25 * dust_recombination("H", psi, t_gas)),
    **{
        f"{ion.lower()}_recombination_on_dust": (2, partial(dust_recombination, ion)) for ion in RECOMBINATION
    },
}
"""Number of arguments and function by the name in a rate."""

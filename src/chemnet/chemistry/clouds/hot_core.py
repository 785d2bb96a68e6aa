"""Gas that a newborn star warms up: the temperature of UCLCHEM's hot cores."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

STELLAR_MASSES = (1.0, 5.0, 10.0, 15.0, 25.0, 60.0)
"""Mass of the star [solar masses] by UCLCHEM's `temp_indx`, 1 to 6."""

# T - T0 = A t^B at the edge of the core, t in yr: Viti et al. 2004, MNRAS 354, 1141; Awad et al. 2010, MNRAS
# 407, 2511
_WARM_UP = (
    (1.927e-1, 0.5339),
    (4.856e-2, 0.6255),
    (7.847e-3, 0.8395),
    (9.6966e-4, 1.085),
    (1.706e-4, 1.289),
    (4.74e-7, 1.98),
)


def hot_core_temperature(
    time: NDArray[np.float64], radius: ArrayLike, index: int, initial: float, maximum: float
) -> NDArray[np.float64]:
    """Return the temperature [K], ``T0 + A t^B (r/R)^(-1/2)`` up to a maximum, shape of time and radius.

    Parameters
    ----------
    time
        Since the star began to shine [yr].
    radius
        Distance from the centre over that of the edge, r/R (Nomura & Millar 2004, A&A 414, 409).
    index
        UCLCHEM's `temp_indx`, 1 to 6: the star's mass (`STELLAR_MASSES`).
    initial, maximum
        At the beginning, and where heating ends [K].
    """
    scale, power = _WARM_UP[index - 1]
    return np.minimum(initial + scale * time**power / np.sqrt(radius), maximum)

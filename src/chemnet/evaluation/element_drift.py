"""Metrics of predicted abundances beside their error in dex (`chemnet.data.abundance_errors`)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def relative_error(signed_dex: Array) -> Array:
    """Return ``|predicted - truth| / truth`` of ``log10 predicted - log10 truth``, any shape.

    AstroChemNet's metric; over-predicted species at the floor rule its mean.
    """
    return np.abs(np.expm1(np.log(10.0) * signed_dex))


def element_drift(abundance: Array, initial: Array, stoichiometry: Array) -> Array:
    """Return ``|n_e / n_e(0) - 1|`` of every element, `(..., E)`.

    Parameters
    ----------
    abundance
        `(..., S)`.
    initial
        Abundances whose totals are kept, `(..., S)`, broadcast.
    stoichiometry
        Atoms of each element in each species, `(S, E)`.

    Returns
    -------
    ndarray
        0 where an element is absent from both.
    """
    totals, wanted = abundance @ stoichiometry, initial @ stoichiometry
    safe = np.where(wanted > 0.0, wanted, 1.0)
    return np.abs(totals - wanted) / safe


def charge_residual(abundance: Array, charges: Array) -> Array:
    """Return the absolute net charge per H nucleus, ``|sum_i q_i x_i|``, of abundances `(..., S)`."""
    return np.abs(abundance @ charges)

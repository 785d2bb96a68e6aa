"""The reactions of a network as flat arrays: formulae, their parameters, reactants and net stoichiometry."""

from __future__ import annotations

import enum
import functools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chemnet.chemistry.network import Network
from chemnet.chemistry.rates.photo import co_shielding_tables

DENSITY, RADIATION, EXTINCTION, GAS_TEMPERATURE, DUST_TEMPERATURE, ZETA = range(6)
"""Columns of an array of physical conditions."""


class Formula(enum.IntEnum):
    """Rate formulae; the order groups them for `rate_coefficients`."""

    ARRHENIUS = 0
    ION_POLAR_1 = 1
    ION_POLAR_2 = 2
    EXPRESSION = 3
    CRP = 4
    CRPHOT = 5
    PHOTON = 6
    H2_PHOTON = 7
    CO_PHOTON = 8
    C_PHOTON = 9
    FREEZE = 10
    FREEZE_H = 11
    FREEZE_H2 = 12
    EVAPORATION = 13
    BULK_SWAP = 14
    SURFACE_SWAP = 15
    H2_DESORPTION = 16
    CR_DESORPTION = 17
    UV_DESORPTION = 18
    H2_FORMATION = 19
    DIFFUSION = 20
    ELEY_RIDEAL = 21


class Factor(enum.IntEnum):
    """What a flux is multiplied by, beside coefficient and abundances; a function of the ice as a whole."""

    ONE = 0
    PER_SURFACE = 1
    """Over the surface ice, so that one ice's share of the surface remains."""
    BULK_EXPOSED = 2
    """min(1, monolayer / bulk): the share of the bulk next to the surface."""
    SWAP = 3
    """What the bulk pushes up, over the surface ice."""
    BULK_PHOTON = 4
    """Attenuation of light by the layers of ice."""
    TOP_LAYERS = 5
    """Two-phase networks: share of the ice in its two top layers."""
    TOP_LAYERS_SQUARED = 6


N_FACTORS = len(Factor)


class RateTable(NamedTuple):
    """Arrays over the n reactions that can run; no objects, so that Numba compiles one version for all networks.

    `reactants` (n, 3) holds positions in the extended state: species, then 1, then the electron limiter.
    """

    formula: NDArray[np.int32]
    alpha: NDArray[np.float64]
    beta: NDArray[np.float64]
    gamma: NDArray[np.float64]
    t_min: NDArray[np.float64]
    t_max: NDArray[np.float64]
    density_power: NDArray[np.int32]
    frequency1: NDArray[np.float64]
    frequency2: NDArray[np.float64]
    energy1: NDArray[np.float64]
    energy2: NDArray[np.float64]
    tunnelling: NDArray[np.float64]
    share: NDArray[np.float64]
    speed: NDArray[np.float64]
    expression: NDArray[np.int32]
    reactants: NDArray[np.int32]
    factor: NDArray[np.int32]
    stoich_start: NDArray[np.int32]
    stoich_row: NDArray[np.int32]
    stoich_change: NDArray[np.float64]
    source: NDArray[np.int32]
    co_grid: NDArray[np.float64]
    co_shielding: NDArray[np.float64]
    co_curvature: NDArray[np.float64]


@functools.lru_cache(maxsize=8)
def compile_rates(network: Network, uclchem_compatible: bool = False) -> RateTable:
    """Flatten the reactions of `network` into arrays.

    Parameters
    ----------
    network
        Any network.
    uclchem_compatible
        Whether ions freeze like neutrals, electrons like hydrogen, CO shielding is read in part and chemical
        desorption looks up the wrong species, as in UCLCHEM.

    Returns
    -------
    RateTable
        Rows that can never run (zero coefficient, double-counted H2 formation) are left out; `source` holds the
        position of each row in `network.reactions`.
    """
    from chemnet.chemistry.rates.rows import Translator

    rows = Translator(network, uclchem_compatible).rows()
    rows.sort(key=lambda row: row.formula != Formula.BULK_SWAP)
    columns = {name: np.array([getattr(row, name) for row in rows], dtype) for name, dtype in _SCALARS}
    counts = [len(row.change) for row in rows]
    co_grid, co_shielding, co_curvature = co_shielding_tables(uclchem_compatible)
    return RateTable(
        **columns,
        reactants=np.array([row.reactants for row in rows], np.int32).reshape(len(rows), 3),
        stoich_start=np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int32),
        stoich_row=np.array([species for row in rows for species in row.change], np.int32),
        stoich_change=np.array([count for row in rows for count in row.change.values()], np.float64),
        co_grid=co_grid,
        co_shielding=co_shielding,
        co_curvature=co_curvature,
    )


_SCALARS = (
    ("formula", np.int32),
    ("alpha", np.float64),
    ("beta", np.float64),
    ("gamma", np.float64),
    ("t_min", np.float64),
    ("t_max", np.float64),
    ("density_power", np.int32),
    ("frequency1", np.float64),
    ("frequency2", np.float64),
    ("energy1", np.float64),
    ("energy2", np.float64),
    ("tunnelling", np.float64),
    ("share", np.float64),
    ("speed", np.float64),
    ("expression", np.int32),
    ("factor", np.int32),
    ("source", np.int32),
)

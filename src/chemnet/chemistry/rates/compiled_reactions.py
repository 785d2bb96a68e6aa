"""The reactions of a network as flat arrays: formulae, their parameters, reactants and net stoichiometry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chemnet.chemistry.network.network import Network
from chemnet.chemistry.rates.photo import co_shielding_tables
from chemnet.chemistry.rates.table import FORMULA, VECTORISED, Factor, Formula, RateTable
from chemnet.chemistry.rates.translation import Translator

_PARAMETERS = (
    "alpha", "beta", "gamma", "t_min", "t_max", "frequency1", "frequency2", "energy1", "energy2",
    "tunnelling", "share", "speed", "fit_min", "fit_max", "barrier1", "barrier2", "scale", "log_fit_min",
    "log_fit_max",
)  # fmt: skip
_INTEGERS = ("formula", "density_power", "expression")


@dataclass(frozen=True)
class CompiledReactions:
    """The m reactions of a network that can run.

    Parameters
    ----------
    rates
        What their coefficients depend on.
    reactants
        Positions in the extended state (species, then 1, then the electron limiter), shape (m, 3).
    factors
        What each flux is multiplied by.
    changes
        Net change of each species per reaction.
    sources
        Positions in `network.reactions`.
    """

    rates: RateTable
    reactants: NDArray[np.int32]
    factors: tuple[Factor, ...]
    changes: tuple[dict[int, int], ...]
    sources: tuple[int, ...]

    @property
    def formulae(self) -> NDArray[np.int32]:
        """Formula of each reaction, shape (m,)."""
        return self.rates.integers[FORMULA]


def compile_reactions(network: Network, uclchem_compatible: bool = False) -> CompiledReactions:
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
    CompiledReactions
        Rows that can never run (zero coefficient, double-counted H2 formation, listed twice) are left out; a
        row that counts on both sides of a narrower one stands there twice.
    """
    rows = Translator(network, uclchem_compatible).rows()
    order = (*VECTORISED, *Formula)
    rows.sort(key=lambda row: order.index(row.formula))
    m = len(rows)
    counts = [sum(row.formula == formula for row in rows) for formula in VECTORISED]
    table = RateTable(
        _columns(rows, _PARAMETERS).T.astype(np.float64, order="C"),
        _columns(rows, _INTEGERS).T.astype(np.int32, order="C"),
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        *co_shielding_tables(uclchem_compatible),
    )
    return CompiledReactions(
        rates=table,
        reactants=np.array([row.reactants for row in rows], np.int32).reshape(m, 3),
        factors=tuple(row.factor for row in rows),
        changes=tuple(row.change for row in rows),
        sources=tuple(row.source for row in rows),
    )


def _columns(rows: Sequence[object], names: Sequence[str]) -> NDArray[Any]:
    """Return the named attributes of all rows, shape (m, n_names)."""
    return np.array([[getattr(row, name) for name in names] for row in rows]).reshape(len(rows), len(names))

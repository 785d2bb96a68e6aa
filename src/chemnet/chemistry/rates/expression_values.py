"""The rates that are expressions, at the conditions of every row of a tracer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chemnet.chemistry.network.network import Network
from chemnet.chemistry.rates.joined_ranges import network_ranges
from chemnet.errors import DataError


def expression_values(network: Network, conditions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Evaluate the expression rates at every row of conditions.

    Parameters
    ----------
    network
        The network.
    conditions
        Shape (steps, 6), columns as in `rates.table`.

    Returns
    -------
    ndarray
        Shape (steps, n_expressions), in the order of the network's rows of kind EXPRESSION.

    Raises
    ------
    DataError
        A rate is negative or not finite where its row counts.
    """
    density, radfield, av, t_gas, _, zeta = conditions.T
    rows = []
    for reaction, ranges in zip(network.reactions, network_ranges(network).rows, strict=True):
        if reaction.kind == "EXPRESSION":
            assert reaction.expression is not None
            values = np.zeros(len(t_gas))
            for active in ranges:
                # fits may run away outside their range
                fitted = reaction.expression(
                    np.clip(t_gas, active.lowest, active.highest), av, zeta, radfield, density
                )
                values = np.where((active.start <= t_gas) & (t_gas < active.end), fitted, values)
            bad = ~np.isfinite(values) | (values < 0.0)
            if bad.any():
                step = int(np.argmax(bad))
                raise DataError(
                    f"{reaction.source or reaction}, step {step}: the rate expression gives {values[step]} "
                    f"at Tgas = {t_gas[step]} K",
                    hint="correct the expression or restrict its temperature range",
                )
            rows.append(values)
    return np.array(rows).T.copy() if rows else np.zeros((len(conditions), 0))

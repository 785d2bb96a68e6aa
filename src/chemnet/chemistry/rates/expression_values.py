"""The rates that are expressions, at the conditions of every row of a tracer."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from chemnet.chemistry.network.network import Network
from chemnet.chemistry.network.species_and_reactions import Reaction
from chemnet.chemistry.rates.temperature_ranges import ActiveRange, network_ranges
from chemnet.errors import DataError

Array = NDArray[np.float64]


class ExpressionRates:
    """The values of all rate expressions along one tracer.

    Rates that depend on abundances are not known beforehand: `at` evaluates them with the state in which a
    row begins, and they keep that value over the row.

    Parameters
    ----------
    network
        The network.
    conditions
        Shape (steps, 6 or more), columns as in `rates.table`.

    Attributes
    ----------
    values
        Shape (steps, n_expressions), in the order of the network's rows with an expression; 0 where they
        depend on abundances.

    Raises
    ------
    DataError
        A rate is negative or not finite where its row counts.
    """

    def __init__(self, network: Network, conditions: Array) -> None:
        self._network = network
        self._conditions = conditions
        rows = _expression_rows(network)
        self._moving = {
            column: row for column, row in enumerate(rows) if getattr(row[0].expression, "densities", None)
        }
        self.values = np.zeros((len(conditions), len(rows)))
        for column, (reaction, ranges) in enumerate(rows):
            if column not in self._moving:
                self.values[:, column] = _values(reaction, ranges, conditions, None, 0)

    @property
    def depend_on_abundances(self) -> bool:
        """Whether `at` has anything to do."""
        return bool(self._moving)

    def at(self, step: int, abundances: Array, rows: int = 1) -> None:
        """Evaluate the rates that depend on abundances at `rows` rows from `step` on, with one state."""
        if not self._moving:
            return
        named: dict[str, Array] = dict(zip(self._network.species_names, abundances, strict=True))
        named["*"] = abundances[self._gas].sum()
        conditions = self._conditions[step : step + rows]
        for column, (reaction, ranges) in self._moving.items():
            _check_species(reaction, named)
            self.values[step : step + rows, column] = _values(reaction, ranges, conditions, named, step)

    @property
    def _gas(self) -> NDArray[np.bool_]:
        return np.array([one.phase == "gas" for one in self._network.species])


@lru_cache(maxsize=8)
def _expression_rows(network: Network) -> list[tuple[Reaction, tuple[ActiveRange, ...]]]:
    """Return the rows whose rate is an expression, each with the temperatures where it counts."""
    rows = zip(network.reactions, network_ranges(network).rows, strict=True)
    return [(reaction, ranges) for reaction, ranges in rows if reaction.expression is not None]


def expression_values(network: Network, conditions: Array) -> Array:
    """Evaluate the expression rates of a network at conditions, for networks whose rates need no abundances.

    Parameters
    ----------
    network
        The network.
    conditions
        Shape (steps, 6), columns as in `rates.table`.

    Returns
    -------
    ndarray
        Shape (steps, n_expressions).

    Raises
    ------
    DataError
        A rate is negative or not finite where its row counts, or depends on abundances.
    """
    rates = ExpressionRates(network, conditions)
    if rates.depend_on_abundances:
        raise DataError(
            f"network {network.name!r} has rates that depend on abundances, which are not known here",
            hint="integrate it with `chemnet simulate` or Network.solve",
        )
    return rates.values


def _values(
    reaction: Reaction,
    ranges: tuple[ActiveRange, ...],
    conditions: Array,
    abundances: Mapping[str, Array] | None,
    first_step: int,
) -> Array:
    """Return the values of one expression, 0 where its row does not count."""
    assert reaction.expression is not None
    density, radfield, av, t_gas, t_dust, zeta = conditions.T[:6]
    more = {} if abundances is None else {"abundances": abundances}
    if "state_tdust" in getattr(reaction.expression, "inputs", ()):
        more["dust_temperature"] = t_dust
    values = np.zeros(len(t_gas))
    for active in ranges:
        # fits may run away outside their range
        fitted = reaction.expression(
            np.clip(t_gas, active.lowest, active.highest), av, zeta, radfield, density, **more
        )
        values = np.where((active.start <= t_gas) & (t_gas < active.end), fitted, values)
    bad = ~np.isfinite(values) | (values < 0.0)
    if bad.any():
        step = int(np.argmax(bad))
        raise DataError(
            f"{reaction.source or reaction}, step {first_step + step}: the rate expression gives "
            f"{values[step]} "
            f"at Tgas = {t_gas[step]} K",
            hint="correct the expression or restrict its temperature range",
        )
    return values


def _check_species(reaction: Reaction, known: Mapping[str, Array]) -> None:
    missing = sorted(getattr(reaction.expression, "densities", frozenset()) - known.keys())
    if missing:
        raise DataError(
            f"{reaction.source or reaction}: the rate depends on the density of {missing[0]!r}, which "
            f"the network does "
            "not have",
            hint="correct the name behind idx_, or add the species",
        )

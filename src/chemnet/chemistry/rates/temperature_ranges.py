"""Which temperatures a network covers: outside its range, and unless it is extrapolated, a rate is zero."""

from __future__ import annotations

import functools
import math
from collections import defaultdict
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chemnet.chemistry.network.network import Network, Reaction
from chemnet.chemistry.rates.translation import temperature_range
from chemnet.errors import DataError
from chemnet.progress import get_logger

NOTICEABLE_SHARE = 0.2
"""Share of the gas-phase reactions without a rate that is worth a warning.

UCLCHEM's network lacks 6 to 20 % between 10 and 1000 K: mostly reactions with a barrier, known only for hot
gas.
"""

_GAS_KINDS = frozenset({"TWOBODY", "IONPOL1", "IONPOL2", "EXPRESSION", "CRP", "CRPHOT", "PHOTON"})
_log = get_logger(__name__)


class TemperatureCoverage:
    """Where the gas-phase reactions of a network have a rate.

    Rows that repeat a reaction at other temperatures are pieces of one reaction.

    Parameters
    ----------
    network
        The network.

    Attributes
    ----------
    n_reactions
        Number of gas-phase reactions.
    lowest, highest
        Range of the network as a whole [K]: the lowest and the highest limit of any reaction. 0 and infinity
        where most of the reactions have no limit.
    """

    def __init__(self, network: Network) -> None:
        self._name = network.name
        ranges = [_joined(pieces) for pieces in _pieces(network).values()]
        self.n_reactions = len(ranges)
        self._starts = np.sort([low for merged in ranges for low, _ in merged])
        self._ends = np.sort([high for merged in ranges for _, high in merged])
        lows = [merged[0][0] for merged in ranges if merged[0][0] > 0.0]
        highs = [merged[-1][1] for merged in ranges if merged[-1][1] < math.inf]
        self.lowest = min(lows) if 2 * len(lows) > self.n_reactions else 0.0
        self.highest = max(highs) if 2 * len(highs) > self.n_reactions else math.inf
        self._warned = False

    def without_rate(self, temperatures: ArrayLike) -> NDArray[np.int64]:
        """Return how many gas-phase reactions have no rate at each temperature [K], in the same shape."""
        begun = np.searchsorted(self._starts, temperatures, side="right")
        ended = np.searchsorted(self._ends, temperatures, side="left")
        return np.asarray(self.n_reactions - (begun - ended), dtype=np.int64)

    def check(self, temperatures: NDArray[np.float64], place: Callable[[int], str]) -> None:
        """Refuse temperatures that the network does not cover, and warn of those it covers poorly.

        The warning is one line about the worst state, and comes once per network.

        Parameters
        ----------
        temperatures
            Gas temperatures [K], shape (n,).
        place
            Says where a temperature stands, such as "tracer 'a', step 3", by its position in `temperatures`.

        Raises
        ------
        DataError
            If a temperature lies outside `lowest` and `highest`.
        """
        outside = (temperatures < self.lowest) | (temperatures > self.highest)
        if outside.any():
            first = int(np.argmax(outside))
            raise DataError(
                f"{place(first)}: gasTemp is {temperatures[first]:g} K; network {self._name!r} covers "
                f"{self.lowest:g} to {self.highest:g} K, and beyond its reactions have no rate",
                hint="leave such gas out, or take a network whose rows reach there (or are extrapolated)",
            )
        if temperatures.size and not self._warned:
            self._warn(temperatures, place)

    def _warn(self, temperatures: NDArray[np.float64], place: Callable[[int], str]) -> None:
        """Say where most reactions have no rate, if they are many."""
        missing = self.without_rate(temperatures)
        worst = int(np.argmax(missing))
        if missing[worst] > NOTICEABLE_SHARE * self.n_reactions:
            self._warned = True
            _log.warning(
                "%s: at %g K %d of the %d gas-phase reactions of network %r have no rate, "
                "because it is outside their temperature range",
                place(worst), temperatures[worst], missing[worst], self.n_reactions, self._name,
            )  # fmt: skip


@functools.lru_cache(maxsize=8)
def temperature_coverage(network: Network) -> TemperatureCoverage:
    """Return the coverage of `network`; it is kept for the next call."""
    return TemperatureCoverage(network)


def _pieces(network: Network) -> dict[tuple[object, ...], list[tuple[float, float]]]:
    """Return the temperature ranges [K] of the rows of each gas-phase reaction."""
    pieces: defaultdict[tuple[object, ...], list[tuple[float, float]]] = defaultdict(list)
    for one in network.reactions:
        if _is_gas_phase(one):
            key = one.kind, tuple(sorted(one.reactants)), tuple(sorted(one.products))
            pieces[key].append(temperature_range(one))
    return pieces


def _is_gas_phase(reaction: Reaction) -> bool:
    """Whether a reaction happens in the gas; what happens on grains has no fit with a range."""
    return reaction.kind in _GAS_KINDS and not any(name[0] in "#@" for name in reaction.reactants)


def _joined(pieces: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return ranges in order, with those that touch or overlap made one."""
    merged: list[tuple[float, float]] = []
    for low, high in sorted(pieces):
        if merged and low <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], high)
        else:
            merged.append((low, high))
    return merged

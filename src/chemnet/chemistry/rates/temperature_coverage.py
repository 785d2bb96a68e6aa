"""Which temperatures a network covers, and where many of its reactions are outside their ranges."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chemnet.chemistry.network.network import Network
from chemnet.chemistry.rates.temperature_ranges import ActiveRange, network_ranges
from chemnet.errors import DataError
from chemnet.progress import get_logger

NOTICEABLE_SHARE = 0.2
"""Share of the gas-phase reactions without a rate that is worth a warning.

UCLCHEM's network lacks 6 to 20 % between 10 and 1000 K: mostly reactions with a barrier, known only for hot
gas.
"""

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
        ranges = network_ranges(network)
        self.n_reactions = len(ranges.reactions)
        spans = [_span([one for row in rows for one in ranges.rows[row]]) for rows in ranges.reactions]
        starts, ends, lowest, highest = np.array(spans).reshape(-1, 4).T
        self._starts, self._ends = np.sort(starts), np.sort(ends)
        self._lowest, self._highest = np.sort(lowest), np.sort(highest)
        lows, highs = starts[starts > 0.0], ends[ends < math.inf]
        self.lowest = float(lows.min()) if 2 * len(lows) > self.n_reactions else 0.0
        self.highest = float(highs.max()) if 2 * len(highs) > self.n_reactions else math.inf
        self._warned = False

    def without_rate(self, temperatures: ArrayLike) -> NDArray[np.int64]:
        """Return how many gas-phase reactions have no rate at each temperature [K], in the same shape."""
        begun = np.searchsorted(self._starts, temperatures, side="right")
        ended = np.searchsorted(self._ends, temperatures, side="right")
        return np.asarray(self.n_reactions - (begun - ended), dtype=np.int64)

    def beyond_limits(self, temperatures: ArrayLike) -> NDArray[np.int64]:
        """Return how many gas-phase reactions are outside the range of their rows, with a rate or without."""
        inside = np.searchsorted(self._lowest, temperatures, side="right")
        above = np.searchsorted(self._highest, temperatures, side="left")
        return np.asarray(self.n_reactions - (inside - above), dtype=np.int64)

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
        """Say where most reactions have no rate, or that of a limit, if they are many."""
        for missing, what in (
            (self.without_rate(temperatures), "have no rate, because it is"),
            (
                self.beyond_limits(temperatures),
                "keep the rate at the limit of their range (network.outside_range): it is",
            ),
        ):
            worst = int(np.argmax(missing))
            if missing[worst] > NOTICEABLE_SHARE * self.n_reactions:
                self._warned = True
                _log.warning(
                    "%s: at %g K %d of the %d gas-phase reactions of network %r %s outside their "
                    "temperature range",
                    place(worst), temperatures[worst], missing[worst], self.n_reactions, self._name, what,
                )  # fmt: skip
                return


@functools.lru_cache(maxsize=8)
def temperature_coverage(network: Network) -> TemperatureCoverage:
    """Return the coverage of `network`; it is kept for the next call."""
    return TemperatureCoverage(network)


def _span(ranges: list[ActiveRange]) -> tuple[float, float, float, float]:
    """Return where a reaction has a rate, and the limits of its rows, from the ranges of all of them."""
    low, high = min(one.lowest for one in ranges), max(one.highest for one in ranges)
    return min(one.start for one in ranges), max(one.end for one in ranges), low, high

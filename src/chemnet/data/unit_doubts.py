"""Conditions that contradict chemistry, as another unit or a logarithm would: refused or warned of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from chemnet.config import ConfigDict
from chemnet.errors import DataError
from chemnet.progress import get_logger

_log = get_logger(__name__)

# yr: the age of the Universe; and spans that clouds and their chemistry neither last nor resolve
_LONGEST_SPAN, _LONG_SPAN, _SHORT_SPAN = 1.38e10, 1e9, 10.0
# a parameter that stays below is a logarithm: H nuclei [cm^-3] of hot gas, and K just above the 2.7 K of the
# microwave background
_LARGEST_LOGARITHM = {"Density": 20.0, "gasTemp": 5.0, "dustTemp": 5.0}
# g cm^-3 instead of H nuclei cm^-3
_MASS_DENSITY = 1e-8
# zeta in s^-1 instead of 1.3e-17 s^-1
_ZETA_PER_SECOND = 1e-10


@dataclass(frozen=True)
class Doubt:
    """A contradiction with chemistry, the next step, and the key that mends or confirms it, if any."""

    message: str
    hint: str
    key: str = ""


def settle(doubts: Iterable[Doubt], config: ConfigDict) -> None:
    """Refuse what a key can mend or confirm, and warn of the rest.

    Parameters
    ----------
    doubts
        What contradicts chemistry.
    config
        The whole configuration; a key that somebody set confirms what it says.

    Raises
    ------
    DataError
        Naming what was found and the key.
    """
    for doubt in doubts:
        if doubt.key and tuple(doubt.key.split(".")) not in config.chosen:
            raise DataError(doubt.message, hint=doubt.hint)
        _log.warning("%s; %s", doubt.message, doubt.hint)


def doubts_of_time(longest: float) -> Iterator[Doubt]:
    """Doubt the longest time span of a tracer [yr] where it would fit another unit."""
    span = f"the longest tracer spans {longest:.3g} yr"
    if longest > _LONGEST_SPAN:
        yield Doubt(
            f"{span}, longer than the Universe has existed",
            'if the times are in seconds set data_set.time_unit = "s"; "yr" confirms that they are in years',
            "data_set.time_unit",
        )
    elif longest > _LONG_SPAN:
        yield Doubt(span, 'if the times are in seconds set data_set.time_unit = "s"')
    elif 0.0 < longest < _SHORT_SPAN:
        yield Doubt(span, 'if the times are in Myr or kyr set data_set.time_unit = "Myr" or "kyr"')


def doubts_of_parameters(names: Sequence[str], low: np.ndarray, high: np.ndarray) -> Iterator[Doubt]:
    """Doubt parameters whose values look like logarithms, and ionisation rates in s^-1."""
    for name, least, most in zip(names, low.tolist(), high.tolist(), strict=True):
        found = f"{name} lies between {least:.3g} and {most:.3g}"
        if name == "Density" and most < _MASS_DENSITY:
            yield Doubt(
                f"{found}, as a mass density in g cm^-3 would",
                "Density counts H nuclei [cm^-3]: divide it by the mass per H nucleus, about 2.3e-24 g; "
                "data_set.log_columns = [] confirms that it does",
                "data_set.log_columns",
            )
        elif most < _LARGEST_LOGARITHM.get(name, -np.inf):
            yield Doubt(
                f"{found}, as its logarithm would",
                f'if it holds logarithms set data_set.log_columns = ["{name}"]; [] confirms that it does not',
                "data_set.log_columns" if most > least else "",
            )
        if name == "zeta" and most < _ZETA_PER_SECOND:
            yield Doubt(found, "its unit is 1.3e-17 s^-1; divide rates in s^-1 by 1.3e-17")

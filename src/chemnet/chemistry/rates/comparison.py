"""Two networks side by side: which reactions one has and the other has not, and whose rates differ."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chemnet.chemistry.network.network import Network
from chemnet.chemistry.network.report_text import Report, place, several, titled, with_tuples
from chemnet.chemistry.rates.coefficients import rate_coefficients
from chemnet.chemistry.rates.compiled_reactions import compile_reactions
from chemnet.chemistry.rates.constants import CR_YIELD
from chemnet.chemistry.rates.expression_values import ExpressionRates
from chemnet.chemistry.rates.temperature_ranges import process_of

TEMPERATURES = (10.0, 30.0, 100.0, 300.0, 1000.0)
"""Where rates are compared [K]: gas and dust at one temperature, Av = 1 mag, the field 1 Habing, zeta 1."""

SAME_RATE = 0.01
"""Relative difference up to which two rates are the same: formats print three or four places."""

_C_ABUNDANCE = 1e-4


@dataclass(frozen=True)
class ChangedRate:
    """A reaction that both networks have.

    Attributes
    ----------
    reaction
        The reaction, as text.
    ratio
        Its coefficient in the second network over that in the first, where they differ most; infinite where
        the first has none, 0 where the second has none.
    temperature
        Where that is [K].
    """

    reaction: str
    ratio: float
    temperature: float

    def __str__(self) -> str:
        return f"{self.reaction}: x {self.ratio:.3g} at {self.temperature:g} K"


@dataclass(frozen=True)
class Comparison(Report):
    """What the second of two networks changes.

    Attributes
    ----------
    name, other
        The two networks.
    added, missing
        Reactions that only the second, and only the first has.
    changed
        Those of both with another rate, largest change first.
    n_same
        Number of those with the same rate.
    new_species, lost_species
        Species that only the second, and only the first has.
    """

    name: str
    other: str
    added: tuple[str, ...]
    missing: tuple[str, ...]
    changed: tuple[ChangedRate, ...]
    n_same: int
    new_species: tuple[str, ...]
    lost_species: tuple[str, ...]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Comparison:
        """Return the comparison that `to_dict` described."""
        changed = tuple(ChangedRate(**one) for one in values["changed"])
        return cls(**with_tuples(values) | {"changed": changed})

    def __str__(self) -> str:
        rows = [
            ("compared with", f"{self.other}: {self.n_same} reactions with the same rate"),
            ("added", several(self.added)),
            ("missing", several(self.missing)),
            ("other rate", several([str(one) for one in self.changed])),
            ("new species", " ".join(self.new_species) or "none"),
            ("lost species", " ".join(self.lost_species) or "none"),
        ]
        return titled(rows)


def compare_networks(first: Network, second: Network) -> Comparison:
    """Compare the reactions of two networks and their rates.

    The rows of one reaction are taken together: how a reaction is cut into temperature ranges, and by which
    formula it is written, makes no difference.

    Parameters
    ----------
    first, second
        The networks.

    Raises
    ------
    DataError
        A rate expression gives no usable rate at the temperatures of the comparison.
    """
    ours, theirs = _rates(first), _rates(second)
    both = [key for key in ours if key in theirs]
    changes = [_change(ours[key], theirs[key]) for key in both]
    changed = sorted((one for one in changes if one is not None), key=lambda one: -_size(one.ratio))
    names = set(first.species_names), set(second.species_names)
    return Comparison(
        name=first.name,
        other=second.name,
        added=tuple(text for key, (text, _) in theirs.items() if key not in ours),
        missing=tuple(text for key, (text, _) in ours.items() if key not in theirs),
        changed=tuple(changed),
        n_same=len(both) - len(changed),
        new_species=tuple(name for name in second.species_names if name not in names[0]),
        lost_species=tuple(name for name in first.species_names if name not in names[1]),
    )


def _rates(network: Network) -> dict[tuple[object, ...], tuple[str, NDArray[np.float64]]]:
    """Return each reaction as text with its coefficients at `TEMPERATURES`, by what makes it one reaction."""
    conditions = np.ones((len(TEMPERATURES), 6))
    conditions[:, 3] = conditions[:, 4] = TEMPERATURES
    compiled = compile_reactions(network)
    expressions = _expression_values(network, conditions)
    k = np.empty((len(TEMPERATURES), len(compiled.changes)))
    for i, state in enumerate(conditions):
        rate_coefficients(compiled.rates, state, _C_ABUNDANCE, CR_YIELD, expressions[i], k[i])
    sums: defaultdict[tuple[object, ...], NDArray[np.float64]] = defaultdict(
        lambda: np.zeros(len(TEMPERATURES))
    )
    for row, source in enumerate(compiled.sources):
        sums[process_of(network.reactions[source])] += k[:, row]
    found: dict[tuple[object, ...], tuple[str, NDArray[np.float64]]] = {}
    for one in network.reactions:
        key = process_of(one)
        found.setdefault(key, (f"{place(one.source)}{one}", sums[key]))
    return found


def _expression_values(network: Network, conditions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rates that are expressions, where they depend on abundances with 1 of each species."""
    rates = ExpressionRates(network, conditions)
    rates.at(0, np.ones(len(network.species)), len(conditions))
    return rates.values


def _change(
    ours: tuple[str, NDArray[np.float64]], theirs: tuple[str, NDArray[np.float64]]
) -> ChangedRate | None:
    """Return where two sets of coefficients differ most, None if they are the same."""
    (text, a), (_, b) = ours, theirs
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(a == b, 1.0, b / a)
    worst = int(np.argmax([_size(one) for one in ratio]))
    if _size(ratio[worst]) <= np.log1p(SAME_RATE):
        return None
    return ChangedRate(text, float(ratio[worst]), TEMPERATURES[worst])


def _size(ratio: float) -> float:
    return float(abs(np.log(ratio))) if 0.0 < ratio < np.inf else np.inf

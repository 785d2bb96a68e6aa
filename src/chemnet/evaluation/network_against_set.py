"""Whether a network's rates made a set of tracers: its implicit step from each row against the next one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chemnet.chemistry.network.network import Network
from chemnet.chemistry.network.report_text import Report, titled
from chemnet.chemistry.solver.disagreement import RateDisagreement, rate_disagreement
from chemnet.chemistry.solver.implicit_step import ImplicitStep
from chemnet.chemistry.tracers import FURTHER_CONDITIONS, PHYSICAL_NAMES
from chemnet.data.chem_dataset import ChemDataset
from chemnet.data.histories import columns_of
from chemnet.errors import DataError
from chemnet.models.emulators.implicit.network_step import STEP_WORDS

Array = NDArray[np.float64]

# tracers that are compared, evenly spaced
_TRACERS = 8
_FLOOR = 1e-20
# what a table has cut off is told from what is there: rounding could lift it above the floor
_CUT_OFF = _FLOOR * (1.0 - 1e-9)


@dataclass(frozen=True)
class NetworkAgainstSet(Report):
    """What was found.

    Attributes
    ----------
    network, tracers, steps
        Name of the network, and how many tracers and steps were compared.
    persistence
        What the row before misses the next one by [dex], in the mean.
    with_quirks, without_quirks
        What the implicit step misses it by, with and without UCLCHEM's quirks, in words.
    quirks
        Whether the set was made with them.
    """

    network: str
    tracers: int
    steps: int
    persistence: float
    with_quirks: str
    without_quirks: str
    quirks: bool

    def __str__(self) -> str:
        word = str(self.quirks).lower()
        lines = (
            ("compared", f"{self.tracers} tracers, {self.steps} steps"),
            (
                "the row before",
                f"misses the next one by {self.persistence:.2g} dex in the mean; its implicit step",
            ),
            ("with quirks", f"(uclchem_compatible = true) {self.with_quirks}"),
            ("without quirks", f"(uclchem_compatible = false) {self.without_quirks}"),
            (
                "verdict",
                f"the rates of {self.network} made this set, with simulate.uclchem_compatible={word} (and so "
                f"model.ImplicitEmulator.uclchem_compatible={word})",
            ),
        )
        return titled(lines)


def network_against_set(network: Network, dataset: ChemDataset, where: str) -> NetworkAgainstSet:
    """Compare a network with tracers.

    Parameters
    ----------
    network
        With the rate options that it is to be used with.
    dataset
        Some of its tracers are read.
    where
        What it is called in errors.

    Raises
    ------
    DataError
        When network and tracers have different species, a parameter that rates depend on is missing, or the
        rates did not make the tracers, with or without UCLCHEM's quirks.
    """
    _check_species(network, dataset, where)
    states, physical, dt, further = _histories(network, dataset, where)
    found = {
        quirks: rate_disagreement(
            ImplicitStep.of_network(network, uclchem_compatible=quirks), states, physical, dt, **further
        )
        for quirks in (True, False)
    }
    quirks = min(found, key=lambda one: found[one].mean)
    moved = found[quirks].moved
    if found[quirks].disagrees:
        raise _others_made_it(network, found, moved, where)
    return NetworkAgainstSet(
        network.name, len(states), dt.size, moved, str(found[True]), str(found[False]), quirks
    )


def _others_made_it(
    network: Network, found: Mapping[bool, RateDisagreement], moved: float, where: str
) -> DataError:
    """Return what is raised for rates that are not those of the set."""
    return DataError(
        f"the rates of {network.name} did not make {where}: its implicit step misses the next row by "
        f"{found[False]}; with UCLCHEM's quirks by {found[True]}. The row before is {moved:.2g} dex away",
        hint="name the network that made the set, with simulate.grain and simulate.rates as they were; check "
        "data_set.time_unit, data_set.abundance_per and data_set.physical_alignment",
    )


def _check_species(network: Network, dataset: ChemDataset, where: str) -> None:
    """Refuse other species: a step needs all of them."""
    ours, theirs = set(network.species_names), set(dataset.species)
    for missing, has, lacks in (
        (sorted(theirs - ours), where, f"the network {network.name}"),
        (sorted(ours - theirs), f"the network {network.name}", where),
    ):
        if missing:
            raise DataError(
                f"{has} has the species {missing[0]!r}, {lacks} has not ({len(missing)} such species): an "
                "implicit step needs all of them",
                hint="name the network that made the set, or choose its species by data_set.species and "
                "data_set.drop_columns",
            )


def _histories(
    network: Network, dataset: ChemDataset, where: str
) -> tuple[Array, Array, Array, dict[str, Any]]:
    """Return states, parameters, time steps and further conditions of some tracers, equally long."""
    columns = columns_of("physical parameters", dataset.physical_names, PHYSICAL_NAMES, where)
    order = [dataset.species.index(name) for name in network.species_names]
    lengths = np.asarray(dataset.lengths)
    usable = np.flatnonzero(lengths >= 2)
    if not len(usable):
        raise DataError(f"{where} has no tracer with at least two rows", hint="a step leads from row to row")
    chosen = usable[np.unique(np.linspace(0, len(usable) - 1, _TRACERS).astype(np.int64))]
    rows, block = int(lengths[chosen].min()), dataset.read(chosen.tolist())
    first = block.offsets[:-1][:, None] + np.arange(rows)
    physical = block.physical[first]
    names = list(dataset.physical_names)
    further = {
        STEP_WORDS[name]: physical[..., names.index(name)]
        for name in FURTHER_CONDITIONS
        if name in names and name in STEP_WORDS
    }
    states = np.maximum(block.abundance[first][..., order], 0.0)
    states = np.where(states > 0.0, states, _CUT_OFF)
    return states, physical[..., columns], np.diff(block.time[first], axis=1), further

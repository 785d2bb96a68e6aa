"""What a table seems to say and where that contradicts chemistry: units, logarithms, kinds of abundances."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from chemnet.chemistry.network.initial_abundances import HYDROGEN_TOLERANCE
from chemnet.chemistry.network.stoichiometry import charges, element_names, stoichiometric_matrix
from chemnet.config import ConfigDict
from chemnet.data.chem_dataset import BLOCK_VALUES, ChemDataset
from chemnet.data.preprocess.parameter_survey import Survey
from chemnet.data.unit_doubts import Doubt, doubts_of_parameters, doubts_of_time, settle
from chemnet.progress import get_logger

_log = get_logger(__name__)

# tracers whose abundances are summed, spread over the data set
_SAMPLED = 16


@dataclass(frozen=True)
class Understanding:
    """Sums over the species of a sample of tracers, and what varies without being read.

    Attributes
    ----------
    totals
        Least, median and largest number of nuclei of each element per H nucleus.
    charge
        Least and largest charge per H nucleus.
    drift
        Largest change of each total along a tracer, over its largest value there.
    unread
        Least and largest value of conditions that the table has and that were not asked for.
    """

    totals: dict[str, tuple[float, float, float]]
    charge: tuple[float, float]
    drift: dict[str, float]
    unread: dict[str, tuple[float, float]]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-able values."""
        return {"totals": {name: list(values) for name, values in self.totals.items()}, "charge": self.charge}


def understand(dataset: ChemDataset) -> Understanding:
    """Sum the abundances of a sample of tracers.

    Raises
    ------
    DataError
        For values that no tracer can have.
    """
    sample = _sample(dataset)
    block = dataset.read(sample)
    abundance, starts = block.abundance, block.offsets[:-1]
    elements = element_names(dataset.species)
    totals = abundance @ stoichiometric_matrix(dataset.species, elements)
    least, most = np.minimum.reduceat(totals, starts), np.maximum.reduceat(totals, starts)
    drift = ((most - least) / np.where(most > 0.0, most, 1.0)).max(axis=0, initial=0.0)
    charge = abundance @ np.asarray(charges(dataset.species), dtype=np.float64)
    return Understanding(
        totals={
            name: (float(column.min()), float(np.median(column)), float(column.max()))
            for name, column in zip(elements, totals.T, strict=True)
        },
        charge=(float(charge.min()), float(charge.max())),
        drift=dict(zip(elements, drift.tolist(), strict=True)),
        unread=dataset.unread_conditions(sample),
    )


def _sample(dataset: ChemDataset) -> list[int]:
    """Return tracers spread over the data set, no more than are read at a time elsewhere."""
    n_tracers = len(dataset.lengths)
    affordable = max(1, BLOCK_VALUES // (int(np.max(dataset.lengths)) * dataset.n_columns))
    return sorted(set(np.linspace(0, n_tracers - 1, min(_SAMPLED, affordable)).astype(int).tolist()))


def check_plausible(
    dataset: ChemDataset, seen: Survey, understood: Understanding, config: ConfigDict
) -> None:
    """Refuse a table that contradicts chemistry where a key can mend or confirm it, and warn where none can.

    Parameters
    ----------
    dataset
        The raw tracers.
    seen
        Ranges of their conditions.
    understood
        Sums over their species.
    config
        The whole configuration; a key of `[data_set]` that somebody set confirms what it says.

    Raises
    ------
    DataError
        Naming what was found and the key.
    """
    doubts = (
        *doubts_of_time(seen.longest_span),
        *doubts_of_parameters(dataset.physical_names, seen.minimum.min(axis=0), seen.maximum.max(axis=0)),
        *_doubts_of_hydrogen(dataset, understood),
        *_doubts_of_drift(understood),
        *_doubts_of_unread(understood),
    )
    if dataset.follows_keys:
        settle(doubts, config)
    for doubt in () if dataset.follows_keys else doubts:
        _log.warning("%s; check the units of data_set.name = '%s'", doubt.message, config["data_set"]["name"])


def _doubts_of_hydrogen(dataset: ChemDataset, understood: Understanding) -> Iterator[Doubt]:
    """Doubt abundances that do not add up to one H nucleus per H nucleus."""
    least, total, most = understood.totals.get("H", (1.0, 1.0, 1.0))
    if abs(total - 1.0) <= HYDROGEN_TOLERANCE:
        if max(1.0 - least, most - 1.0) > HYDROGEN_TOLERANCE:
            yield Doubt(
                f"the species hold {least:.3g} to {most:.3g} H nuclei per H nucleus, mostly {total:.3g}",
                "check that abundances mean the same in all tracers and files",
            )
        return
    found = f"the species hold {total:.3g} H nuclei per H nucleus (median of the rows looked at)"
    if not {"H", "H2"} <= {name.upper() for name in dataset.species} and most < 1.0 + HYDROGEN_TOLERANCE:
        _log.info("%s: H or H2 is not among them, so the unit of the abundances cannot be checked", found)
        return
    likely = "H2" if abs(total - 2.0) <= 2.0 * HYDROGEN_TOLERANCE else "particle"
    yield Doubt(
        found,
        'if the abundances are relative to H2 or to all particles set data_set.abundance_per = "H2" or '
        f'"particle" (here likely "{likely}"); "H" confirms that they are relative to H nuclei',
        "data_set.abundance_per",
    )


def _doubts_of_drift(understood: Understanding) -> Iterator[Doubt]:
    """Doubt elements whose total changes along a tracer, which chemistry conserves."""
    found = [
        f"{name} by {drift:.0%}" for name, drift in understood.drift.items() if drift > HYDROGEN_TOLERANCE
    ]
    if found:
        yield Doubt(
            f"the total of elements changes along a tracer: {', '.join(found)}",
            "species with these elements are missing, or rows of a tracer, the initial one for one, are of "
            "several clouds; a surrogate that conserves elements will hold the total of each first row",
        )


def _doubts_of_unread(understood: Understanding) -> Iterator[Doubt]:
    """Doubt a surrogate that is not told what drove the chemistry of its tracers."""
    for name, (least, most) in understood.unread.items():
        if most > least:
            yield Doubt(
                f"{name} varies from {least:.3g} to {most:.3g} and is not among the physical parameters",
                f'a surrogate will know it with data_set.physical = [..., "{name}"]',
            )

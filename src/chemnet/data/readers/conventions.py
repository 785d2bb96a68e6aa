"""From a table's conventions to chemnet's: units, logarithms, alignment of the parameters, initial rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chemnet.chemistry.units import SECONDS_PER_YEAR
from chemnet.config import ConfigDict
from chemnet.data.readers.column_meanings import canonical_name
from chemnet.data.readers.tracer_catalogue import Catalogue, Run
from chemnet.errors import DataError

# Years per unit of `data_set.time_unit`
YEARS_PER_UNIT = {"yr": 1.0, "kyr": 1e3, "Myr": 1e6, "s": 1.0 / SECONDS_PER_YEAR}
# stands for all species in `data_set.log_columns`
ALL_ABUNDANCES = "abundances"


@dataclass(frozen=True)
class Conventions:
    """How the numbers of a table become chemnet's.

    Attributes
    ----------
    years_per_unit
        Length of the unit of its times [yr].
    at_end
        Whether row i + 1, not row i, holds the parameters of the step from row i to i + 1.
    per_hydrogen
        Whether its abundances are relative to H nuclei; where not, they are divided by the H nuclei in all
        species.
    logarithms
        Columns that hold the logarithm to base 10, by chemnet's names.
    """

    years_per_unit: float = 1.0
    at_end: bool = False
    per_hydrogen: bool = True
    logarithms: frozenset[str] = frozenset()

    @classmethod
    def of_table(cls, options: ConfigDict, catalogue: Catalogue) -> Conventions:
        """Return what `[data_set]` says of a table; what `chemnet simulate` wrote is in chemnet's own.

        Raises
        ------
        DataError
            When `log_columns` names a column that is not read, or abundances cannot be related to H nuclei.
        """
        plan, where = catalogue.parts[0].plan, catalogue.parts[0].source.where
        if catalogue.parts[0].source.is_simulated:
            return cls()
        logarithms = frozenset(canonical_name(str(name)) for name in options["log_columns"])
        hydrogen = {name for name, _, _ in plan.hydrogen}
        if ALL_ABUNDANCES in logarithms:
            logarithms = logarithms.difference([ALL_ABUNDANCES]).union(plan.species_names, hydrogen)
        unknown = logarithms - {*plan.physical_names, *plan.species_names, *hydrogen}
        if unknown:
            raise DataError(
                f"{where}: data_set.log_columns names '{min(unknown)}', which is not read",
                hint=f"name physical parameters, species, or '{ALL_ABUNDANCES}' for all species",
            )
        per_hydrogen = options["abundance_per"] == "H"
        if not per_hydrogen and plan.species and "H2" not in hydrogen:
            raise DataError(
                f'{where}: data_set.abundance_per = "{options["abundance_per"]}" needs every species with '
                "hydrogen, and the table has no H2",
                hint="add H and H2 to the table, or divide its abundances by those of H nuclei yourself",
            )
        return cls(
            years_per_unit=YEARS_PER_UNIT[options["time_unit"]],
            at_end=options["physical_alignment"] == "end",
            per_hydrogen=per_hydrogen,
            logarithms=logarithms,
        )

    def read(self, run: Run, n_species: int) -> tuple[np.ndarray, np.ndarray]:
        """Read time [yr] and parameters `(rows, 1 + n_physical)`, and the first `n_species` species.

        Raises
        ------
        DataError
            When the file ends early, or a row has no hydrogen to relate abundances to.
        """
        plan, source = run.part.plan, run.part.source
        hydrogen = () if self.per_hydrogen or not n_species else plan.hydrogen
        wanted = [plan.time, *plan.physical, *(column for _, column, _ in hydrogen)]
        values, abundance = source.read_parts(run.start, run.stop, wanted, plan.species[:n_species])
        n_rows = min(len(values), len(abundance))
        if n_rows != run.stop - run.start:
            raise DataError(f"{source.where}: ends at row {run.start + n_rows}, {run.stop} rows expected")
        conditions = values[:, : 1 + len(plan.physical)]
        conditions[:, 0] *= self.years_per_unit
        conditions[:, 1:] = self._linear(conditions[:, 1:], plan.physical_names)
        names = plan.species_names[:n_species]
        abundance = self._linear(abundance, names)
        if hydrogen:
            nuclei = self._linear(values[:, 1 + len(plan.physical) :], [name for name, _, _ in hydrogen])
            abundance = abundance / _positive(nuclei @ [atoms for _, _, atoms in hydrogen], run)[:, None]
        return conditions, abundance

    def _linear(self, values: np.ndarray, names: Sequence[str]) -> np.ndarray:
        """Return columns `(rows, n)`, those that hold logarithms raised."""
        chosen = [i for i, name in enumerate(names) if name in self.logarithms]
        if chosen:
            values = values.astype(np.float64)
            values[:, chosen] = 10.0 ** values[:, chosen]
        return values


def _positive(nuclei: np.ndarray, run: Run) -> np.ndarray:
    """Return H nuclei per unit of the table `(rows,)`, or refuse rows without any."""
    bad = nuclei <= 0.0  # what is not finite is refused with its column, later
    if bad.any():
        row = run.start + int(np.argmax(bad))
        raise DataError(
            f"{run.part.source.where}: row {row}: no hydrogen to relate the other abundances to",
            hint='data_set.abundance_per = "H2" and "particle" need every species with hydrogen in each row',
        )
    return nuclei


def parameters_to_start(physical: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Turn parameters stored at the end of each step into parameters stored at its start.

    Parameters
    ----------
    physical
        Row i + 1 drives the step from row i to i + 1 `(rows, n_physical)`.
    offsets
        Tracer t owns rows ``offsets[t]:offsets[t + 1]``.

    Returns
    -------
    ndarray
        Row i drives the step from row i to i + 1, same shape. A tracer's last row drives nothing and keeps
        its own.

    Examples
    --------
    >>> parameters_to_start(np.array([[1.0], [2.0], [3.0], [8.0], [9.0]]), np.array([0, 3, 5])).ravel()
    array([2., 3., 3., 9., 9.])
    """
    rows = np.arange(len(physical)) + 1
    last = offsets[1:][np.diff(offsets) > 0] - 1
    rows[last] = last
    return physical[rows]


def insert_rows(values: np.ndarray, offsets: np.ndarray, first_rows: np.ndarray | float) -> np.ndarray:
    """Return `values` with one more row in front of each tracer.

    Parameters
    ----------
    values
        `(rows,)` or `(rows, columns)`.
    offsets
        Tracer t owns rows ``offsets[t]:offsets[t + 1]``.
    first_rows
        The new rows: one for all tracers, or one each.
    """
    return np.insert(values, offsets[:-1], first_rows, axis=0)

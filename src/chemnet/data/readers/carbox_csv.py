"""The table that a run of Carbox writes, ``NAME_abundances.csv``: one tracer, a row per snapshot.

Columns, from `carbox/output.py` of GijsVermarien/carbox (commit 745079d): `time_seconds`, `time_years`,
`radius_cm` (since 2026), `number_density` [H nuclei cm^-3], `temperature` [K], `cr_rate`, `fuv_field`,
`visual_extinction` [mag], then the species relative to `number_density`. With thermal balance the integrated
temperature stands among them as `TGAS`. The units of `cr_rate` and `fuv_field` are those of the network's
rates (`carbox/reactions.py`): with one of UCLCHEM 1.3e-17 s^-1 and Habing's field, else s^-1 and Draine's
field, 1.7 times Habing's. No file says which.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from chemnet.data.readers.csv_table import CSVTable
from chemnet.progress import get_logger

_OF_CARBOX = frozenset({"time_seconds", "time_years", "number_density", "cr_rate", "fuv_field"})
_TEMPERATURE, _INTEGRATED, _CONFIGURED = "temperature", "TGAS", "configured temperature"
_log = get_logger(__name__)


class CarboxCSV(CSVTable):
    """A run of Carbox.

    Parameters
    ----------
    path
        The file.
    """

    optional = frozenset({"radius_cm", "cr_rate", _CONFIGURED})

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        _log.warning(
            "%s: a run of Carbox; its fuv_field is taken in Habing's unit, as with a network of UCLCHEM; "
            "with others it is in Draine's, 1.7 times as large",
            path,
        )
        if _INTEGRATED in self.columns:
            self.columns = tuple(_CONFIGURED if name == _TEMPERATURE else name for name in self.columns)

    @staticmethod
    def matches(columns: Sequence[str]) -> bool:
        """Tell whether a table with these columns is one of Carbox."""
        return _OF_CARBOX.issubset(columns)

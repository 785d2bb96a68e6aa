"""The ranges that a surrogate was trained in, and so may be used in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chemnet.chemistry.network.stoichiometry import charges
from chemnet.data.preprocessed import PreprocessedData, Split

# float32 files round a little beyond the range that they were read with
_RELATIVE_SLACK = 1e-4
# initial element totals of one set scatter by rounding; other compositions differ by more
_COMPOSITION_SLACK = 0.02
# net charge relative to the positive charges below which data are neutral: float32 rounds by 1e-6
_NEUTRAL, _LEAST_CHARGE = 1e-3, 1e-20
# rows of a shuffled split whose element totals are looked at
_SHUFFLED_ROWS = 4096


@dataclass(frozen=True)
class Domain:
    """Ranges that the training split covered.

    Attributes
    ----------
    physical_min, physical_max
        Of each physical parameter, in its own unit.
    total_min, total_max
        Of each element's total per H nucleus.
    dt_min, dt_max, dt_usual
        Shortest, longest and median time step [yr]; all 0 where the data had no time steps.
    net_charge
        Largest net charge of a state, relative to its positive charges; infinite where nobody looked at it.
    """

    physical_min: tuple[float, ...]
    physical_max: tuple[float, ...]
    total_min: tuple[float, ...]
    total_max: tuple[float, ...]
    dt_min: float
    dt_max: float
    dt_usual: float
    net_charge: float = float("inf")

    @classmethod
    def of_training(cls, data: PreprocessedData) -> Domain:
        """Return the ranges of a preprocess result's training split."""
        train = data.split("train")
        totals = _first_rows(train) @ data.stoichiometry
        dt = train.dt[train.dt > 0] if train.n_rows else np.zeros(0)
        shortest, longest, usual = (dt.min(), dt.max(), np.median(dt)) if dt.size else (0.0, 0.0, 0.0)
        return cls(
            data.physical_scaling.minimum,
            data.physical_scaling.maximum,
            tuple(totals.min(axis=0).tolist()),
            tuple(totals.max(axis=0).tolist()),
            float(shortest),
            float(longest),
            float(usual),
            _net_charge(train, charges(data.species)),
        )

    @property
    def is_neutral(self) -> bool:
        """Whether the charges of the training data balance."""
        return self.net_charge < _NEUTRAL

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Domain:
        """Rebuild the ranges from `to_dict`'s values."""
        plain: dict[str, Any] = {
            name: tuple(value) if isinstance(value, (list, tuple)) else float(value)
            for name, value in values.items()
        }
        return cls(**plain)

    def physical_inside(self, physical: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Return for each value of `(..., P)` whether it is in its range."""
        low, high = np.array(self.physical_min), np.array(self.physical_max)
        return (physical >= low * (1.0 - _RELATIVE_SLACK)) & (physical <= high * (1.0 + _RELATIVE_SLACK))

    def totals_inside(self, totals: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Return for each element total of `(..., E)` whether it is in its range."""
        low, high = np.array(self.total_min), np.array(self.total_max)
        return (totals >= low * (1.0 - _COMPOSITION_SLACK)) & (totals <= high * (1.0 + _COMPOSITION_SLACK))

    def dt_inside(self, dt: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Return for each time step [yr] whether it is in its range; all are where there is no range."""
        if not self.dt_max:
            return np.ones(np.shape(dt), dtype=bool)
        slack = _COMPOSITION_SLACK
        return (dt >= self.dt_min * (1.0 - slack)) & (dt <= self.dt_max * (1.0 + slack))


def _net_charge(train: Split, charges_S: NDArray[np.float64]) -> float:
    """Return the largest net charge of first and last rows, relative to their positive charges."""
    if not (charges_S > 0).any() or not (charges_S < 0).any():
        return float("inf")
    # a cold start is neutral whatever comes after it
    rows = np.concatenate([_first_rows(train), _last_rows(train)])
    positive = rows @ np.maximum(charges_S, 0.0)
    return float((np.abs(rows @ charges_S) / np.maximum(positive, _LEAST_CHARGE)).max(initial=0.0))


def _last_rows(train: Split) -> NDArray[np.float64]:
    """Return abundances `(n, S)` of the last row of each tracer, or none where rows are shuffled."""
    ends = train.offsets[1:] - 1 if train.is_ordered else np.zeros(0, dtype=np.int64)
    return train.raw_abundance(ends)


def _first_rows(train: Split) -> NDArray[np.float64]:
    """Return abundances `(n, S)`: one row per tracer, or some rows where they are shuffled."""
    if train.is_ordered:
        return train.raw_abundance(train.offsets[:-1])
    return train.raw_abundance(slice(_SHUFFLED_ROWS))

"""Scaling of abundances and physical parameters: logarithms mapped onto [0, 1].

Abundances use one fixed floor for every species; physical parameters use the range of the training split,
rounded outward to two significant figures. Both scalings work on NumPy arrays and on torch tensors (of any
device, with gradients) and keep the dtype they are given.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import cached_property
from typing import Any

import numpy as np

from chemnet.errors import DataError

# Below this the floor would not be a normal number in float32, the dtype of the split files.
SMALLEST_FLOOR = 1e-37


@dataclass(frozen=True)
class AbundanceScaling:
    """Map abundances onto [0, 1]: ``s = (log10 clip(x, floor, 1) - log10 floor) / (-log10 floor)``.

    Parameters
    ----------
    floor
        Abundance relative to H nuclei that becomes 0; smaller values are clipped to it, values above 1 to 1.

    Raises
    ------
    DataError
        When the floor is outside [1e-37, 1).

    Examples
    --------
    >>> scaling = AbundanceScaling(1e-20)
    >>> scaling.scale(np.array([0.0, 1e-10, 1.0]))
    array([0. , 0.5, 1. ])
    >>> scaling.unscale(np.array([0.5]))
    array([1.e-10])
    """

    floor: float

    def __post_init__(self) -> None:
        if not SMALLEST_FLOOR <= self.floor < 1.0:
            raise DataError(
                f"abundance floor {self.floor!r} is outside [{SMALLEST_FLOOR:g}, 1)",
                hint="set preprocess.abundance_floor to a small positive number such as 1e-20",
            )

    @property
    def decades(self) -> float:
        """Decades between the floor and 1; a scaled difference times this is a difference in dex."""
        return -math.log10(self.floor)

    def scale(self, abundance: Any) -> Any:
        """Return `abundance` (any shape) as scaled values in [0, 1]."""
        # the natural logarithm gives the same ratio and is three times as fast as log10 in NumPy
        return _log(_clip(abundance, self.floor, 1.0)) / -math.log(self.floor) + 1.0

    def unscale(self, scaled: Any) -> Any:
        """Return scaled values (any shape) as abundances relative to H nuclei; the inverse of `scale`."""
        return _exp((scaled - 1.0) * -math.log(self.floor))

    def to_dict(self) -> dict[str, float]:
        """Return the parameters as JSON-able values."""
        return {"abundance_floor": self.floor}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> AbundanceScaling:
        """Rebuild the scaling from `to_dict`'s values; other keys are ignored."""
        return cls(float(values["abundance_floor"]))


@dataclass(frozen=True)
class PhysicalScaling:
    """Map physical parameters onto [0, 1]: ``(log10 p - log10 minimum) / (log10 maximum - log10 minimum)``.

    A parameter whose minimum equals its maximum is scaled as if its range were one decade, so it becomes 0.

    Parameters
    ----------
    minimum, maximum
        Range of each parameter, in its own unit, all positive, `(n_physical,)`.

    Raises
    ------
    DataError
        When the lengths differ, a bound is not positive or a minimum exceeds its maximum.

    Examples
    --------
    >>> scaling = PhysicalScaling((1e2, 10.0), (1e6, 1000.0))
    >>> scaling.scale(np.array([[1e4, 10.0]]))
    array([[0.5, 0. ]])
    """

    minimum: tuple[float, ...]
    maximum: tuple[float, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "minimum", tuple(float(value) for value in self.minimum))
        object.__setattr__(self, "maximum", tuple(float(value) for value in self.maximum))
        bounds = list(zip(self.minimum, self.maximum, strict=False))
        if len(self.minimum) != len(self.maximum) or not all(
            0 < low <= high < math.inf for low, high in bounds
        ):
            raise DataError(
                "ranges of physical parameters need 0 < minimum <= maximum: "
                f"got {self.minimum} and {self.maximum}"
            )

    @classmethod
    def from_range(cls, minimum: Sequence[float], maximum: Sequence[float]) -> PhysicalScaling:
        """Return the scaling for an observed range, each bound rounded outward to two significant figures."""
        return cls(tuple(map(round_down, minimum)), tuple(map(round_up, maximum)))

    def scale(self, physical: Any) -> Any:
        """Return `physical` `(..., n_physical)` scaled; inside the range the values are in [0, 1]."""
        offset, width = self._offset_and_width(physical)
        return (_log(physical) / math.log(10.0) - offset) / width

    def unscale(self, scaled: Any) -> Any:
        """Return scaled values `(..., n_physical)` in physical units; the inverse of `scale`."""
        offset, width = self._offset_and_width(scaled)
        return _exp(math.log(10.0) * (scaled * width + offset))

    def to_dict(self) -> dict[str, list[float]]:
        """Return the parameters as JSON-able values."""
        return {"physical_min": list(self.minimum), "physical_max": list(self.maximum)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PhysicalScaling:
        """Rebuild the scaling from `to_dict`'s values; other keys are ignored."""
        return cls(tuple(values["physical_min"]), tuple(values["physical_max"]))

    @property
    def offset_and_width(self) -> tuple[np.ndarray, np.ndarray]:
        """log10 of the minimum, and decades of the range (1 where it is constant), `(n_physical,)` each."""
        return self._offset, self._width

    @cached_property
    def _offset(self) -> np.ndarray:
        """Logarithm of the minimum `(n_physical,)`."""
        return np.log10(np.array(self.minimum))

    @cached_property
    def _width(self) -> np.ndarray:
        """Decades between minimum and maximum `(n_physical,)`, 1 for a constant parameter."""
        width = np.log10(np.array(self.maximum)) - self._offset
        return np.where(width == 0.0, 1.0, width)

    def _offset_and_width(self, like: Any) -> tuple[Any, Any]:
        """Return offset and width as the array kind, dtype and device of `like`."""
        if _is_torch(like):
            return like.new_tensor(self._offset), like.new_tensor(self._width)
        dtype = np.result_type(np.asarray(like).dtype, np.float32)
        return self._offset.astype(dtype), self._width.astype(dtype)


def round_down(value: float) -> float:
    """Round a positive `value` down to two significant figures.

    Examples
    --------
    >>> round_down(68481.0), round_down(0.1)
    (68000.0, 0.1)
    """
    return _two_figures(value, ROUND_FLOOR)


def round_up(value: float) -> float:
    """Round a positive `value` up to two significant figures.

    Examples
    --------
    >>> round_up(1284211415.0), round_up(133.0)
    (1300000000.0, 140.0)
    """
    return _two_figures(value, ROUND_CEILING)


def _two_figures(value: float, rounding: str) -> float:
    """Round in decimal arithmetic, where 0.1 is exactly two figures long."""
    exact = Decimal(repr(float(value)))
    last_kept_digit = Decimal(1).scaleb(exact.adjusted() - 1)
    return float(exact.quantize(last_kept_digit, rounding=rounding))


def _is_torch(values: Any) -> bool:
    """Tell a torch tensor from an array without importing torch."""
    return type(values).__module__.partition(".")[0] == "torch"


def _log(values: Any) -> Any:
    return values.log() if _is_torch(values) else np.log(values)


def _exp(values: Any) -> Any:
    # the natural exponential is twice as fast as a power of ten in NumPy
    return values.exp() if _is_torch(values) else np.exp(values)


def _clip(values: Any, low: float, high: float) -> Any:
    return values.clamp(low, high) if _is_torch(values) else np.clip(values, low, high)

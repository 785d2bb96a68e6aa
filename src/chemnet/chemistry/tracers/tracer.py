"""One Lagrangian particle: what it lives through, and the checks that it must pass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chemnet.errors import DataError

PHYSICAL_NAMES = ("Density", "Radfield", "Av", "gasTemp")
PHYSICAL_UNITS = ("H nuclei cm^-3", "Habing", "mag", "K")
FURTHER_CONDITIONS = {
    "dustTemp": "K",
    "zeta": "1.3e-17 s^-1",
    "N_total": "H nuclei cm^-2",
    "N_H2": "cm^-2",
    "N_CO": "cm^-2",
    "N_C": "cm^-2",
}
"""What else drives chemistry, with units; where a tracer has none, dust is as warm as gas, zeta is 1, and the
columns that shield H2, CO and C follow from Av."""

# a gas without light or shielding is possible, one without matter or warmth is not
_MUST_BE_POSITIVE = ("Density", "gasTemp", "dustTemp")
# no place has so few cosmic rays: such values are in s^-1
_ZETA_PER_SECOND = 1e-10


@dataclass(frozen=True)
class StaticPhase:
    """Constant conditions that the gas has lived through before step 0 of its tracer.

    Attributes
    ----------
    duration
        How long it lasts [yr].
    density, radfield, av, gas_temperature
        In H nuclei cm^-3, Habing, mag and K.
    """

    duration: float
    density: float
    radfield: float
    av: float
    gas_temperature: float

    def as_mapping(self, n_steps: int = 2) -> dict[str, NDArray[np.float64]]:
        """Return the phase as a tracer of constant parameters, each array of shape ``(n_steps,)``."""
        values = (self.density, self.radfield, self.av, self.gas_temperature)
        columns = {name: np.full(n_steps, value) for name, value in zip(PHYSICAL_NAMES, values, strict=True)}
        return {"time": np.linspace(0.0, self.duration, n_steps), **columns}


@dataclass(frozen=True)
class Tracer:
    """The physical history of one particle, checked when it is made.

    ``physical[i]`` holds from ``time[i]`` to ``time[i + 1]``; the last row drives nothing.

    Attributes
    ----------
    tracer_id
        Name that stays with the particle through every later file.
    time
        Shape ``(steps,)`` [yr], strictly increasing.
    physical
        Shape ``(steps, n)``, the columns `names`.
    family
        The generator that made it, or "own".
    pre_phase
        Static conditions before step 0, which set its initial abundances.
    names
        `PHYSICAL_NAMES` in `PHYSICAL_UNITS`, then any of `FURTHER_CONDITIONS`.

    Raises
    ------
    DataError
        A shape that does not fit, a value that is negative or not finite, time that does not increase;
        tracer, step and column are named.
    """

    tracer_id: str
    time: NDArray[np.float64]
    physical: NDArray[np.float64]
    family: str = "own"
    pre_phase: StaticPhase | None = None
    names: tuple[str, ...] = PHYSICAL_NAMES

    def __post_init__(self) -> None:
        _check_shapes(self)
        _check_time(self)
        _check_values(self)

    def __len__(self) -> int:
        return len(self.time)

    def as_mapping(self) -> dict[str, NDArray[np.float64]]:
        """Return time [yr] and the physical columns by name, as ``Network.solve`` takes them."""
        return {"time": self.time, **{name: self.physical[:, i] for i, name in enumerate(self.names)}}


def _check_shapes(tracer: Tracer) -> None:
    """Refuse tracers without a single interval, and tables that do not match the time."""
    steps = len(tracer.time)
    if steps < 2:
        raise DataError(
            f"tracer {tracer.tracer_id!r} has {steps} step{'s' * (steps != 1)}; at least 2 are needed",
            hint="remove this tracer from the file, or give it the rows that are missing",
        )
    expected = (steps, len(tracer.names))
    if tracer.physical.shape != expected:
        raise DataError(
            f"tracer {tracer.tracer_id!r}: physical has shape {tracer.physical.shape}; {expected} is needed",
            hint=f"columns are {', '.join(tracer.names)}",
        )


def _check_time(tracer: Tracer) -> None:
    bad = np.flatnonzero(~np.isfinite(tracer.time))
    if bad.size:
        raise DataError(
            f"tracer {tracer.tracer_id!r}, step {bad[0]}: time is {tracer.time[bad[0]]}",
            hint="time must be a finite number of years in every row",
        )
    stalled = np.flatnonzero(np.diff(tracer.time) <= 0.0)
    if stalled.size:
        step = int(stalled[0]) + 1
        raise DataError(
            f"tracer {tracer.tracer_id!r}, step {step}: time does not increase "
            f"({tracer.time[step - 1]:g} yr, then {tracer.time[step]:g} yr)",
            hint="sort the rows of each tracer by time and drop repeated ones",
        )


def _check_values(tracer: Tracer) -> None:
    """Refuse physical parameters that are negative or not finite, or zero where nothing works with zero."""
    units = {**dict(zip(PHYSICAL_NAMES, PHYSICAL_UNITS, strict=True)), **FURTHER_CONDITIONS}
    for column, name in enumerate(tracer.names):
        values, unit = tracer.physical[:, column], units[name]
        too_low = values <= 0.0 if name in _MUST_BE_POSITIVE else values < 0.0
        bad = np.flatnonzero(~np.isfinite(values) | too_low)
        if bad.size:
            least = "greater than 0" if name in _MUST_BE_POSITIVE else "0 or greater"
            raise DataError(
                f"tracer {tracer.tracer_id!r}, step {bad[0]}: {name} is {values[bad[0]]} {unit}",
                hint=f"{name} must be finite and {least}",
            )
        if name == "zeta" and 0.0 < values.max() < _ZETA_PER_SECOND:
            raise DataError(
                f"tracer {tracer.tracer_id!r}: zeta is at most {values.max():g}, like a rate in s^-1",
                hint="the unit of zeta is 1.3e-17 s^-1: divide the column by 1.3e-17",
            )

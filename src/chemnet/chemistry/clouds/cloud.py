"""UCLCHEM's standard models as tracers: one history per point between the centre and the edge of a cloud."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chemnet.chemistry.clouds.layers import Layers
from chemnet.chemistry.clouds.phases import CLOUDS, Phase
from chemnet.chemistry.tracers import PHYSICAL_NAMES, Tracer
from chemnet.errors import ConfigError, suggest
from chemnet.progress import get_logger

Array = NDArray[np.float64]

SPACINGS = ("log", "equal")
"""How the rows of a phase are spaced in time."""
_FIRST_YEAR = 1.0  # the second row of logarithmic ones
_LARGEST_CHANGE = 0.05  # of log10 of density and temperature from row to row, where rows can be added
_COARSE = 0.2  # and where that is told
_HARDLY = 0.01  # magnitudes between the outermost and the innermost point
_log = get_logger(__name__)


@dataclass(frozen=True)
class Cloud:
    """A model of a cloud.

    Attributes
    ----------
    tracers
        The history of each point, the innermost first.
    layers
        The gas of each point, which shields those further in; None for a single point.
    starts
        When each phase begins [yr].
    """

    tracers: tuple[Tracer, ...]
    layers: Layers | None
    starts: tuple[float, ...]


def build_cloud(model: str, options: Mapping[str, Any], n_steps: int, dust_to_gas: float) -> Cloud:
    """Return the tracers of a model.

    Parameters
    ----------
    model
        A name of `CLOUDS`.
    options
        UCLCHEM's parameters, as `[simulate.uclchem]` holds them.
    n_steps
        Rows per phase; with logarithmic spacing further ones are added where conditions change fast.
    dust_to_gas
        Mass ratio of dust to gas.

    Raises
    ------
    ConfigError
        An unknown model, or parameters that contradict one another.
    """
    if model not in CLOUDS:
        raise ConfigError(f"simulate.cloud = {model!r} is no model", hint=suggest(model, CLOUDS))
    phases = CLOUDS[model].phases(options)
    starts = [0.0, *np.cumsum([phase.duration for phase in phases[:-1]]).tolist()]
    time, (density, temperature, nuclei) = _joined(phases, starts, options["spacing"], n_steps)
    layers = Layers(nuclei, options["baseAv"], dust_to_gas)
    tracers = _tracers(model, options, time, (density, layers.extinction, temperature))
    _tell(model, layers.extinction, time, starts)
    return Cloud(tracers, layers if len(tracers) > 1 else None, tuple(starts))


def _joined(
    phases: Sequence[Phase], starts: Sequence[float], spacing: str, n_steps: int
) -> tuple[Array, list[Array]]:
    """Return the times of all rows [yr], and the conditions there, of phases that follow one another."""
    times, conditions = [], []
    for phase, start in zip(phases, starts, strict=True):
        rows = _rows(phase, spacing, n_steps)
        if phase is not phases[-1]:
            rows = rows[:-1]  # the last row drives nothing: the first of the next phase stands for it
        times.append(start + rows)
        conditions.append(phase.conditions(rows))
    return np.concatenate(times), [np.concatenate(one, axis=1) for one in zip(*conditions, strict=True)]


def _tracers(
    model: str, options: Mapping[str, Any], time: Array, conditions: Sequence[Array]
) -> tuple[Tracer, ...]:
    """Return a tracer per point, named by its number from the centre as UCLCHEM counts."""
    density, extinction, temperature = conditions
    columns = [density, np.full_like(density, options["radfield"]), extinction, temperature]
    names: tuple[str, ...] = PHYSICAL_NAMES
    if options["zeta"] != 1.0:
        columns.append(np.full_like(density, options["zeta"]))
        names = (*PHYSICAL_NAMES, "zeta")
    physical = np.stack(columns, axis=2)
    return tuple(
        Tracer(str(point + 1), time, physical[point], family=model, names=names)
        for point in range(len(physical))
    )


def _rows(phase: Phase, spacing: str, n_steps: int) -> Array:
    """Return the times of a phase's rows [yr], from 0 on."""
    if n_steps < 2:
        raise ConfigError(
            f"a phase needs at least 2 rows, got {n_steps}", hint="set simulate.n_steps to 2 or more"
        )
    if spacing == "equal":
        time = np.linspace(0.0, phase.duration, n_steps)
        _warn_of_coarse_rows(_changes(phase, time), time)
        return time
    first = min(_FIRST_YEAR, 1e-3 * phase.duration)
    time = np.concatenate([[0.0], np.geomspace(first, phase.duration, n_steps - 1)])
    while (coarse := (_changes(phase, time) > _LARGEST_CHANGE) & (np.diff(time) > first)).any():
        time = np.sort(np.concatenate([time, 0.5 * (time[1:] + time[:-1])[coarse]]))
    return time


def _changes(phase: Phase, time: Array) -> Array:
    """Return by how much density and temperature change from row to row at most, log10, ``(rows - 1,)``."""
    density, temperature, _ = phase.conditions(time)
    logarithms = np.log10(np.concatenate([density, temperature]))
    return np.abs(np.diff(logarithms, axis=1)).max(axis=0)


def _warn_of_coarse_rows(changes: Array, time: Array) -> None:
    """Say where equally spaced rows are too few: a row's conditions hold until the next one."""
    worst = int(changes.argmax())
    if changes[worst] > _COARSE:
        _log.warning(
            "rows are coarse: density or temperature changes by a factor of %.2g between %.4g and %.4g yr; "
            "raise simulate.n_steps, or set simulate.uclchem.spacing=log",
            10 ** changes[worst],
            time[worst],
            time[worst + 1],
        )


def _tell(model: str, extinction: Array, time: Array, starts: Sequence[float]) -> None:
    """Say what was made, in one line."""
    later = "".join(f", phase {i} from {start:.4g} yr" for i, start in enumerate(starts[1:], start=2))
    _log.info(
        "%s: %d point%s, %d rows to %.4g yr%s; Av %.3g to %.3g mag at the beginning, %.3g to %.3g at the end",
        model,
        len(extinction),
        "s" * (len(extinction) > 1),
        len(time),
        time[-1],
        later,
        extinction[-1, 0],
        extinction[0, 0],
        extinction[-1, -1],
        extinction[0, -1],
    )
    between = float((extinction[0] - extinction[-1]).max())
    if len(extinction) > 1 and between < _HARDLY:
        _log.warning(
            "the points are at most %.2g mag apart, so that they hardly shield one another: "
            "raise simulate.uclchem.rout or the density, or take one point",
            between,
        )

"""UCLCHEM's standard models as phases: what the points of a cloud live through, from its parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chemnet.chemistry.clouds.bonnor_ebert import COLLAPSES
from chemnet.chemistry.clouds.c_shock import PARSEC, CShock
from chemnet.chemistry.clouds.free_fall import free_fall_density, time_to_density
from chemnet.chemistry.clouds.hot_core import hot_core_temperature
from chemnet.errors import ConfigError
from chemnet.progress import get_logger

Array = NDArray[np.float64]
Options = Mapping[str, Any]
Conditions = tuple[Array, Array, Array]

_OF_ALL = ("points", "rin", "rout", "baseAv", "initialTemp", "radfield", "zeta", "finalTime", "spacing")
_FREE_FALL = ("initialDens", "finalDens", "freefallFactor")
_PHASE_1 = (*_FREE_FALL, "phase1", "phase1Time")
_log = get_logger(__name__)


@dataclass(frozen=True)
class Phase:
    """A part of a cloud's history.

    Attributes
    ----------
    duration
        [yr]
    conditions
        A function of times since its beginning, shape ``(rows,)`` [yr]: density [H nuclei cm^-3], temperature
        [K] and column of H nuclei through the layer [cm^-2] of each point, ``(points, rows)``, innermost
        first.
    """

    duration: float
    conditions: Callable[[Array], Conditions]


@dataclass(frozen=True)
class CloudModel:
    """One of UCLCHEM's models.

    Attributes
    ----------
    phases
        Makes its phases from the parameters.
    parameters
        The parameters that it has.
    """

    phases: Callable[[Options], list[Phase]]
    parameters: tuple[str, ...]


def cloud(options: Options) -> list[Phase]:
    """Return one phase: gas at rest, or in free fall to a final density, at one temperature."""
    if not options["freefall"]:
        if options["endAtFinalDensity"]:
            raise _refused(
                "endAtFinalDensity = true: gas at rest reaches no other density", "set freefall=true too"
            )
        return [_at_rest(options, options["initialDens"], options["finalTime"])]
    reached = _collapse_time(options)
    return [_collapse(options, reached if options["endAtFinalDensity"] else options["finalTime"])]


def collapse(options: Options) -> list[Phase]:
    """Return one phase: a Bonnor-Ebert sphere that collapses.

    Points sit at the inner sides of their layers, the first one at `rin`, and keep the mass inside them.
    """
    sphere, lasts = COLLAPSES[options["collapse"]], options["finalTime"]
    if lasts > sphere.end:
        lasts = sphere.end
        _log.info("collapse: ends at %.4g yr, when the centre has reached 1e8 cm^-3", lasts)
    shells = _edges(options)

    def conditions(time: Array) -> Conditions:
        radii, through = sphere.follow(shells, time)
        density = sphere.density(radii[:-1], time)
        return density, _cold(options, time), np.diff(through, axis=0)

    return [Phase(lasts, conditions)]


def hot_core(options: Options) -> list[Phase]:
    """Return the warm-up of gas around a newborn star, after a cold collapse where `phase1` is set."""
    initial, highest = options["initialTemp"], options["max_temperature"]
    if highest <= initial:
        raise _refused(
            f"max_temperature = {highest:g} K does not exceed initialTemp = {initial:g} K",
            "a hot core warms up: raise max_temperature",
        )
    before, density = _before(options)
    width, radius = _layers(options)

    def conditions(time: Array) -> Conditions:
        temperature = hot_core_temperature(
            time, (radius / options["rout"])[:, None], options["temp_indx"], initial, highest
        )
        return _uniform(np.full(len(time), density), temperature, width)

    return [*before, Phase(options["finalTime"], conditions)]


def cshock(options: Options) -> list[Phase]:
    """Return the way of one parcel through a C-shock, after a cold collapse where `phase1` is set."""
    if options["points"] > 1:
        raise _refused(f"points = {options['points']}: a C-shock is followed by one parcel", "set points=1")
    before, density = _before(options)
    shock = CShock(options["shock_vel"], density, options["initialTemp"], options["bm0"])
    _check_shock(shock)
    width, _ = _layers(options)
    least = options["minimum_temperature"]

    def conditions(time: Array) -> Conditions:
        temperature = shock.temperature_at(time)
        cooled = (time > shock.dissipation_time) & (temperature < least)
        return _uniform(shock.density_at(time), np.where(cooled, least, temperature)[None], width)

    return [*before, Phase(options["finalTime"], conditions)]


CLOUDS: Mapping[str, CloudModel] = {
    "cloud": CloudModel(cloud, (*_OF_ALL, *_FREE_FALL, "freefall", "endAtFinalDensity")),
    "collapse": CloudModel(collapse, (*_OF_ALL, "collapse")),
    "hot_core": CloudModel(hot_core, (*_OF_ALL, *_PHASE_1, "temp_indx", "max_temperature")),
    "cshock": CloudModel(cshock, (*_OF_ALL, *_PHASE_1, "shock_vel", "bm0", "minimum_temperature")),
}
"""Models by UCLCHEM's names."""


def _before(options: Options) -> tuple[list[Phase], float]:
    """Return the cold collapse before a model, if it is wanted, and the density that follows."""
    if not options["phase1"]:
        return [], options["initialDens"]
    reached, lasts = _collapse_time(options), options["phase1Time"]
    if lasts is False:
        lasts = reached
    if lasts < reached:
        raise _refused(
            f"phase1Time = {lasts:g} yr ends before the collapse reaches finalDens, after {reached:.4g} yr",
            "raise phase1Time, or set it to false for a phase 1 that ends there",
        )
    return [_collapse(options, lasts)], options["finalDens"]


def _collapse_time(options: Options) -> float:
    """Return how long free fall takes from the initial to the final density [yr]."""
    initial, final = options["initialDens"], options["finalDens"]
    if final <= initial:
        raise _refused(
            f"finalDens = {final:g} cm^-3 does not exceed initialDens = {initial:g} cm^-3",
            "free fall raises the density: raise finalDens, or switch off freefall or phase1",
        )
    return time_to_density(initial, final, options["freefallFactor"])


def _at_rest(options: Options, density: float, duration: float) -> Phase:
    """Return a phase of constant conditions."""
    width, _ = _layers(options)
    return Phase(duration, lambda time: _uniform(np.full(len(time), density), _cold(options, time), width))


def _collapse(options: Options, duration: float) -> Phase:
    """Return a phase of free fall at the initial temperature."""
    width, _ = _layers(options)
    initial, final, factor = (options[name] for name in _FREE_FALL)

    def conditions(time: Array) -> Conditions:
        return _uniform(free_fall_density(time, initial, final, factor), _cold(options, time), width)

    return Phase(duration, conditions)


def _layers(options: Options) -> tuple[Array, Array]:
    """Return the width of each point's layer [cm] and the radius of its outer side [pc]."""
    edges = _edges(options)
    return np.diff(edges) * PARSEC, edges[1:]


def _edges(options: Options) -> Array:
    """Return the radii between which the layers lie [pc], shape ``(points + 1,)``."""
    inner, outer, points = options["rin"], options["rout"], options["points"]
    if outer <= inner:
        raise _refused(
            f"rout = {outer:g} pc does not exceed rin = {inner:g} pc", "the edge of the cloud is at rout"
        )
    return np.linspace(inner, outer, points + 1)


def _cold(options: Options, time: Array) -> Array:
    """Return the initial temperature [K] at all points and times."""
    return np.full((options["points"], len(time)), options["initialTemp"])


def _uniform(density: Array, temperature: Array, width: Array) -> Conditions:
    """Return the conditions of points that share a density, ``(rows,)``, in layers of some widths [cm]."""
    everywhere = np.tile(density, (len(width), 1))
    return everywhere, temperature, everywhere * width[:, None]


def _check_shock(shock: CShock) -> None:
    """Refuse waves that are no shocks, and those outside the fit of their temperature."""
    if shock.velocity <= shock.alfven_velocity:
        raise _refused(
            f"shock_vel = {shock.velocity:g} km/s is not faster than the Alfven velocity, "
            f"{shock.alfven_velocity:.3g} km/s",
            "raise shock_vel or lower bm0",
        )
    if shock.highest_temperature <= shock.temperature:
        raise _refused(
            f"shock_vel = {shock.velocity:g} km/s: the fit of the highest temperature gives "
            f"{shock.highest_temperature:.3g} K, not above initialTemp = {shock.temperature:g} K",
            "the parameterisation was made for 10 to 40 km/s",
        )


def _refused(what: str, hint: str) -> ConfigError:
    return ConfigError(f"simulate.uclchem: {what}", hint=hint)

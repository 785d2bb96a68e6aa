"""Each reaction kind follows its formula, in its temperature range."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from chemnet.chemistry.network.network import Network
from chemnet.chemistry.network.species_and_reactions import NetworkSpecies, Reaction
from chemnet.chemistry.rates import compile_reactions, rate_coefficients
from chemnet.chemistry.rates.constants import GRAIN_SECTION, MONOLAYER
from chemnet.chemistry.rates.grain import attempt_frequency, h2_formation

SPECIES = [
    NetworkSpecies(name, mass, energy)
    for name, mass, energy in (
        ("H", 1, 0), ("H2", 2, 0), ("C", 12, 0), ("C+", 12, 0), ("CO", 28, 0), ("O", 16, 0), ("O+", 16, 0),
        ("OH", 17, 0), ("E-", 0, 0), ("#CO", 28, 1300), ("#H", 1, 650), ("#O", 16, 1600), ("#OH", 17, 4600),
        ("#C", 12, 10000), ("#CO2", 44, 2600),
    )
]  # fmt: skip
DENSITY, FIELD, AV, TEMPERATURE, DUST, ZETA = 1e5, 3.4, 2.0, 40.0, 20.0, 2.0


def coefficient(reactants: str, products: str, kind: str, compatible: bool = False, **fields: Any) -> float:
    """Return the coefficient of one reaction."""
    fields = {"alpha": 1.0, **fields}
    row = Reaction(tuple(reactants.split()), tuple(products.split()), kind, **fields)
    reactions = compile_reactions(Network.from_parts(SPECIES, [row]), compatible)
    k = np.full(len(reactions.sources), np.nan)
    conditions = np.array([DENSITY, FIELD, AV, TEMPERATURE, DUST, ZETA])
    rate_coefficients(reactions.rates, conditions, 1e-5, 1e5, np.array([7.0]), k)
    return float(k[0]) if len(k) else 0.0


def speed(mass: float) -> float:
    """Return the mean thermal speed of the gas [cm/s]."""
    return math.sqrt(8.0 * 1.380649e-16 * TEMPERATURE / (math.pi * mass * 1.66053907e-24))


def test_two_body_rows_follow_arrhenius_and_carry_the_density() -> None:
    expected = 2e-10 * (TEMPERATURE / 300) ** 0.5 * math.exp(-10 / TEMPERATURE) * DENSITY
    assert coefficient("C OH", "CO H", "TWOBODY", alpha=2e-10, beta=0.5, gamma=10.0) == pytest.approx(
        expected
    )


@pytest.mark.parametrize(("extrapolate", "runs"), [(False, False), (True, True)])
def test_rows_outside_their_temperatures_rest_unless_extrapolated(extrapolate: bool, runs: bool) -> None:
    k = coefficient("C OH", "CO H", "TWOBODY", alpha=2e-10, t_min=100.0, t_max=300.0, extrapolate=extrapolate)
    assert (k > 0.0) is runs


def test_kidas_ion_polar_formulae() -> None:
    strength = 2.0 * math.sqrt(300 / TEMPERATURE)
    row = {"alpha": 0.5, "beta": 1e-9, "gamma": 2.0}
    one = coefficient("C OH", "CO H", "IONPOL1", **row)
    two = coefficient("C OH", "CO H", "IONPOL2", **row)
    assert one == pytest.approx(0.5e-9 * (0.62 + 0.4767 * strength) * DENSITY)
    assert two == pytest.approx(0.5e-9 * (1 + 0.0967 * strength + strength**2 / 10.526) * DENSITY)


def test_expressions_are_taken_as_they_are_given() -> None:
    k = coefficient("C OH", "CO H", "EXPRESSION", expression=lambda *_: 7.0)
    assert k == pytest.approx(7.0 * DENSITY)


def test_cosmic_rays_and_their_photons() -> None:
    assert coefficient("O", "O+ E-", "CRP", alpha=3.4e-17) == pytest.approx(3.4e-17 * ZETA)
    assert coefficient("OH", "O H", "CRPHOT", alpha=1.3e-17, gamma=500.0) == pytest.approx(1.3e-14 * ZETA)


def test_uv_photons_are_dimmed_by_dust_and_by_ice() -> None:
    gas = coefficient("OH", "O H", "PHOTON", alpha=3e-10, gamma=2.0)
    ice = coefficient("#OH", "#O #H", "PHOTON", alpha=3e-10, gamma=2.0)
    assert gas == pytest.approx(3e-10 * math.exp(-4.0) * FIELD / 1.7)
    assert ice == pytest.approx(0.3 * gas)


def test_self_shielded_molecules_ignore_the_rows_own_figures() -> None:
    assert coefficient("CO", "C O", "PHOTON", alpha=1.0) == coefficient("CO", "C O", "PHOTON", alpha=2.0)
    assert coefficient("C", "C+ E-", "PHOTON", alpha=3.5e-10, gamma=3.76) < 3.5e-10


def test_freeze_out_is_a_collision_with_a_grain() -> None:
    assert coefficient("CO", "#CO", "FREEZE") == pytest.approx(speed(28) * GRAIN_SECTION * DENSITY)


def test_grains_pull_ions_in_unless_uclchem_is_followed() -> None:
    neutral = coefficient("C", "#C", "FREEZE")
    assert coefficient("C+", "#C", "FREEZE", compatible=True) == pytest.approx(neutral)
    assert coefficient("C+", "#C", "FREEZE") == pytest.approx(neutral * (1 + 16.71e-4 / (1e-5 * TEMPERATURE)))


def test_electrons_freeze_only_where_uclchem_is_followed() -> None:
    assert coefficient("E-", "", "FREEZE", alpha=0.0) == 0.0
    k = coefficient("E-", "", "FREEZE", compatible=True, alpha=0.0)
    assert k == pytest.approx(speed(1) * GRAIN_SECTION * DENSITY)


def test_evaporation_follows_the_dust_temperature() -> None:
    expected = attempt_frequency(SPECIES[9]) * math.exp(-1300 / DUST)
    assert coefficient("#CO", "CO", "THERM") == pytest.approx(expected)


def test_non_thermal_desorption_spares_what_is_bound_tightly() -> None:
    assert coefficient("#H", "H", "DESCR") > 0.0
    assert coefficient("#CO", "CO", "DESCR") == 0.0
    assert coefficient("#H", "H", "DESOH2") == pytest.approx(0.01 * h2_formation(TEMPERATURE, DUST) * DENSITY)
    assert coefficient("#CO", "CO", "DEUVCR") > 0.0


def test_h2_forms_at_the_rate_of_the_dust_temperature() -> None:
    assert coefficient("H H", "H2", "H2FORM") == pytest.approx(h2_formation(DUST, DUST) * DENSITY)


def test_surface_reactions_without_barrier_run_at_the_meeting_rate() -> None:
    first, second = SPECIES[10], SPECIES[11]
    nu = attempt_frequency(first), attempt_frequency(second)
    hop = nu[0] * math.exp(-325 / DUST) + nu[1] * math.exp(-800 / DUST)
    leave = nu[0] * math.exp(-650 / DUST) + nu[1] * math.exp(-1600 / DUST)
    expected = hop * max(nu) / (max(nu) + hop + leave) / MONOLAYER
    assert coefficient("#H #O", "#OH", "LH") == pytest.approx(expected)


def test_a_barrier_slows_a_surface_reaction() -> None:
    free = coefficient("#CO #O", "#CO2", "LH")
    assert 0.0 < coefficient("#CO #O", "#CO2", "LH", gamma=1000.0) < 1e-3 * free

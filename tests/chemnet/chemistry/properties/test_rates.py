"""Rate coefficients follow their published formulae, and stay what they must be everywhere else."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from chemnet.chemistry.network.network import Network
from chemnet.chemistry.network.species_and_reactions import NetworkSpecies, Reaction
from chemnet.chemistry.rates.grain import desorption_fraction, h2_formation, sticking_coefficient
from chemnet.chemistry.rates.photo import (
    co_line_shielding,
    co_shielding_tables,
    columns,
    h2_self_shielding,
    scattering,
)

Array = NDArray[np.float64]
DENSITY, RADFIELD, AV, T_GAS, T_DUST, ZETA = CONDITIONS = np.array([2e4, 3.4, 1.2, 60.0, 30.0, 2.0])
SECTION = 0.5 * (7.908e-22 + 8.473e-22)
SITES_PER_H = 2.49e-6
SPECIES = [
    NetworkSpecies("H", 1.0),
    NetworkSpecies("H2", 2.0),
    NetworkSpecies("C", 12.0),
    NetworkSpecies("C+", 12.0),
    NetworkSpecies("O", 16.0),
    NetworkSpecies("CO", 28.0),
    NetworkSpecies("E-", 0.0),
    NetworkSpecies("#CO", 28.0, binding_energy=1150.0, enthalpy=-27.2),
    NetworkSpecies("#O", 16.0, binding_energy=1600.0, enthalpy=59.0),
    NetworkSpecies("#C", 12.0, binding_energy=800.0, enthalpy=171.0),
]
CO_FREQUENCY = math.sqrt(2.0 * 1.380649e-16 * 1.5e15 * 1150.0 / (math.pi**2 * 28.0 * 1.66053907e-24))


def coefficient(
    right_hand_side: Callable[..., Any], reaction: Reaction, conditions: Array = CONDITIONS
) -> float:
    """Return the coefficient of one reaction, powers of the density folded in."""
    return float(right_hand_side(Network.from_parts(SPECIES, [reaction]), conditions).k[0])


def speed(mass: float) -> float:
    """Return the mean thermal speed [cm s^-1]."""
    return math.sqrt(8.0 * 1.380649e-16 * T_GAS / (math.pi * 1.66053907e-24 * mass))


@pytest.mark.parametrize(
    ("reaction", "expected"),
    [
        (
            Reaction(("C", "O"), ("CO",), "TWOBODY", 2e-10, 0.5, 40.0),
            2e-10 * math.sqrt(T_GAS / 300.0) * math.exp(-40.0 / T_GAS) * DENSITY,
        ),
        (
            Reaction(("C", "O"), ("CO",), "IONPOL1", 0.5, 1e-9, 3.0),
            0.5 * 1e-9 * (0.62 + 0.4767 * 3.0 * math.sqrt(300.0 / T_GAS)) * DENSITY,
        ),
        (
            Reaction(("C", "O"), ("CO",), "IONPOL2", 0.5, 1e-9, 3.0),
            0.5e-9
            * (1.0 + 0.0967 * 3.0 * math.sqrt(300.0 / T_GAS) + 9.0 * 300.0 / (10.526 * T_GAS))
            * DENSITY,
        ),
        (Reaction(("CO",), ("C", "O"), "CRP", 3e-17), 3e-17 * ZETA),
        (
            Reaction(("CO",), ("C", "O"), "CRPHOT", 1.3e-17, 1.17, 105.0),
            1.3e-17 * 105.0 / 0.5 * ZETA * (T_GAS / 300.0) ** 1.17,
        ),
        (
            Reaction(("O", "O"), ("O", "O"), "TWOBODY", 1e-30),
            1e-30 * DENSITY,
        ),
        (
            Reaction(("#CO",), ("#C", "#O"), "PHOTON", 2e-10, 0.0, 3.5),
            0.3 * 2e-10 * math.exp(-3.5 * AV) * RADFIELD / 1.7,
        ),
        (Reaction(("CO",), ("#CO",), "FREEZE", 0.9), 0.9 * speed(28.0) * SECTION * DENSITY),
        (
            Reaction(("C+",), ("#C",), "FREEZE", 1.0, 1.0),
            (1.0 + 16.71e-4 / (1e-5 * T_GAS)) * speed(12.0) * SECTION * DENSITY,
        ),
        (Reaction(("#CO",), ("CO",), "THERM", 1.0), CO_FREQUENCY * math.exp(-1150.0 / T_DUST)),
        (Reaction(("#CO",), ("CO",), "DESOH2", 1.0), 0.01 * h2_formation(T_GAS, T_DUST) * DENSITY),
        (
            Reaction(("#CO",), ("CO",), "DESCR", 1.0),
            4.0 * math.pi * ZETA * 1.64e-4 * 4.0 * SECTION * 1e5,
        ),
        (
            Reaction(("#CO",), ("CO",), "DEUVCR", 1.0),
            SECTION * 0.03 * 4875.0 * ZETA * (1.0 + RADFIELD / 1e-3 * math.exp(-1.8 * AV) / ZETA),
        ),
        (Reaction(("H", "H"), ("H2",), "H2FORM", 1.0), h2_formation(T_DUST, T_DUST) * DENSITY),
    ],
    ids=lambda value: value.kind if isinstance(value, Reaction) else "",
)
def test_a_coefficient_follows_its_formula(
    right_hand_side: Callable[..., Any], reaction: Reaction, expected: float
) -> None:
    assert coefficient(right_hand_side, reaction) == pytest.approx(expected, rel=1e-9)


def test_reactions_on_the_surface_compete_with_desorption_and_hopping(
    right_hand_side: Callable[..., Any],
) -> None:
    def frequency(energy: float, mass: float) -> float:
        return math.sqrt(2.0 * 1.380649e-16 * 1.5e15 * energy / (math.pi**2 * mass * 1.66053907e-24))

    nu = [frequency(800.0, 12.0), frequency(1600.0, 16.0)]
    hop = sum(n * math.exp(-0.5 * e / T_DUST) for n, e in zip(nu, (800.0, 1600.0), strict=True))
    leave = sum(n * math.exp(-e / T_DUST) for n, e in zip(nu, (800.0, 1600.0), strict=True))
    mass = 12.0 * 16.0 / 28.0 * 1.66053907e-24
    tunnel = 2.0 * 1.4e-8 / 1.054571818e-27 * math.sqrt(2.0 * mass * 1.380649e-16 * 500.0)
    react = max(nu) * math.exp(-min(500.0 / T_DUST, tunnel))
    expected = react / (react + hop + leave) * hop / SITES_PER_H
    reaction = Reaction(("#C", "#O"), ("#CO",), "LH", 1.0, 0.0, 500.0)
    assert coefficient(right_hand_side, reaction) == pytest.approx(expected, rel=5e-3)


def test_a_species_with_a_barrier_of_its_own_hops_over_that(right_hand_side: Callable[..., Any]) -> None:
    reaction = Reaction(("#C", "#O"), ("#CO",), "LH", 1.0)
    same = [replace(one, diffusion_barrier=0.5 * one.binding_energy) for one in SPECIES]
    lower = [replace(one, diffusion_barrier=0.3 * one.binding_energy) for one in SPECIES]
    plain, equal, fast = (
        float(right_hand_side(Network.from_parts(species, [reaction]), CONDITIONS).k[0])
        for species in (SPECIES, same, lower)
    )
    assert equal == pytest.approx(plain)
    assert fast > 10.0 * plain


def test_chemical_desorption_takes_its_share_from_what_stays(right_hand_side: Callable[..., Any]) -> None:
    stays = Reaction(("#C", "#O"), ("#CO",), "LH", 1.0)
    leaves = Reaction(("#C", "#O"), ("CO",), "LHDES", 1.0)
    network = Network.from_parts(SPECIES, [stays, leaves])
    share = desorption_fraction(network, leaves)
    released = (171.0 + 59.0 + 27.2) * 4184.0 / 8.314462618
    kept = ((28.0 - 120.0) / (28.0 + 120.0)) ** 2
    assert share == pytest.approx(math.exp(-1150.0 * 6 / (kept * released)) / 10.0, rel=1e-9)
    both = right_hand_side(network, CONDITIONS).k
    alone = coefficient(right_hand_side, stays)
    np.testing.assert_allclose(both, [(1.0 - share) * alone, share * alone], rtol=1e-12)


@pytest.mark.parametrize(("t_min", "t_max"), [(100.0, 300.0), (10.0, 50.0)])
def test_a_row_outside_its_temperatures_counts_only_if_it_may_be_extrapolated(
    right_hand_side: Callable[..., Any], t_min: float, t_max: float
) -> None:
    row = {"t_min": t_min, "t_max": t_max}
    strict = Reaction(("C", "O"), ("CO",), "TWOBODY", 1e-10, **row)
    extended = Reaction(("C", "O"), ("CO",), "TWOBODY", 1e-10, extrapolate=True, **row)
    assert coefficient(right_hand_side, strict) == 0.0
    assert coefficient(right_hand_side, extended) == pytest.approx(1e-10 * DENSITY)


@pytest.mark.parametrize("kind", ["FREEZE", "LH"])
def test_nothing_sticks_to_hot_grains(right_hand_side: Callable[..., Any], kind: str) -> None:
    reaction = Reaction(("#C", "#O") if kind == "LH" else ("CO",), ("#CO",), kind, 1.0)
    hot = CONDITIONS.copy()
    hot[4] = 151.0
    assert coefficient(right_hand_side, reaction) > 0.0
    assert coefficient(right_hand_side, reaction, hot) == 0.0


@pytest.mark.parametrize("kind", ["DESOH2", "DESCR"])
def test_strongly_bound_ice_stays(right_hand_side: Callable[..., Any], kind: str) -> None:
    assert coefficient(right_hand_side, Reaction(("#O",), ("O",), kind, 1.0)) == 0.0


def test_self_shielded_dissociation_without_dust_or_columns_is_the_unshielded_rate(
    right_hand_side: Callable[..., Any],
) -> None:
    bare = CONDITIONS.copy()
    bare[2] = 0.0
    for reaction, unshielded in (
        (Reaction(("H2",), ("H", "H"), "PHOTON", 1.0), 5.18e-11),
        (Reaction(("CO",), ("C", "O"), "PHOTON", 1.0), 2e-10),
        (Reaction(("C",), ("C+", "E-"), "PHOTON", 3e-10, 0.0, 3.0), 3e-10),
    ):
        rate = coefficient(right_hand_side, reaction, bare)
        assert rate == pytest.approx(unshielded * RADFIELD / 1.7, rel=1e-2)


@given(av=st.floats(0.0, 100.0), more=st.floats(0.01, 10.0))
def test_shielding_grows_with_the_column(av: float, more: float) -> None:
    _, h2, _ = columns(av)
    _, deeper, _ = columns(av + more)
    assert (
        0.0 <= h2_self_shielding(deeper) <= h2_self_shielding(h2) * 1.05
    )  # the pieces of the fit join to 5 %
    assert 0.0 <= scattering(1000.0, av + more) <= scattering(1000.0, av) * 1.001
    assert scattering(1000.0, av) <= 1.0 + 1e-9


@pytest.mark.parametrize(
    ("log_h2", "log_co", "expected"), [(18, 12, 0.0), (20, 15, -0.6273), (23, 19, -6.446), (19, 16, -1.272)]
)
def test_co_shielding_passes_through_its_table(log_h2: float, log_co: float, expected: float) -> None:
    shielding = co_line_shielding(10.0**log_h2, 10.0**log_co, *co_shielding_tables(False))
    assert math.log10(shielding) == pytest.approx(expected, abs=1e-6)


@given(t=st.floats(5.0, 1000.0))
def test_sticking_is_a_probability_that_falls_with_temperature(t: float) -> None:
    assert 0.0 < sticking_coefficient(1.0, 52.0, 1.1 * t) < sticking_coefficient(1.0, 52.0, t) <= 1.0


@settings(max_examples=20)  # the network is compiled for each
@given(
    density=st.floats(1e2, 1e10),
    radfield=st.floats(0.0, 1e5),
    av=st.floats(0.0, 1e4),
    t_gas=st.floats(5.0, 1000.0),
    t_dust=st.floats(5.0, 1000.0),
)
def test_coefficients_are_finite_and_not_negative_everywhere(
    collapse_bulk: Network,
    right_hand_side: Callable[..., Any],
    density: float,
    radfield: float,
    av: float,
    t_gas: float,
    t_dust: float,
) -> None:
    system = right_hand_side(collapse_bulk, np.array([density, radfield, av, t_gas, t_dust, 1.0]))
    assert np.isfinite(system.k).all()
    assert (system.k >= 0.0).all()

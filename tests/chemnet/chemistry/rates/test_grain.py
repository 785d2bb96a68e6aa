"""Grain physics: formation of H2, sticking, tunnelling, chemical desorption."""

from __future__ import annotations

import math

import pytest

from chemnet.chemistry.network.network import Network
from chemnet.chemistry.network.species_and_reactions import NetworkSpecies, Reaction
from chemnet.chemistry.rates.grain import (
    attempt_frequency,
    desorption_fraction,
    h2_formation,
    sticking_coefficient,
    tunnelling_exponent,
)

ICES = [
    NetworkSpecies("#H", 1.0, 650.0, 51.63),
    NetworkSpecies("#O", 16.0, 1600.0, 59.0),
    NetworkSpecies("#OH", 17.0, 4600.0, 8.8),
    NetworkSpecies("#N", 14.0, 720.0, 112.5),
    NetworkSpecies("#N2", 28.0, 1100.0, 0.0),
    NetworkSpecies("OH", 17.0),
    NetworkSpecies("N2", 28.0),
]


def share(reactants: tuple[str, str], product: str, gamma: float = 0.0) -> float:
    """Return the desorbing share of one row."""
    row = Reaction(reactants, (product,), "LHDES", 1.0, gamma=gamma)
    return desorption_fraction(Network.from_parts(ICES, [row]), row)


def test_chemical_desorption_follows_minissale() -> None:
    released = (51.63 + 59.0 - 8.8) * 4184.0 / 8.314462618
    kept = ((17.0 - 120.0) / 137.0) ** 2
    assert share(("#H", "#O"), "OH") == pytest.approx(math.exp(-4600.0 * 6.0 / (kept * released)) / 10.0)


def test_nitrogen_has_its_measured_share() -> None:
    assert share(("#N", "#N"), "N2") == 0.5


def test_endothermic_rows_keep_their_products() -> None:
    network = Network.from_parts([*ICES, NetworkSpecies("H", 1.0), NetworkSpecies("O", 16.0)], [])
    assert desorption_fraction(network, Reaction(("#OH",), ("H", "O"), "LHDES", 1.0)) == 0.0


def test_h2_forms_at_about_3e_17_in_a_cold_cloud() -> None:
    assert 5e-18 < h2_formation(10.0, 10.0) < 5e-17
    assert h2_formation(100.0, 300.0) < h2_formation(100.0, 15.0)


def test_warm_hydrogen_sticks_less() -> None:
    assert sticking_coefficient(1.0, 52.0, 0.0) == 1.0
    assert sticking_coefficient(1.0, 52.0, 300.0) < sticking_coefficient(1.0, 52.0, 10.0) < 1.0


def test_hydrogen_attempts_to_leave_its_site_4e12_times_a_second() -> None:
    assert attempt_frequency(ICES[0]) == pytest.approx(4.05e12, rel=0.01)


def test_tunnelling_through_nothing_is_certain() -> None:
    assert tunnelling_exponent(1.0, 0.0) == 0.0
    assert tunnelling_exponent(4.0, 2500.0) == pytest.approx(2.0 * tunnelling_exponent(1.0, 2500.0))

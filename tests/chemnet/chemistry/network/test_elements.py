"""The table of elements is consistent with itself and with chemistry."""

from __future__ import annotations

from itertools import pairwise

import pytest

from chemnet.chemistry.network.elements import (
    ATOMIC_WEIGHTS,
    ISOTOPE_MASSES,
    WEIGHTS_IN_CAPITALS,
    symbols_in_capitals,
)

FIRST_TWENTY = [
    "H", "He", "Li", "Be", "B", "C", "N", "O", "F", "Ne",
    "Na", "Mg", "Al", "Si", "P", "S", "Cl", "Ar", "K", "Ca",
]  # fmt: skip
# argon is heavier than potassium: the one inversion among the light elements
HEAVIER_THAN_THE_NEXT = {"Ar"}


def test_light_elements_grow_heavier_with_their_number():
    for element, following in pairwise(FIRST_TWENTY):
        lighter = ATOMIC_WEIGHTS[element] < ATOMIC_WEIGHTS[following]
        assert lighter != (element in HEAVIER_THAN_THE_NEXT), element


@pytest.mark.parametrize(
    ("molecule", "mass"), [("HHO", 18.015), ("CO", 28.010), ("CCHHHHHHO", 46.069), ("SOO", 64.06)]
)
def test_weights_add_up_to_known_molecular_masses(molecule, mass):
    assert sum(ATOMIC_WEIGHTS[symbol] for symbol in molecule) == pytest.approx(mass, abs=5e-3)


def test_no_two_symbols_are_equal_in_capitals():
    assert len(WEIGHTS_IN_CAPITALS) == len(ATOMIC_WEIGHTS) + len(ISOTOPE_MASSES)


@pytest.mark.parametrize("isotope", ISOTOPE_MASSES)
def test_an_isotope_has_nearly_the_mass_of_its_number(isotope):
    mass_number = int("".join(sign for sign in isotope if sign.isdigit()))
    assert ISOTOPE_MASSES[isotope] == pytest.approx(mass_number, abs=0.05)


def test_capitals_hold_every_element_but_those_that_read_as_two_light_ones():
    split = set(map(str.upper, ATOMIC_WEIGHTS)) - symbols_in_capitals()
    assert split == {"CO", "CS", "SC", "HF", "HO", "NB", "ND", "CD", "OS", "PB", "PD", "SB", "SN"}
    assert {"SI", "CL", "FE", "NA", "MG", "NI", "HE"} <= symbols_in_capitals()

"""Species names are read as the formulas that a chemist reads."""

from __future__ import annotations

import csv
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chemnet.chemistry.network.elements import ATOMIC_WEIGHTS, ELECTRON_MASS, symbols_in_capitals
from chemnet.chemistry.network.species import is_species, parse_species, standard_name
from chemnet.errors import DataError

MASS_NUMBERS = {"H": 1, "HE": 4, "C": 12, "N": 14, "O": 16, "MG": 24, "SI": 28, "S": 32, "CL": 35}
"""The most abundant isotope of each element, which UCLCHEM's MASS column adds up."""

SUMS = ("BULK", "SURFACE")
CHARGES = st.integers(-3, 3)


def formula(counts: list[tuple[str, int]]) -> str:
    return "".join(f"{symbol}{count if count > 1 else ''}" for symbol, count in counts)


def mark(charge: int) -> str:
    return ("+" if charge > 0 else "-") * abs(charge)


def totals(counts: list[tuple[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for symbol, count in counts:
        total[symbol.upper()] = total.get(symbol.upper(), 0) + count
    return total


def counts_of(symbols: list[str]) -> st.SearchStrategy[list[tuple[str, int]]]:
    pairs = st.tuples(st.sampled_from(symbols), st.integers(1, 12))  # from 13 on a count may be a mass number
    return st.lists(pairs, min_size=1, max_size=6).filter(lambda counts: formula(counts) not in ("E",))


@given(counts_of(sorted(symbol for symbol in ATOMIC_WEIGHTS if len(symbol) == 2)), CHARGES)
def test_formula_in_normal_spelling_gives_back_its_counts(counts, charge):
    species = parse_species(formula(counts) + mark(charge))
    assert species.elements == totals(counts)
    assert species.charge == charge


@given(counts_of(["H", "HE", "C", "N", "O", "MG", "SI", "S", "CL", "FE", "NA", "P", "F"]), CHARGES)
def test_formula_in_capitals_gives_back_its_counts(counts, charge):
    text = formula(counts)
    # two one-letter symbols that touch may spell a two-letter one: such names are ambiguous by themselves
    touching = {a[0] + b[0][0] for a, b in pairwise(counts) if a[1] == 1 and len(a[0]) == 1}
    assume(not touching & symbols_in_capitals() and text not in ("CR", "E"))
    species = parse_species(text + mark(charge))
    assert species.elements == totals(counts)
    assert species.charge == charge


@given(counts_of(["H", "He", "C", "Si", "Cl"]), st.integers(1, 9))
def test_group_in_parentheses_counts_as_often_as_its_number_says(counts, times):
    repeated = parse_species(f"C({formula(counts)}){times}He").elements
    expected = totals([("C", 1), *[(symbol, count * times) for symbol, count in counts], ("He", 1)])
    assert repeated == expected


@given(counts_of(["H", "C", "O"]), st.sampled_from([("#", "surface"), ("@", "bulk"), ("", "gas")]))
def test_phase_mark_changes_nothing_but_the_phase(counts, phase):
    plain, marked = parse_species(formula(counts)), parse_species(phase[0] + formula(counts))
    assert marked.phase == phase[1]
    assert (marked.elements, marked.charge, marked.mass) == (plain.elements, plain.charge, plain.mass)


@given(st.text(max_size=12))
def test_any_text_is_either_read_or_refused_by_name(text):
    if is_species(text):
        species = parse_species(text)
        assert species.name == text.strip()
        assert all(count > 0 for count in species.elements.values())
    else:
        with pytest.raises(DataError) as caught:
            parse_species(text)
        # of a name with braces it is the part before them that is quoted
        assert "is not a species name" in caught.value.message
        assert caught.value.hint


@pytest.mark.parametrize(
    ("name", "elements", "charge"),
    [
        ("CO", {"C": 1, "O": 1}, 0),
        ("Co", {"CO": 1}, 0),
        ("CH3OH", {"C": 1, "H": 4, "O": 1}, 0),
        ("H2COH", {"H": 3, "C": 1, "O": 1}, 0),
        ("HCO2+", {"H": 1, "C": 1, "O": 2}, 1),
        ("SIC2", {"SI": 1, "C": 2}, 0),
        ("CS", {"C": 1, "S": 1}, 0),
        ("HSIO", {"H": 1, "SI": 1, "O": 1}, 0),
        ("NACL", {"NA": 1, "CL": 1}, 0),
        ("NaCl", {"NA": 1, "CL": 1}, 0),
        ("NI", {"NI": 1}, 0),
        ("PN", {"P": 1, "N": 1}, 0),
        ("HE++", {"HE": 1}, 2),
        ("C60-", {"C": 60}, -1),
        ("C6H5CN", {"C": 7, "H": 5, "N": 1}, 0),
        ("CH3(CH2)2OH", {"C": 3, "H": 8, "O": 1}, 0),
        ("Si((OH)2O)2", {"SI": 1, "O": 6, "H": 4}, 0),
        ("H2D+", {"H": 2, "D": 1}, 1),
        ("FeH+", {"FE": 1, "H": 1}, 1),
    ],
)
def test_formula_is_read_by_the_documented_rules(name, elements, charge):
    species = parse_species(name)
    assert species.elements == elements
    assert species.charge == charge
    assert species.n_atoms == sum(elements.values())


@pytest.mark.parametrize("name", ["E-", "e-", "E", "e", "electron"])
def test_every_name_of_the_electron_is_a_particle_without_elements(name):
    electron = parse_species(name)
    assert (electron.elements, electron.charge, electron.phase) == ({}, -1, "gas")
    assert electron.mass == pytest.approx(ELECTRON_MASS)
    assert standard_name(name) == "E-"


@pytest.mark.parametrize(("name", "charge"), [("GRAIN", 0), ("GRAIN0", 0), ("GRAIN-", -1), ("grain+", 1)])
def test_grain_carries_charge_and_no_elements(name, charge):
    assert (parse_species(name).elements, parse_species(name).charge) == ({}, charge)


@pytest.mark.parametrize(
    ("name", "label", "plain"),
    [
        ("l-C3H2", "l-", "C3H2"),
        ("c-SIC2", "c-", "SIC2"),
        ("c_C3H2", "c_", "C3H2"),
        ("lC3H", "l", "C3H"),
        ("o-H2D+", "o-", "H2D+"),
        ("H2_PARA+", "_PARA", "H2+"),
        ("cis-HCOOH", "cis-", "HCOOH"),
        ("n-C3H7CN", "n-", "C3H7CN"),
        ("E-HNCHCN", "E-", "HNCHCN"),
        ("O(1D)", "(1D)", "O"),
        ("C(1D)+", "(1D)", "C+"),
        ("H2*", "*", "H2"),
    ],
)
def test_isomer_and_state_labels_stay_in_the_name_and_out_of_the_formula(name, label, plain):
    species = parse_species(name)
    assert (species.name, species.isomer) == (name, label)
    assert (species.elements, species.charge) == (parse_species(plain).elements, parse_species(plain).charge)


@pytest.mark.parametrize(
    ("name", "phase"), [("CO_ice", "surface"), ("H2O_DUST", "surface"), ("CO_bulk", "bulk"), ("@CO", "bulk")]
)
def test_phase_may_also_be_a_suffix(name, phase):
    assert parse_species(name).phase == phase


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "no element"),
        ("#", "no element"),
        ("+", "no element"),
        ("H2v", "'v'"),
        ("Xy2", "'Xy2'"),
        ("2H", "'2H'"),
        ("C-3", "'-3'"),
        ("H2(OH", "not closed"),
        ("H2OH)2", "')2'"),
        ("C()2", "')2'"),
        ("H0", "zero"),
        ("C O", "' O'"),
        ("CRP", "reaction partner"),
        ("Photon", "reaction partner"),
        ("BULK", "sum"),
    ],
)
def test_what_is_no_formula_is_refused_with_the_reason(name, reason):
    with pytest.raises(DataError, match="is not a species name") as caught:
        parse_species(name)
    assert reason in caught.value.message
    assert not is_species(name)


def test_ion_is_lighter_by_the_electrons_that_it_lost():
    ionised = parse_species("H2O+").mass + parse_species("E-").mass
    assert ionised == pytest.approx(parse_species("H2O").mass, rel=1e-14)


@pytest.mark.parametrize(
    ("name", "standard"),
    [
        ("SiO+", "SIO+"),
        ("CO_ice", "#CO"),
        ("CO_bulk", "@CO"),
        ("HCl", "HCL"),
        ("l-SiC3", "l-SIC3"),
        ("#CO", "#CO"),
    ],
)
def test_standard_name_is_in_capitals_with_the_phase_in_front(name, standard):
    assert standard_name(name) == standard
    assert parse_species(standard).elements == parse_species(name).elements


def test_standard_name_refuses_a_metal_that_capitals_would_split():
    with pytest.raises(DataError, match=r"'Cs' has no unambiguous name in capitals: 'CS'"):
        standard_name("Cs")


def test_mutating_the_elements_of_a_species_leaves_the_next_one_whole():
    parse_species("CH4").elements["H"] = 99
    assert parse_species("CH4").elements == {"C": 1, "H": 4}


def test_every_species_of_uclchem_has_the_mass_that_its_table_says(shared_data: Path):
    with (shared_data / "network" / "species.csv").open(newline="", encoding="utf-8") as stream:
        table = [row for row in csv.DictReader(stream) if row["NAME"] not in SUMS]
    assert len(table) == 333
    for row in table:
        species = parse_species(row["NAME"])
        mass_number = sum(MASS_NUMBERS[element] * count for element, count in species.elements.items())
        assert mass_number == int(row["MASS"]), row["NAME"]
        # average weights differ from mass numbers by chlorine's second isotope at most
        assert species.mass == pytest.approx(mass_number, abs=0.6)

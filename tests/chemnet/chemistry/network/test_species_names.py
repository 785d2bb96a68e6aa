"""Names say what they are made of: declared compositions, marks of ice, and no element by accident."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chemnet.chemistry.network.species import parse_species, standard_name
from chemnet.chemistry.network.species_names import Naming, accidental_elements, refuse_accidents
from chemnet.chemistry.network.stoichiometry import element_names, stoichiometric_matrix
from chemnet.errors import ConfigError, DataError

ATOMS = st.sampled_from(["H", "D", "He", "C", "N", "O", "Si", "S", "Cl", "Fe", "[13C]", "[18O]", "[15N]"])
FORMULAS = st.lists(st.tuples(ATOMS, st.integers(1, 9)), min_size=1, max_size=4).map(
    lambda parts: "".join(f"{atom}{count if count > 1 else ''}" for atom, count in parts)
)
LABELS = st.sampled_from(["", "l-", "c-", "o-", "cis-"])
PHASES = st.sampled_from(["", "#", "@"])
CHARGES = st.sampled_from(["", "+", "++", "-"])
NAMING = Naming({"PAH": "C54H18", "CHx": "CH", "C18O": "C[18O]", "XGR": ""}, {"J": "surface", "K": "bulk"})


@given(PHASES, LABELS, FORMULAS, CHARGES)
def test_a_printed_species_reads_as_itself(phase, label, formula, charge):
    given_name = phase + label + formula + charge
    try:
        name = standard_name(given_name)
    except DataError:
        return  # two spellings of one name (SiN, SIN) are refused
    first, second = parse_species(given_name), parse_species(name)
    assert standard_name(name) == name
    assert (second.elements, second.charge, second.phase) == (first.elements, first.charge, first.phase)
    assert second.mass == pytest.approx(first.mass)


@given(PHASES, st.sampled_from(["PAH", "pah", "CHx", "C18O", "XGR"]), CHARGES)
def test_a_declared_name_has_the_declared_atoms_its_own_charge_and_phase(phase, name, charge):
    species = parse_species(NAMING.standard(phase + name + charge))
    formula = NAMING.composition["PAH" if name == "pah" else name]
    assert species.elements == (parse_species(formula).elements if formula else {})
    assert species.charge == charge.count("+") - charge.count("-")
    assert species.phase == {"": "gas", "#": "surface", "@": "bulk"}[phase]
    assert NAMING.standard(species.name) == species.name


@pytest.mark.parametrize(
    ("name", "standard"), [("JH2O", "#H2O"), ("KH2O", "@H2O"), ("K", "K"), ("K+", "K+"), ("JCHx", "#CHX{CH}")]
)
def test_a_prefix_marks_ice(name, standard):
    assert NAMING.standard(name) == standard


@pytest.mark.parametrize(
    "name", ["C18O", "H13CO+", "H218O", "CO18", "N15N", "HC15N", "C34S", "29SiO", "13CO", "(13C)O"]
)
def test_an_isotope_without_brackets_is_refused_with_the_notation_and_the_key(name):
    with pytest.raises(DataError) as caught:
        parse_species(name)
    assert "in brackets, as in" in caught.value.hint
    assert "network.composition" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("C18O", "C[18O]"),
        ("H13CO+", "H[13C]O+"),
        ("H218O", "H2[18O]"),
        ("13CO", "[13C]O"),
        ("CO18", "C[18O]"),
    ],
)
def test_the_hint_for_an_isotope_is_a_name_that_is_read(name, meant):
    with pytest.raises(DataError) as caught:
        parse_species(name)
    assert f"'{meant}'" in caught.value.hint
    assert parse_species(meant).elements


@pytest.mark.parametrize(
    "name", ["C60", "HC13N", "C54H18", "TI9O18", "AL12O18", "CH3(CH2)2OH", "C10H22", "C13"]
)
def test_large_molecules_and_clusters_are_no_isotopes(name):
    assert sum(parse_species(name).elements.values()) > 11


def test_an_isotope_is_an_element_of_its_own_with_its_mass():
    species = parse_species("H[13C]O+")
    assert species.elements == {"H": 1, "13C": 1, "O": 1}
    assert species.mass == pytest.approx(1.008 + 13.00335 + 15.999, abs=1e-3)
    assert element_names(["CO", "[13C]O"]) == ("C", "13C", "O")


@pytest.mark.parametrize(
    "names",
    [
        ["E-", "GRAIN0", "GRAIN-", "H2*", "l-C3H", "c-C3H2", "C(1D)", "HCO+", "FE+", "NA", "CL", "SIO"],
        ["K", "K+", "KCL", "CL"],
        ["TI", "TIO2", "AL2O3"],
    ],
)
def test_names_of_public_networks_are_no_accidents(names):
    assert accidental_elements(names) == {}


@pytest.mark.parametrize("name", ["PAH", "PAH-", "KH2O", "#PAH", "V", "Y", "InH", "U"])
def test_an_element_that_a_network_does_not_have_beside_it_is_refused(name):
    with pytest.raises(DataError, match="of which there is no atom beside it") as caught:
        stoichiometric_matrix(["H", "CO", name])
    assert "network.composition" in caught.value.hint


def test_an_accident_is_named_with_its_place():
    with pytest.raises(DataError, match=r"net\.dat:7: 'PAH' reads as a formula with Pa"):
        refuse_accidents(["H", "PAH"], {"PAH": "net.dat:7"})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"composition": {"PAH": "Cx"}}, "'PAH' is 'Cx', which is no formula"),
        ({"composition": {"PAH": 3}}, "'PAH' is 3, which is no formula"),
        ({"ice_prefixes": {"J": "ice"}}, "'J' is 'ice'"),
    ],
)
def test_a_declaration_that_says_nothing_is_refused_by_its_key(fields, message):
    with pytest.raises(ConfigError, match=message):
        Naming(**fields)


def test_a_declaration_that_contradicts_what_a_name_says_is_told(caplog):
    Naming({"PAH": "C54H18", "C18O": "C[18O]", "CHX": "CH"})
    assert not caplog.records
    Naming({"CO": "N2"})
    assert "CO reads as a formula by itself; it counts as the declared N2" in caplog.text


def test_a_letter_that_may_stand_for_a_charge_is_told(caplog):
    refuse_accidents(["H", "P", "PH", "HCP", "PO"])
    assert not caplog.records
    refuse_accidents(["H", "CO", "HCOP", "COP"])
    assert "COP, HCOP: read with phosphorus" in caplog.text
    assert "rename it: CO+" in caplog.text

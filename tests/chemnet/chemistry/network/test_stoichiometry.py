"""Element and charge matrices agree with the formulas."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chemnet.chemistry.network.species import parse_species
from chemnet.chemistry.network.stoichiometry import charges, element_names, masses, stoichiometric_matrix
from chemnet.errors import DataError

SPECIES = ["H", "H2", "HE+", "CO", "#CH3OH", "@SIO", "C2H2", "H3O+", "E-", "HCL", "SO2", "GRAIN-", "C-"]
species_lists = st.lists(st.sampled_from(SPECIES), max_size=8)


@given(species_lists)
def test_matrix_rows_are_the_element_counts_of_the_species(species):
    elements = element_names(species)
    matrix = stoichiometric_matrix(species)
    assert matrix.shape == (len(species), len(elements))
    assert matrix.dtype == np.float64
    for row, name in zip(matrix, species, strict=True):
        counted = {element: count for element, count in zip(elements, row, strict=True) if count}
        assert counted == parse_species(name).elements


@given(species_lists, st.randoms())
def test_order_of_species_orders_the_rows_and_leaves_the_columns(species, random):
    order = list(range(len(species)))
    random.shuffle(order)
    shuffled = [species[i] for i in order]
    assert element_names(shuffled) == element_names(species)
    np.testing.assert_array_equal(stoichiometric_matrix(shuffled), stoichiometric_matrix(species)[order])


def test_elements_come_by_increasing_weight():
    assert element_names(["MGO", "SIC", "HCL", "NH3", "HE", "H2S", "E-"]) == (
        "H", "HE", "C", "N", "O", "MG", "SI", "S", "CL",
    )  # fmt: skip


def test_columns_follow_the_elements_asked_for_in_either_spelling():
    matrix = stoichiometric_matrix(["SIO", "H2O"], ["O", "Si"])
    np.testing.assert_array_equal(matrix, [[1, 1], [1, 0]])


def test_unknown_element_is_refused_with_near_ones():
    with pytest.raises(DataError, match="unknown element 'SX'") as caught:
        stoichiometric_matrix(["SIO"], ["SX"])
    assert "'S'" in str(caught.value.hint)


def test_charges_and_masses_come_in_the_order_of_the_species():
    np.testing.assert_array_equal(charges(["E-", "HE++", "CO", "C-"]), [-1, 2, 0, -1])
    np.testing.assert_allclose(masses(["H2O", "CO"]), [18.015, 28.010], atol=1e-3)


def test_no_species_give_empty_arrays():
    assert stoichiometric_matrix([]).shape == (0, 0)
    assert charges([]).shape == masses([]).shape == (0,)


def test_matrix_equals_the_one_stored_with_the_reference_tracers(shared_data):
    with h5py.File(shared_data / "network_tracers_plain.h5") as file:
        names = [name.decode() for name in file["species"][:]]
        elements = [str(element) for element in file["stoichiometry"].attrs["elements"]]
        stored = file["stoichiometry"][:]
    states = [i for i, name in enumerate(names) if name not in ("BULK", "SURFACE")]
    np.testing.assert_array_equal(stoichiometric_matrix([names[i] for i in states], elements), stored[states])
    assert set(elements) == set(element_names([names[i] for i in states]))

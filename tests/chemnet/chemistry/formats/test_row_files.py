"""What the row readers share: numbers of two languages, names in one spelling, faults with their place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chemnet.chemistry.formats.row_files import (
    data_lines,
    decimal,
    network_species,
    read_rows,
    require_reactants,
    species_names,
    split_partner,
)
from chemnet.chemistry.network.network import Reaction
from chemnet.errors import DataError


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_number_is_read_alike_from_python_and_fortran(number):
    assert decimal(repr(number), "alpha", "a:1") == number
    assert decimal(f" {number!r} ".replace("e", "D"), "alpha", "a:1") == number


@pytest.mark.parametrize("text", ["", "nan", "inf", "1e999", "1,5", "0x10", "two"])
def test_text_that_is_no_finite_number_is_refused_with_column_and_place(text):
    with pytest.raises(DataError, match=r"net\.txt:3: alpha is '.*', which is no finite number"):
        decimal(text, "alpha", "net.txt:3")


def test_comments_and_blank_lines_are_skipped_and_numbers_kept(tmp_path):
    path = tmp_path / "net.txt"
    path.write_text("# a\n\n  ! b\nfirst\n  \nsecond\r\n", encoding="utf-8")
    assert data_lines(path, ("#", "!")) == [(4, "first"), (6, "second")]


def test_bytes_that_are_no_text_do_not_stop_a_reader(tmp_path):
    path = tmp_path / "net.txt"
    path.write_bytes(b"H:\xe9\n")
    assert [number for number, _ in data_lines(path, ("#",))] == [1]


def test_names_are_brought_to_one_spelling_and_empty_places_left_out():
    assert species_names(["He+", " ", "e-", "CO_ice", "l-C3H2"], "a:1") == ("HE+", "E-", "#CO", "l-C3H2")


def test_partner_is_taken_from_any_place():
    assert split_partner(["CRP", "H2", ""], ["CRP"]) == (["H2"], "CRP")
    assert split_partner(["C", "OH"], ["CRP"]) == (["C", "OH"], "")


def test_number_of_reacting_species_is_checked():
    require_reactants(["C", "OH"], "NN", 2, "a:1")
    with pytest.raises(DataError, match="a:1: a reaction of type NN has 2 reacting species, found 0: none"):
        require_reactants([], "NN", 2, "a:1")


def test_species_come_in_order_of_appearance_after_the_extra_ones():
    rows = [Reaction(("C", "OH"), ("CO", "H"), "TWOBODY", 1.0), Reaction(("CO",), ("C", "O"), "PHOTON", 1.0)]
    species = network_species(rows, ["HE"])
    assert [one.name for one in species] == ["HE", "C", "OH", "CO", "H", "O"]
    assert species[0].mass == pytest.approx(4.0026, abs=1e-4)


def test_single_fault_is_reported_as_it_is(tmp_path):
    def refuse(text, where):
        raise DataError(f"{where}: {text} is wrong", hint="write it right")

    with pytest.raises(DataError) as caught:
        read_rows(tmp_path / "net.txt", [(7, "row")], refuse)
    assert str(caught.value) == "net.txt:7: row is wrong\n  hint: write it right"


def test_a_file_of_which_hardly_a_row_can_be_read_has_another_format(tmp_path):
    def refuse(text, where):
        raise DataError(f"{where}: no reaction in {text!r}")

    lines = [(number, "a,b") for number in range(1, 802)]
    with pytest.raises(DataError, match=r"table\.csv: format not recognised") as caught:
        read_rows(tmp_path / "table.csv", lines, refuse)
    assert "801" not in caught.value.message
    assert all(name in caught.value.hint for name in ("UCLCHEM", "UMIST", "KIDA", "KROME"))

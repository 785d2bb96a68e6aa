"""What the row readers share: names in one spelling, faults with their place, rows left out on request."""

from __future__ import annotations

from pathlib import Path

import pytest

from chemnet.chemistry.formats import read_parts
from chemnet.chemistry.formats.row_files import (
    Reading,
    ReadingOptions,
    network_species,
    require_reactants,
    split_partner,
)
from chemnet.chemistry.network.species_and_reactions import Reaction
from chemnet.errors import DataError


def test_names_are_brought_to_one_spelling_and_empty_places_left_out():
    assert Reading().names(["He+", " ", "e-", "CO_ice", "l-C3H2"], "a:1") == ("HE+", "E-", "#CO", "l-C3H2")


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
        Reading().read_rows(tmp_path / "net.txt", [(7, "row")], refuse)
    assert str(caught.value) == "net.txt:7: row is wrong\n  hint: write it right"


def test_a_file_of_which_hardly_a_row_can_be_read_has_another_format(tmp_path):
    def refuse(text, where):
        raise DataError(f"{where}: no reaction in {text!r}")

    lines = [(number, "a,b") for number in range(1, 802)]
    with pytest.raises(DataError, match=r"table\.csv: format not recognised") as caught:
        Reading().read_rows(tmp_path / "table.csv", lines, refuse)
    assert "801" not in caught.value.message
    assert all(name in caught.value.hint for name in ("UCLCHEM", "UMIST", "KIDA", "KROME"))


def test_rows_are_left_out_only_when_asked_and_all_of_them_are_listed(tmp_path):
    def parse(text, where):
        if text == "bad":
            raise DataError(f"{where}: no rate", hint="give one")
        return [Reaction(("C", "OH"), ("CO", "H"), "TWOBODY", 1.0)]

    lines = list(enumerate(["good"] * 4 + ["bad"] * 2, start=1))
    with pytest.raises(DataError, match="2 rows are refused") as caught:
        Reading().read_rows(tmp_path / "net.txt", lines, parse)
    assert "network.skip_unreadable=true" in caught.value.hint
    reading = Reading(ReadingOptions(skip_unreadable=True))
    assert len(reading.read_rows(tmp_path / "net.txt", lines, parse)) == 4
    assert (reading.rows, reading.skipped) == (6, ["net.txt:5: no rate", "net.txt:6: no rate"])


def test_a_choice_made_for_many_rows_is_one_line():
    reading = Reading()
    for line in (3, 5):
        reading.notice("read by its reactant", f"net.txt:{line}")
    assert reading.notes == ["read by its reactant (2 rows, the first is net.txt:3)"]


def test_a_coefficient_in_other_units_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "net.rates"
    path.write_text("1:NN:H:OH:O:H2:::1:1e10:0:0:10:300:L:C::\n2:NN:O:H2:OH:H:::1:1e-10:0:0:10:300:L:C::\n")
    assert read_parts(path).reading.notes == [
        "two-body rows with alpha above 0.0001 cm^3 s^-1: other units? (1 row, the first is net.rates:1)"
    ]


def test_a_negative_coefficient_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "net.rates"
    path.write_text("1:NN:H:OH:O:H2:::1:-1e-10:0:0:10:300:L:C::\n2:NN:O:H2:OH:H:::1:1e-10:0:0:10:300:L:C::\n")
    assert read_parts(path).reading.notes == [
        "rows with a negative alpha take away from a rate (1 row, the first is net.rates:1)"
    ]

"""Networks refuse what is inconsistent, and say where it stands."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chemnet.chemistry.network.network import Network
from chemnet.chemistry.network.species_and_reactions import NetworkSpecies, Reaction
from chemnet.errors import DataError

SPECIES = [
    NetworkSpecies(name, mass)
    for name, mass in (("H", 1), ("H2", 2), ("C", 12), ("C+", 12), ("E-", 0), ("#C", 12), ("#H", 1))
]


def reaction(reactants: str, products: str, kind: str = "TWOBODY", **fields: Any) -> Reaction:
    """Return a row from space-separated names."""
    return Reaction(tuple(reactants.split()), tuple(products.split()), kind, 1e-10, source="file:7", **fields)


def test_species_know_their_elements_charge_and_phase() -> None:
    network = Network.from_parts(SPECIES, [])
    assert network.elements == ("H", "C")
    assert network.charges.tolist() == [0, 0, 0, 1, -1, 0, 0]
    assert [one.phase for one in network.species][-2:] == ["surface", "surface"]
    assert network.stoichiometry[network.index("H2")].tolist() == [2, 0]


def test_a_balanced_network_is_accepted_in_the_given_order() -> None:
    rows = [reaction("C+ E-", "C"), reaction("H H", "H2", "H2FORM")]
    network = Network.from_parts(SPECIES, rows, name="tiny")
    assert network.reactions == tuple(rows)
    assert network.name == "tiny"
    assert not network.has_bulk


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (reaction("C H", "C"), r"file:7: C \+ H -> C .* not balanced .*H -1"),
        (reaction("C", "C+", "PHOTON"), r"charge \+1"),
        (reaction("C", "CO"), "unknown species 'CO'"),
        (replace(reaction("C", "C"), kind="PHOTONS"), "unknown reaction type 'PHOTONS'"),
    ],
)
def test_a_bad_reaction_is_named_with_its_line(row: Reaction, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Network.from_parts(SPECIES, [row])


def test_near_misses_of_an_unknown_type_are_suggested() -> None:
    with pytest.raises(DataError, match="did you mean 'PHOTON'"):
        Network.from_parts(SPECIES, [replace(reaction("C", "C"), kind="PHOTONS")])


def test_a_species_listed_twice_is_refused() -> None:
    with pytest.raises(DataError, match="lists species twice: H"):
        Network.from_parts([*SPECIES, SPECIES[0]], [])


def test_freezing_ions_may_leave_their_charge_on_the_grain() -> None:
    freeze = reaction("C+", "#C", "FREEZE")
    network = Network.from_parts(SPECIES, [freeze])
    assert list(network.reactions) == [freeze]
    assert not network.mended


def test_freeze_out_that_makes_hydrogen_is_mended_with_the_molecules_own_ice() -> None:
    species = [*SPECIES, NetworkSpecies("CH", 13), NetworkSpecies("#CH4", 16)]
    bad, odd = reaction("C", "#CH4", "FREEZE"), reaction("CH", "#CH4", "FREEZE")
    network = Network.from_parts(species, [bad, odd])
    assert network.mended[bad].products == ("#C",)
    assert network.mended[odd].products == ("#C", "H")


def test_an_unknown_species_is_answered_with_near_misses() -> None:
    with pytest.raises(DataError, match="no species 'h2'"):
        Network.from_parts(SPECIES, []).index("h2")


def test_an_unknown_path_is_answered_with_the_shipped_networks() -> None:
    with pytest.raises(DataError, match="collapse"):
        Network.read("colapse")

"""A neighbourhood holds what a species is made from and what it turns into."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from chemnet.chemistry.network.neighbourhood import Neighbour, Neighbourhood, neighbourhood
from chemnet.chemistry.network.species_and_reactions import Reaction


def reaction(left: str, right: str, kind: str = "TWOBODY") -> Reaction:
    return Reaction(tuple(left.split()), tuple(right.split()), kind, 1e-9)


REACTIONS = [
    reaction("HCO+ E-", "CO H"),
    reaction("HCO+ NH3", "CO NH4+"),
    reaction("C OH", "CO H"),
    reaction("CO H3+", "HCO+ H2"),
    reaction("CO", "C O", "PHOTON"),
    reaction("CO", "#CO", "FREEZE"),
    reaction("#CO", "CO", "THERM"),
    reaction("HOC+ CO", "HCO+ CO"),
    reaction("#H #CO", "#HCO", "LH"),
    reaction("H H", "H2", "H2FORM"),
]


def test_sources_and_sinks_are_counted_with_their_partners():
    around = neighbourhood(REACTIONS, "CO")
    assert (around.n_forming, around.n_destroying) == (4, 3)
    assert around.sources == (
        Neighbour("HCO+", 2, ("E-", "NH3")),
        Neighbour("C", 1, ("OH",)),
        Neighbour("OH", 1, ("C",)),
        Neighbour("#CO", 1, ("THERM",)),
    )
    assert around.sinks == (
        Neighbour("HCO+", 1, ("H3+",)),
        Neighbour("C", 1, ("PHOTON",)),
        Neighbour("O", 1, ("PHOTON",)),
        Neighbour("#CO", 1, ("FREEZE",)),
    )


def test_partner_on_a_grain_is_named():
    assert neighbourhood(REACTIONS, "#CO").sinks == (
        Neighbour("CO", 1, ("THERM",)),
        Neighbour("#HCO", 1, ("#H",)),
    )


def test_without_a_shared_heavy_element_every_partner_is_a_relative():
    around = neighbourhood(REACTIONS, "E-")
    assert [one.name for one in around.sinks] == ["CO", "H"]
    assert [one.name for one in neighbourhood(REACTIONS, "H2").sources] == ["CO", "H3+", "H"]


def test_species_in_no_reaction_has_no_neighbours():
    assert neighbourhood(REACTIONS, "HE") == Neighbourhood("HE", 0, 0, (), ())


@given(st.sampled_from(["CO", "#CO", "E-", "H", "HCO+"]), st.permutations(REACTIONS))
def test_order_of_the_rows_changes_no_neighbour(species, rows):
    first, second = neighbourhood(REACTIONS, species), neighbourhood(rows, species)
    for one, other in ((first.sources, second.sources), (first.sinks, second.sinks)):
        assert {(n.name, n.n_reactions, frozenset(n.partners)) for n in one} == {
            (n.name, n.n_reactions, frozenset(n.partners)) for n in other
        }


def test_neighbourhood_survives_json():
    around = neighbourhood(REACTIONS, "CO")
    assert Neighbourhood.from_dict(json.loads(json.dumps(around.to_dict()))) == around

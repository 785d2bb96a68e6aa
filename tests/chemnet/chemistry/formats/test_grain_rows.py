"""Rows that follow from a species table."""

from __future__ import annotations

import pytest

from chemnet.chemistry.formats.grain_rows import bulk_of, grain_rows, tunnelling_mass
from chemnet.chemistry.network.species_and_reactions import NetworkSpecies, Reaction

GAS = [NetworkSpecies(name, 1.0) for name in ("H", "H2", "O", "OH", "H2O", "H3O+")]
ICE = [
    NetworkSpecies("#H", 1.008, 650.0),
    NetworkSpecies("#OH", 17.0, 4600.0),
    NetworkSpecies("#H2O", 18.0, 5600.0),
    NetworkSpecies("#MG", 24.3, 1.1e4),
]
WATER = Reaction(("#H", "#OH"), ("#H2O",), "LH", 1.0, source="reactions.csv:7")
FREEZE_AS = {"H2O": ("#H2O",), "H3O+": ("#H2O", "H")}


@pytest.fixture(scope="module")
def rows() -> list[Reaction]:
    """The rows of the small table."""
    return grain_rows([*GAS, *ICE], FREEZE_AS, [WATER])


def kinds_of(rows: list[Reaction], reactant: str) -> set[str]:
    """Return the kinds of the rows that begin with a species."""
    return {one.kind for one in rows if one.reactants[0] == reactant}


def test_cations_are_drawn_to_the_grains(rows: list[Reaction]) -> None:
    focusing = {one.reactants[0]: one.beta for one in rows if one.kind == "FREEZE"}
    assert focusing == {"H2O": 0.0, "H3O+": 1.0}


def test_what_desorbs_depends_on_how_strongly_it_is_bound(rows: list[Reaction]) -> None:
    assert kinds_of(rows, "#H") >= {"THERM", "DEUVCR", "DESCR", "DESOH2"}
    assert kinds_of(rows, "#H2O") == {"THERM", "DEUVCR"}
    assert kinds_of(rows, "#MG") == {"THERM"}


def test_a_surface_reaction_has_a_twin_that_desorbs(rows: list[Reaction]) -> None:
    twins = [one for one in rows if one.kind == "LHDES"]
    assert [(one.reactants, one.products) for one in twins] == [(("#H", "#OH"), ("H2O",))]
    assert twins[0].source.startswith("reactions.csv:7")


def test_the_bulk_is_bound_like_its_water() -> None:
    bulk, rows = bulk_of([*GAS, *ICE], [WATER])
    assert {one.name: one.binding_energy for one in bulk} == dict.fromkeys(
        ("@H", "@OH", "@H2O", "@MG"), 5600.0
    )
    assert {one.gamma for one in rows if one.kind == "BULKSWAP"} == {5600.0}


def test_a_bulk_without_water_keeps_its_binding_energies() -> None:
    bulk, _ = bulk_of(ICE[:2], [])
    assert [one.binding_energy for one in bulk] == [650.0, 4600.0]


def test_the_bulk_reacts_like_the_surface() -> None:
    _, rows = bulk_of(ICE, [WATER])
    assert [(one.reactants, one.products) for one in rows if one.kind == "LH"] == [(("@H", "@OH"), ("@H2O",))]


def test_hydrogen_tunnels_whatever_its_partner() -> None:
    assert tunnelling_mass("#H", "#CO") == tunnelling_mass("#CO", "#H") == 1.008


def test_other_pairs_tunnel_with_their_reduced_mass() -> None:
    assert tunnelling_mass("#O", "#CO") == pytest.approx(15.999 * 28.01 / 44.009, rel=1e-3)

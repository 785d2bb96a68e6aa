"""A survey says what a network holds and where it is odd."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from chemnet.chemistry.formats import uclchem
from chemnet.chemistry.formats.row_files import network_species
from chemnet.chemistry.network.network import Network
from chemnet.chemistry.network.species_and_reactions import Reaction
from chemnet.chemistry.network.survey import TEMPERATURES, Survey, net_change, survey


def reaction(left: str, right: str, kind: str = "TWOBODY", line: int = 0, **values: float) -> Reaction:
    source = f"net.csv:{line}" if line else ""
    return Reaction(tuple(left.split()), tuple(right.split()), kind, 1e-9, source=source, **values)


REACTIONS = [
    reaction("C OH", "CO H", line=1, t_min=10, t_max=300),
    reaction("CO", "C O", "PHOTON", line=2),
    reaction("CO", "#CO", "FREEZE", line=3),
    reaction("C+ E-", "C", line=4, t_min=10, t_max=1000),
    reaction("C+", "#C", "FREEZE", line=5),
]


def described(reactions: list[Reaction], *extra: str) -> Survey:
    return survey(network_species(reactions, extra), reactions, "made")


def test_species_and_reactions_are_counted_by_phase_and_kind():
    found = described(REACTIONS)
    assert found.phases == {"gas": 7, "surface": 2, "ions": 1}
    assert found.kinds == {"TWOBODY": 2, "FREEZE": 2, "PHOTON": 1}
    assert (found.n_species, found.n_reactions) == (9, 5)
    assert found.elements == ("H", "C", "O")


def test_coverage_is_the_fraction_of_ranges_that_hold_a_temperature():
    found = described(REACTIONS)
    assert found.limited == 2
    assert list(found.coverage) == [f"{temperature:g}" for temperature in TEMPERATURES]
    assert [found.coverage[t] for t in ("10", "300", "1000", "3000")] == [1.0, 1.0, 0.5, 0.0]


def test_reaction_that_is_extrapolated_has_no_range():
    found = described([reaction("C OH", "CO H", t_min=10, t_max=300, extrapolate=True)])
    assert (found.limited, found.coverage) == (0, {})
    assert "valid: all" in str(found)


def test_dead_ends_and_idle_species_are_named():
    found = described(REACTIONS, "HE")
    assert found.never_formed == ("OH", "C+", "E-")
    assert found.never_destroyed == ("H", "O", "#CO", "#C")
    assert found.unused == ("HE",)


def test_catalyst_is_neither_formed_nor_destroyed():
    catalysed = reaction("H H H2", "H2 H2")
    assert net_change(catalysed) == {"H": -2, "H2": 1}
    found = described([reaction("H2 HE", "H H HE")])
    assert "HE" in found.never_formed
    assert "HE" in found.never_destroyed


def test_row_that_changes_elements_or_charge_is_listed_with_place_and_change():
    found = described([*REACTIONS, reaction("C OH", "CO", line=6), reaction("H+ O", "O H", line=7)])
    assert found.imbalances == (
        "net.csv:6: C + OH -> CO (TWOBODY): H -1",
        "net.csv:7: H+ + O -> O + H (TWOBODY): charge -1",
    )
    assert len(found.refused) == 2
    assert all("is not balanced" in message for message in found.refused)


def test_charge_that_stays_on_a_grain_is_counted_and_no_imbalance():
    found = described(REACTIONS)
    assert found.n_grain_charges == 1
    assert found.imbalances == found.refused == ()


def test_rows_with_unknown_species_are_refused_one_by_one():
    species = network_species(REACTIONS)
    found = survey(
        species, [*REACTIONS, reaction("CO HE", "CO HE", line=8), reaction("C", "N", "CRP", line=9)]
    )
    assert ["net.csv:8" in message for message in found.refused] == [True, False]
    assert "net.csv:9" in found.refused[1]


def test_species_listed_twice_is_reported_once():
    species = network_species(REACTIONS)
    found = survey([*species, species[0]], REACTIONS)
    assert found.refused == ("network 'network' lists species twice: C",)


def test_repeated_rows_overlaps_and_holes_are_told_apart():
    low = reaction("C OH", "CO H", line=1, t_min=10, t_max=300)
    high = reaction("OH C", "H CO", line=2, t_min=300, t_max=3000)
    assert described([low, high]).duplicates == described([low, high]).overlaps == ()
    again = [replace(low, source="net.csv:3"), replace(low, source="net.csv:4", alpha=2.0)]
    assert described([low, high, *again]).duplicates == (
        "net.csv:3: C + OH -> CO + H (TWOBODY) repeats net.csv:1, counted once",
        "net.csv:4: C + OH -> CO + H (TWOBODY) repeats net.csv:1 with other numbers: they add up",
    )
    both = reaction("C OH", "CO H", line=5, t_min=200, t_max=400)
    assert described([low, both]).overlaps == (
        "net.csv:5: C + OH -> CO + H (TWOBODY): 10-300 and 200-400 K; the narrower range counts",
    )
    far = [replace(high, t_min=301.0), replace(high, t_min=4000.0, t_max=5000.0, source="net.csv:6")]
    found = described([low, *far])
    assert found.n_joined == 2
    assert found.holes == ("net.csv:2: OH + C -> H + CO (TWOBODY): none from 3000 to 4000 K",)


@given(st.permutations(REACTIONS))
def test_order_of_the_rows_changes_no_count(rows):
    first, second = described(REACTIONS), described(rows)
    assert (first.phases, first.kinds, first.coverage) == (second.phases, second.kinds, second.coverage)
    assert set(first.never_formed) == set(second.never_formed)
    assert set(first.never_destroyed) == set(second.never_destroyed)


def test_survey_survives_json():
    found = described([*REACTIONS, reaction("C OH", "CO", line=6)])
    assert Survey.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_text_shows_every_part_and_cuts_long_lists():
    rows = [reaction("C OH", "CO", line=number) for number in range(1, 13)]
    text = str(described([*REACTIONS, *rows]))
    for title in ("network", "elements", "species", "reactions", "temperature", "never formed", "imbalances"):
        assert f"\n{title} " in f"\n{text}"
    assert "imbalances       12\n    net.csv:1: C + OH -> CO (TWOBODY): H -1" in text
    assert "... and 4 more" in text


def test_uclchems_network_is_described_as_its_files_say(shared_data: Path):
    species, reactions = uclchem.read(shared_data / "network")
    found = survey(species, reactions)
    assert (found.n_species, found.n_reactions) == (333, 3203)
    assert found.kinds["TWOBODY"] == 1968
    assert found.never_formed == found.never_destroyed == found.unused == ()
    # UCLCHEM lets four molecules freeze as larger ones
    assert len(found.imbalances) == 4
    assert all("FREEZE" in line for line in found.imbalances)
    assert Network.from_parts(species, reactions).elements == found.elements


def test_network_without_rows_is_described():
    found = described([], "CO")
    assert found.unused == ("CO",)
    assert found.n_reactions == 0


def test_the_rows_of_one_reaction_cover_its_temperatures_together() -> None:
    rows = [
        Reaction(("H", "OH"), ("O", "H2"), "TWOBODY", alpha, t_min=low, t_max=high)
        for alpha, low, high in ((1e-10, 10.0, 100.0), (1e-9, 101.0, 300.0))
    ]
    found = survey(network_species(rows), rows)
    assert found.limited == 1
    assert [found.coverage[at] for at in ("10", "100", "300", "1000")] == [1.0, 1.0, 1.0, 0.0]

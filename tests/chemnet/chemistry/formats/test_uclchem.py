"""UCLCHEM's CSV pair is read row by row, and errors name the line."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from chemnet.chemistry.formats import uclchem
from chemnet.chemistry.network.network import Network
from chemnet.errors import DataError

SPECIES = """NAME,MASS,BINDING ENERGY,SOLID FRACTION,MONO FRACTION,VOLCANO FRACTION,ENTHALPY
C,12,0.0,0.0,0.0,0.0,0.0
S,32,0.0,0.0,0.0,0.0,0.0
CS,44,0.0,0.0,0.0,0.0,0.0
#C,12,10000.0,0.0,0.7,0.667,170.0
#S,32,2600.0,0.0,0.0,0.0,277.0
#CS,44,3200.0,0.0,0.0,0.0,65.3
BULK,999,999.0,999.0,999.0,999.0,999.0
SURFACE,999,999.0,999.0,999.0,999.0,999.0
"""
HEAD = "Reactant 1,Reactant 2,Reactant 3,Product 1,Product 2,Product 3,Product 4,Alpha,Beta,Gamma,T_min,T_max"
REACTIONS = f"""{HEAD},reduced_mass,extrapolate
C,S,NAN,CS,PHOTON,NAN,NAN,4.36e-19,0.22,0.0,10.0,300.0,0.0,True
C,FREEZE,NAN,#C,NAN,NAN,NAN,1.0,0.0,0.0,0.0,10000.0,0.0,False
#C,#S,LH,#CS,NAN,NAN,NAN,0.5,0.0,100.0,0.0,10000.0,8.7,False
"""


def write(folder: Path, species: str = SPECIES, reactions: str = REACTIONS) -> Path:
    """Write the pair and return its folder."""
    (folder / "species.csv").write_text(species, encoding="utf-8")
    (folder / "reactions.csv").write_text(reactions, encoding="utf-8")
    return folder


def test_the_keyword_becomes_the_kind_wherever_it_stands(tmp_path: Path) -> None:
    _, reactions = uclchem.read(write(tmp_path))
    assert [one.kind for one in reactions] == ["TWOBODY", "FREEZE", "LH"]
    assert [one.reactants for one in reactions] == [("C", "S"), ("C",), ("#C", "#S")]


def test_photons_and_empty_slots_are_no_products(tmp_path: Path) -> None:
    _, reactions = uclchem.read(write(tmp_path))
    assert reactions[0].products == ("CS",)


def test_every_figure_of_a_row_is_kept(tmp_path: Path) -> None:
    species, reactions = uclchem.read(write(tmp_path))
    assert (reactions[0].alpha, reactions[0].beta, reactions[0].t_max) == (4.36e-19, 0.22, 300.0)
    assert (reactions[0].extrapolate, reactions[1].extrapolate) == (True, False)
    assert (reactions[2].gamma, reactions[2].reduced_mass) == (100.0, 8.7)
    carbon_ice = species[3]
    assert (carbon_ice.binding_energy, carbon_ice.enthalpy) == (10000.0, 170.0)
    assert (carbon_ice.mono_fraction, carbon_ice.volcano_fraction) == (0.7, 0.667)


def test_sums_are_no_species(tmp_path: Path) -> None:
    network = Network.read(write(tmp_path))
    assert {"BULK", "SURFACE"}.isdisjoint(network.species_names)


@pytest.mark.parametrize(
    ("reactions", "message"),
    [
        (REACTIONS.replace("4.36e-19", "fast"), "reactions.csv:2: Alpha is 'fast'"),
        (REACTIONS.replace("#C,#S,LH", "#C,#S,LHX"), "reactions.csv:4: unknown reaction type 'LHX'"),
        (REACTIONS.replace("T_min", "Tlow"), "reactions.csv: column 'T_min' is missing"),
        (REACTIONS.replace("CS,PHOTON", "C,PHOTON"), "reactions.csv:2: C .* not balanced"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, reactions: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Network.read(write(tmp_path, reactions=reactions))


def test_uclchems_default_network_is_read_whole(shared_data: Path) -> None:
    network = Network.read(shared_data / "network")
    assert (len(network.species), len(network.reactions)) == (333, 3203)
    kinds = Counter(one.kind for one in network.reactions)
    assert (kinds["TWOBODY"], kinds["FREEZE"], kinds["LH"], kinds["BULKSWAP"]) == (1968, 167, 92, 83)
    assert {row.reactants[0] for row in network.mended} == {"C2N", "C2N+", "C2NH+", "C3N"}

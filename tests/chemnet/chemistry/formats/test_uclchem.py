"""UCLCHEM's CSV pair is read row by row, and errors name the line."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import pytest

from chemnet.chemistry.formats import uclchem
from chemnet.chemistry.formats.row_files import Reading
from chemnet.chemistry.network.network import Network
from chemnet.chemistry.network.species_and_reactions import Reaction
from chemnet.chemistry.rates import compile_reactions
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
        (REACTIONS.replace("#C,#S,LH", "#C,#N,NAN"), "reactions.csv:4: '#N' is no species of species.csv"),
        (
            REACTIONS.replace("4.36e-19", "4,36e-19"),
            "reactions.csv:2: .* fields, but the table has .* columns",
        ),
        (REACTIONS.replace("T_min", "Tlow"), "reactions.csv: column 'T_min' is missing"),
        (REACTIONS.replace("CS,PHOTON", "C,PHOTON"), "reactions.csv:2: C .* not balanced"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, reactions: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Network.read(write(tmp_path, reactions=reactions))


def shaken(text: str, change: str) -> str:
    match change:
        case "small letters":
            return text.replace("Reactant", "reactant").replace("NAME", "Name")
        case "semicolons":
            return text.replace(",", ";")
        case "tabs":
            return text.replace(",", "\t")
        case "blanks":
            return text.replace(",", ", ")
        case "underscores":
            return text.replace("BINDING ENERGY", "BINDING_ENERGY").replace(
                "SOLID FRACTION", "SOLID_FRACTION"
            )
    raise AssertionError(change)


@pytest.mark.parametrize("change", ["small letters", "semicolons", "tabs", "blanks", "underscores"])
def test_columns_are_known_by_name_however_they_are_set(tmp_path: Path, change: str) -> None:
    (tmp_path / "a").mkdir()
    expected = uclchem.read(write(tmp_path / "a"))
    assert uclchem.read(write(tmp_path, shaken(SPECIES, change), shaken(REACTIONS, change))) == expected


def test_older_tables_lack_columns(tmp_path: Path) -> None:
    species = "\n".join(",".join(line.split(",")[:3]) for line in SPECIES.splitlines())
    reactions = "\n".join(",".join(line.split(",")[:12]) for line in REACTIONS.splitlines())
    found, rows = uclchem.read(write(tmp_path, species, reactions))
    assert (found[0].solid_fraction, rows[2].reduced_mass, rows[0].extrapolate) == (0.0, 0.0, False)


def test_a_missing_species_table_is_named(tmp_path: Path) -> None:
    (tmp_path / "reactions.csv").write_text(REACTIONS, encoding="utf-8")
    for path in (tmp_path, tmp_path / "reactions.csv"):
        with pytest.raises(DataError, match=r"species\.csv is missing beside it"):
            Network.read(path)


def test_a_missing_table_of_reactions_is_named(tmp_path: Path) -> None:
    (tmp_path / "species.csv").write_text(SPECIES, encoding="utf-8")
    with pytest.raises(DataError, match=r"reactions\.csv is missing beside it"):
        Network.read(tmp_path)
    with pytest.raises(DataError, match="UCLCHEM's table of species"):
        Network.read(tmp_path / "species.csv")


def test_the_table_of_reactions_stands_for_its_folder(tmp_path: Path) -> None:
    write(tmp_path)
    assert uclchem.read(tmp_path / "reactions.csv") == uclchem.read(tmp_path)


def test_columns_of_the_development_version_are_known_and_what_is_not_used_is_said(tmp_path: Path) -> None:
    head, *rows = SPECIES.splitlines()
    new = ",DESORPTION PREFACTOR,DIFFUSION BARRIER,DIFFUSION PREFACTOR,Ix,SYMMETRY FACTOR"
    table = "\n".join([head + new, *(row + ",0.0,0.0,0.0,-999.0,-1" for row in rows)])
    reactions = REACTIONS.replace("extrapolate", "extrapolate,exothermicity").replace("True", "True,0.0")
    reactions = reactions.replace("False", "False,0.0")
    reading = Reading()
    uclchem.read(write(tmp_path, table, reactions), reading)
    assert reading.notes == []
    changed = table.replace(
        "#CS,44,3200.0,0.0,0.0,0.0,65.3,0.0,0.0", "#CS,44,3200.0,0.0,0.0,0.0,65.3,1e12,900.0"
    )
    species, _ = uclchem.read(write(tmp_path, changed.replace("Ix", "colour"), reactions), reading)
    assert [one.diffusion_barrier for one in species] == [0.0] * 5 + [900.0]
    assert "columns of species.csv that are not used: colour" in reading.notes[0]
    assert "DESORPTION PREFACTOR of the table not used" in reading.notes[1]


GRAINS = """NAME,MASS,BINDING ENERGY
C,12,0
C+,12,0
E-,0,0
H2,2,0
#H2,2,440
"""


def grain_rates(folder: Path, *rows: str) -> list[Reaction]:
    table = "\n".join([HEAD, *(f"{row},1.0,0,0,0,10000" for row in rows)]) + "\n"
    return uclchem.read(write(folder, GRAINS, table))[1]


def test_ions_recombine_on_grains_faster_where_there_are_electrons(tmp_path: Path) -> None:
    (one,) = grain_rates(tmp_path, "C+,GAR,NAN,C,NAN,NAN,NAN")
    assert (one.kind, one.reactants, one.products) == ("GAR", ("C+",), ("C",))
    assert one.expression is not None
    state = {"Tgas": 100.0, "density": 1e4, "radfield": 1.0}
    few, many = (float(one.expression(**state, abundances={"E-": x})) for x in (1e-8, 1e-4))
    # Weingartner & Draine (2001): 4.6e-13 per H nucleus on neutral grains
    assert few < many < 4.558e-13 * 1e4
    network = Network.from_parts(*uclchem.read(tmp_path))
    assert dict(compile_reactions(network).changes[0]) == {
        0: 1,
        1: -1,
        2: -1,
    }  # the electron comes from the gas


def test_h2_desorbs_where_it_meets_h2(tmp_path: Path) -> None:
    (one,) = grain_rates(tmp_path, "#H2,#H2,ED,#H2,H2,NAN,NAN")
    assert (one.kind, one.reactants, one.products) == ("ED", ("#H2", "#H2"), ("#H2", "H2"))
    frequency = math.sqrt(2.0 * 1.380649e-16 * 1.5e15 * 440.0 / (math.pi**2 * 2.0 * 1.66053907e-24))
    hop = frequency * math.exp(-220.0 / 12.0)
    expected = hop / 2.49e-6 / (1.0 + math.exp(11.5 / 12.0))  # Hincelin et al. (2015), half a pair each
    assert float(one.expression(Tgas=100.0, dust_temperature=12.0)) == pytest.approx(expected, rel=5e-3)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("CL+,GAR,NAN,CL,NAN,NAN,NAN", "no rate of type GAR for CL\\+"),
        ("#CO,#H2,ED,#H2,CO,NAN,NAN", "no rate of type ED for #CO"),
        ("C,EXSOLID,NAN,C,NAN,NAN,NAN", "unknown reaction type 'EXSOLID'"),
        ("#H2,#H2,EXRELAX,H2,H2,NAN,NAN", "unknown reaction type 'EXRELAX'"),
    ],
)
def test_types_without_a_rate_are_named_as_types(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(DataError, match=rf"reactions\.csv:2: {message}"):
        grain_rates(tmp_path, row)


def test_uclchems_default_network_is_read_whole(shared_data: Path) -> None:
    network = Network.read(shared_data / "network")
    assert (len(network.species), len(network.reactions)) == (333, 3203)
    kinds = Counter(one.kind for one in network.reactions)
    assert (kinds["TWOBODY"], kinds["FREEZE"], kinds["LH"], kinds["BULKSWAP"]) == (1968, 167, 92, 83)
    assert {row.reactants[0] for row in network.mended} == {"C2N", "C2N+", "C2NH+", "C3N"}


def test_a_mass_that_contradicts_the_formula_is_noticed(tmp_path: Path) -> None:
    line = next(line for line in SPECIES.splitlines() if line.startswith("CS,"))
    wrong = SPECIES.replace(line, ",".join(["CS", "440", *line.split(",")[2:]]))
    reading = Reading()
    uclchem.read(write(tmp_path, species=wrong), reading)
    assert [note for note in reading.notes if "masses that contradict the formula" in note]
    reading = Reading()
    uclchem.read(write(tmp_path), reading)
    assert not [note for note in reading.notes if "masses that contradict" in note]

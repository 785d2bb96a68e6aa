"""chemnet's own network format: what it reads, writes and refuses."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chemnet.chemistry.formats import native, native_writer
from chemnet.chemistry.network.network import Network
from chemnet.chemistry.network.species_and_reactions import OUTSIDE, NetworkSpecies, Reaction
from chemnet.errors import DataError

HEADER = 'format = "chemnet"\nversion = 1\n'
SPECIES = """name,binding_energy,enthalpy,freeze_as,reference
! gas
H,0,52.1,#H,ATcT
H2,,0,,
CO,0,-26.4,#CO,"ATcT, 1.220"
HCO,0,10,#HCO,
HCO+,0,0,#CO + H,
E-,,,,
! ice
#H,650,52.1,,
#CO,1300,-26.4,,
#HCO,2400,10,,
"""
REACTIONS = """reaction,kind,alpha,beta,gamma,t_min,t_max,extrapolate,reference
! recombination
HCO+ + E- -> CO + H,TWOBODY,2.40E-07,-0.69,0,10,300,yes,RATE12
! surface
#H + #CO -> #HCO,LH,1,0,2500,,,,Garrod & Herbst 2006
"""


def folder(path: Path, header: str = HEADER, species: str = SPECIES, reactions: str = REACTIONS) -> Path:
    """Write a network folder and return it."""
    path.mkdir(exist_ok=True)
    (path / "network.toml").write_text(header)
    (path / "species.csv").write_text(species)
    (path / "reactions.csv").write_text(reactions)
    return path


def test_rows_are_read_with_defaults_for_empty_fields(tmp_path: Path) -> None:
    species, reactions = native.read(folder(tmp_path))
    assert [one.name for one in species] == ["H", "H2", "CO", "HCO", "HCO+", "E-", "#H", "#CO", "#HCO"]
    assert species[2].reference == "ATcT, 1.220"
    assert species[2].mass == pytest.approx(28.01, abs=0.01)
    assert species[7].binding_energy == 1300.0
    first, second = reactions
    assert (first.reactants, first.products) == (("HCO+", "E-"), ("CO", "H"))
    assert (first.alpha, first.beta, first.t_min, first.t_max) == (2.4e-7, -0.69, 10.0, 300.0)
    assert first.extrapolate
    assert not second.extrapolate
    assert second.t_max == math.inf
    assert first.source == "reactions.csv:3"


def test_nothing_is_generated_unless_the_header_asks(tmp_path: Path) -> None:
    _, reactions = native.read(folder(tmp_path))
    assert {one.kind for one in reactions} == {"TWOBODY", "LH"}


def generated(path: Path, kind: str) -> dict[tuple[str, ...], Reaction]:
    """Return the rows of one kind in the example network with generated rows, by reactants."""
    _, reactions = native.read(folder(path, header=HEADER + "generate_grain_rows = true\n"))
    return {one.reactants: one for one in reactions if one.kind == kind}


def test_freeze_out_follows_from_the_species_table(tmp_path: Path) -> None:
    rows = generated(tmp_path, "FREEZE")
    assert rows["CO",].products == ("#CO",)
    assert rows["HCO+",].products == ("#CO", "H")
    assert rows["CO",].beta == 0.0
    assert rows["HCO+",].beta == 1.0
    assert ("H2",) not in rows


def test_every_ice_species_evaporates_but_only_weakly_bound_ones_are_shaken_off(tmp_path: Path) -> None:
    assert set(generated(tmp_path, "THERM")) == {("#H",), ("#CO",), ("#HCO",)}
    assert set(generated(tmp_path, "DEUVCR")) == {("#H",), ("#CO",), ("#HCO",)}
    assert set(generated(tmp_path, "DESOH2")) == {("#H",)}
    assert set(generated(tmp_path, "DESCR")) == {("#H",)}


def test_surface_reactions_have_a_desorbing_twin_and_tunnel_with_hydrogen(tmp_path: Path) -> None:
    (twin,) = generated(tmp_path, "LHDES").values()
    assert twin.products == ("HCO",)
    assert (twin.alpha, twin.gamma) == (1.0, 2500.0)
    assert twin.reduced_mass == pytest.approx(1.008)


def test_hydrogen_forms_on_grains(tmp_path: Path) -> None:
    (row,) = generated(tmp_path, "H2FORM").values()
    assert (row.reactants, row.products) == (("H", "H"), ("H2",))


def test_bulk_doubles_the_ice_and_lets_it_swap(tmp_path: Path) -> None:
    header = HEADER + "generate_grain_rows = true\nbulk = true\n"
    network = Network.from_parts(*native.read(folder(tmp_path, header=header)))
    assert [name for name in network.species_names if name.startswith("@")] == ["@H", "@CO", "@HCO"]
    assert network.has_bulk
    in_bulk = [one for one in network.reactions if one.reactants == ("@H", "@CO")]
    assert [(one.kind, one.products) for one in in_bulk] == [("LH", ("@HCO",))]
    swaps = {one.kind for one in network.reactions if set(one.reactants + one.products) == {"#CO", "@CO"}}
    assert swaps == {"BULKSWAP", "SURFSWAP"}


def test_a_folder_can_extend_another(tmp_path: Path) -> None:
    folder(tmp_path / "base")
    above = tmp_path / "above"
    above.mkdir()
    (above / "network.toml").write_text(HEADER + 'extends = "../base"\nbulk = true\n')
    assert native.matches(above)
    species, _ = native.read(above)
    assert species[-1].name == "@HCO"


def test_initial_abundances_come_from_the_header(tmp_path: Path) -> None:
    header = HEADER + '[initial_abundances]\nH2 = 0.5\n"HCO+" = 1e-9\n'
    assert native.initial_abundances(folder(tmp_path, header=header)) == {"H2": 0.5, "HCO+": 1e-9}
    assert native.initial_abundances(folder(tmp_path)) == {}


@pytest.mark.parametrize("value", ["-1.0", "nan", "inf", '"much"', "true"])
def test_impossible_initial_abundances_are_refused(tmp_path: Path, value: str) -> None:
    path = folder(tmp_path, header=HEADER + f"[initial_abundances]\nH2 = {value}\n")
    with pytest.raises(DataError, match="H2"):
        native.initial_abundances(path)


def test_other_folders_and_files_are_not_taken_for_this_format(tmp_path: Path) -> None:
    assert native.matches(folder(tmp_path / "mine"))
    assert native.matches(tmp_path / "mine" / "network.toml")
    assert not native.matches(tmp_path)
    assert not native.matches(tmp_path / "mine" / "species.csv")
    assert not native.matches(folder(tmp_path / "other", header='format = "else"\n'))
    assert not native.matches(folder(tmp_path / "broken", header="format = \n"))


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("HCO+ + E- = CO + H,TWOBODY,1,0,0,,,,", "is no reaction"),
        ("HCO+ -> CO -> H,TWOBODY,1,0,0,,,,", "is no reaction"),
        ("HCO+ + E- -> CO + H,TWOBODDY,1,0,0,,,,", "TWOBODDY"),
        ("HCO+ + E- -> CO + H,TWOBODY,fast,0,0,,,,", "alpha"),
        ("HCO+ + E- -> CO + H,TWOBODY,nan,0,0,,,,", "alpha"),
        ("HCO+ + E- -> CO + H,TWOBODY,1,0,0,,,perhaps,", "extrapolate"),
        ("HCO+ + E- -> CO + H,TWOBODY,1,0", "4 fields"),
        ("HCO+ + E? -> CO + H,TWOBODY,1,0,0,,,,", "E\\?"),
    ],
)
def test_a_bad_row_is_named_by_file_and_line(tmp_path: Path, row: str, complaint: str) -> None:
    path = folder(tmp_path, reactions=REACTIONS + row + "\n")
    with pytest.raises(DataError, match=f"reactions.csv:6.*{complaint}"):
        native.read(path)


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("HCO+ + E- -> CO,TWOBODY,1,0,0,,,,", "H -1"),
        ("HCO+ -> CO + H,TWOBODY,1,0,0,,,,", "charge -1"),
        ("HCO+ + C- -> CO + CH,TWOBODY,1,0,0,,,,", "unknown species 'C-'"),
    ],
)
def test_an_unbalanced_row_or_unknown_species_is_named_by_line(
    tmp_path: Path, row: str, complaint: str
) -> None:
    path = folder(tmp_path, reactions=REACTIONS + row + "\n")
    with pytest.raises(DataError, match=f"reactions.csv:6.*{complaint}"):
        Network.read(path)


@pytest.mark.parametrize(
    ("header", "complaint"),
    [
        ('format = "chemnet"\nversion = 2\n', "version 2"),
        (HEADER + "bulkk = true\n", "bulkk"),
        (HEADER + 'bulk = "yes"\n', "bulk"),
        (HEADER + 'extends = "../nowhere"\n', "extends"),
    ],
)
def test_a_bad_header_is_refused(tmp_path: Path, header: str, complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        native.read(folder(tmp_path, header=header))


@pytest.mark.parametrize(
    ("species", "complaint"),
    [
        ("", "empty"),
        ("formula,mass\nH,1\n", "formula"),
        ("mass\n1\n", "'name' is missing"),
        ("name,mass\nH,heavy\n", "species.csv:2.*mass"),
        ("name,mass\n,1\n", "species.csv:2.*without a name"),
    ],
)
def test_a_bad_species_table_is_refused(tmp_path: Path, species: str, complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        native.read(folder(tmp_path, species=species))


def test_rate_expressions_cannot_be_written(tmp_path: Path) -> None:
    reaction = Reaction(("H",), ("H",), "EXPRESSION", 1.0)
    with pytest.raises(DataError, match="EXPRESSION"):
        native_writer.write(tmp_path, [], [reaction])


figures = st.floats(-1e30, 1e30, allow_nan=False)
positive = st.floats(0.0, 1e30, allow_nan=False)
reference = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=20).map(
    str.strip
)
gas = st.sampled_from(
    ["H", "H2", "HCO+", "E-", "CO", "#CO", "@CO", "CH3OH", "C10H2", "[13C]O", "PAH{C54H18}-"]
)
sides = st.lists(gas, min_size=1, max_size=4).map(tuple)
some_reactions = st.builds(
    Reaction,
    reactants=sides,
    products=sides,
    kind=st.sampled_from(["TWOBODY", "CRP", "LH", "FREEZE", "IONPOL1"]),
    alpha=figures,
    beta=figures,
    gamma=figures,
    t_min=positive,
    t_max=positive | st.just(math.inf),
    extrapolate=st.booleans(),
    reduced_mass=positive,
    reference=reference,
    outside=st.sampled_from(OUTSIDE),
    partner=st.sampled_from(["", "CRPHOT"]),
)


@settings(max_examples=40)
@given(rows=st.lists(some_reactions, min_size=1, max_size=5), energy=positive, comment=reference)
def test_what_is_written_is_read_back(
    tmp_path: Path, rows: list[Reaction], energy: float, comment: str
) -> None:
    species = [NetworkSpecies("#CO", 28.01, energy, -26.4, 0.1, 0.2, 0.3, comment)]
    native_writer.write(
        tmp_path, species, rows, name='a "name"', description=comment, abundances={"CO": 1e-4}
    )
    assert native.matches(tmp_path)
    again, reactions = native.read(tmp_path)
    assert again == species
    assert [replace_source(one) for one in reactions] == rows
    assert native.initial_abundances(tmp_path) == {"CO": 1e-4}


def replace_source(reaction: Reaction) -> Reaction:
    """Return the reaction without its file and line."""
    return Reaction(**{**vars(reaction), "source": ""})

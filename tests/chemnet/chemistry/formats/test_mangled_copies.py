"""Whatever editor, system or archive a network went through, it is the same network."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chemnet.chemistry.formats import read_parts
from chemnet.chemistry.network.species_and_reactions import NetworkSpecies, Reaction


def kida_row(reactants: str, products: str, numbers: str, tail: str) -> str:
    left = "".join(f"{name:<11}" for name in (reactants.split() + [""] * 3)[:3])
    right = "".join(f"{name:<11}" for name in (products.split() + [""] * 5)[:5])
    return f"{left} {right} {numbers} {'':26}{tail}"


FORMATS: dict[str, dict[str, str]] = {
    "umist": {
        "net.rates": '1:NN:C:OH:CO:H:::2:1.0e-10:0:0:10:100:L:C:"":"":2.0e-10:0:0:101:800:L:C:"":""\n'
        '2:PH:OH:PHOTON:O:H:::1:2.3e-10:0:3.0:10:41000:L:C:"":"":\n'
    },
    "kida": {
        "net.dat": kida_row("C OH", "CO H", " 1.000e-10  5.000e-01  0.000e+00", "    10    280  3")
        + "\n"
        + kida_row("OH Photon", "O H", " 2.300e-10  0.000e+00  3.000e+00", " -9999   9999  2")
        + "\n"
    },
    "osu": {
        "net.osu": f"{'C':<8}{'OH':<16}{'CO':<8}{'H':<32} 1.00e-10 0.00e+00 0.00e+00 2   1   *   1*\n"
        f"{'OH':<24}{'O':<8}{'H':<32} 2.30e-10 0.00e+00 3.00e+0013   2   *   2*\n"
    },
    "krome": {
        "react_net": "@var:half=0.5d0\n@format:idx,R,R,P,P,Tmin,Tmax,rate\n"
        "1,C,OH,CO,H,10,.LT.1d3,1d-10*T32**half\n"
        "2,OH,,O,H,NONE,NONE,2.3d-10*exp(-3d0*user_Av)\n"
    },
    "uclchem": {
        "species.csv": "NAME,MASS,BINDING ENERGY,ENTHALPY\n"
        "C,12,0,0\nOH,17,0,0\nCO,28,0,0\nH,1,0,0\nO,16,0,0\n#CO,28,1300,-27\n",
        "reactions.csv": "Reactant 1,Reactant 2,Reactant 3,Product 1,Product 2,Product 3,Product 4,"
        "Alpha,Beta,Gamma,"
        "T_min,T_max\nC,OH,NAN,CO,H,NAN,NAN,1.0e-10,0.5,0,10,280\n"
        "OH,PHOTON,NAN,O,H,NAN,NAN,2.3e-10,0,3.0,0,10000\n"
        "CO,FREEZE,NAN,#CO,NAN,NAN,NAN,1.0,0,0,0,10000\n"
        "#CO,THERM,NAN,CO,NAN,NAN,NAN,1.0,0,1300,0,10000\n",
    },
    "native": {
        "network.toml": 'format = "chemnet"\nversion = 1\n',
        "species.csv": "name,binding_energy\nC,\nOH,\nCO,\nH,\nO,\n#CO,1300\n",
        "reactions.csv": "reaction,kind,alpha,gamma,t_max\nC + OH -> CO + H,TWOBODY,1.0e-10,,800\n"
        "OH -> O + H,PHOTON,2.3e-10,3.0,\n#CO -> CO,THERM,1.0,1300,\n",
    },
}


def with_comments(text: str) -> str:
    lines = text.split("\n")
    return "\n".join([lines[0], "! a remark, with a comma", *lines[1:]])


def with_leading_comment(text: str) -> str:
    return "# made by hand\n" + text


def with_empty_rows(text: str) -> str:
    return text.replace("\n", "\n\n   \n,,,,\n", 1) + "\n\n,,,,,,\n"


def with_trailing_blanks(text: str) -> str:
    return text.replace("\n", "  \n")


def with_fortran_exponents(text: str) -> str:
    return (
        text.replace("2.3e-10", "2.3D-10").replace("2.300e-10", "2.300D-10").replace("2.30e-10", "2.30d-10")
    )


MANGLED: list[Callable[[str], str]] = [
    with_comments,
    with_leading_comment,
    with_empty_rows,
    with_trailing_blanks,
    with_fortran_exponents,
]


def write(folder: Path, name: str, content: dict[str, str], save: Callable[[Path, str], None]) -> Path:
    for file, text in content.items():
        save(folder / file, text)
    return folder if len(content) > 1 else folder / next(iter(content))


def plain(path: Path) -> tuple[list[NetworkSpecies], list[Reaction]]:
    parts = read_parts(path)
    return parts.species, [replace(one, source="") for one in parts.reactions]


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=25)
@given(
    st.lists(st.sampled_from(MANGLED), unique=True),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.booleans(),
)
def test_a_mangled_copy_gives_the_same_network(tmp_path_factory, name, changes, line_end, mark, compressed):
    def save(path: Path, text: str) -> None:
        if path.suffix != ".toml":  # TOML has comments, but no empty rows of commas
            for change in changes:
                # '!' is arithmetic's comment sign in KROME, whose own is '#'
                if not (name == "krome" and change is with_comments):
                    text = change(text)
        content = text.replace("\n", line_end).encode("utf-8-sig" if mark else "utf-8")
        path.write_bytes(gzip.compress(content) if compressed else content)

    first = write(
        tmp_path_factory.mktemp("plain"), name, FORMATS[name], lambda p, t: p.write_text(t) and None
    )
    second = write(tmp_path_factory.mktemp("mangled"), name, FORMATS[name], save)
    species, reactions = plain(second)
    assert (species, reactions) == plain(first)
    assert read_parts(second).format == name
    assert 2.3e-10 in [one.alpha for one in reactions] or name == "krome"


@pytest.mark.parametrize("name", ["uclchem", "native"])
def test_tables_of_a_folder_may_be_compressed_one_by_one(tmp_path: Path, name: str):
    first = write(tmp_path, name, FORMATS[name], lambda path, text: path.write_text(text) and None)
    before = plain(first)
    for file in tmp_path.glob("*.csv"):
        file.with_name(f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
        file.unlink()
    assert plain(first) == before


def test_a_name_loses_the_ending_of_the_archive(tmp_path: Path):
    path = tmp_path / "rate22.dat.gz"
    path.write_bytes(gzip.compress(FORMATS["umist"]["net.rates"].encode()))
    assert read_parts(path).name == "rate22"


def test_utf16_is_named(tmp_path: Path):
    path = tmp_path / "net.rates"
    path.write_text(FORMATS["umist"]["net.rates"], encoding="utf-16")
    with pytest.raises(Exception, match="UTF-16"):
        read_parts(path)

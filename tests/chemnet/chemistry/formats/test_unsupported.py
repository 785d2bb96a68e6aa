"""Files of other codes that chemnet does not read are named, with what to give instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from chemnet.chemistry.formats import read_parts
from chemnet.chemistry.formats.row_files import ReadingOptions
from chemnet.errors import DataError


def kida_row(reactants: str, products: str, formula: int) -> str:
    left = "".join(f"{name:<11}" for name in (reactants.split() + [""] * 3)[:3])
    right = "".join(f"{name:<11}" for name in (products.split() + [""] * 5)[:5])
    return f"{left} {right}  1.000e-10  0.000e+00  0.000e+00 {'':26}    10    280  {formula}"


@pytest.mark.parametrize(
    ("name", "content", "what", "step"),
    [
        ("net.jaff", '{"format": "jaff.network_json", "schema_version": 1}', "JAFF exported", ".jet"),
        ("net.json", '{"reactions": []}', "JSON", "UMIST"),
        ("net.ntw", "VARIABLES{\n}\nH -> H+ + E  [0, 300]  4.60e-01*crate\n", "PRIZMO", "KROME"),
        ("net.ntw", "E + CO+ -> CO       []      2e-12\n", "PRIZMO", "KROME"),
        ("net.chm", "H + CO -> HCO  1.00e-09 0.00e+00 0.00e+00  2  7\n", "Astrochem", "OSU"),
        (
            "net.jet",
            "@C,BULKSWAP,NAN,#C,NAN,NAN,NAN,1.0,0.0,0.0,0.0,10000.0,0.0,False\n",
            "header",
            "species.csv",
        ),
        ("net.dat", "", "there is nothing in it", "right file"),
        ("net.dat", "! KIDA\n# nothing\n\n", "nothing in it but comments", "right file"),
        ("gas_species.in", "H            0  1  0  0\n", "Nautilus", "gas_reactions.in"),
    ],
)
def test_a_foreign_file_is_named_with_the_next_step(tmp_path: Path, name, content, what, step):
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match="not a network that chemnet can read: ") as caught:
        read_parts(path)
    assert what in caught.value.message
    assert step in caught.value.hint


def test_a_folder_without_a_network_lists_its_files(tmp_path: Path):
    (tmp_path / "net.dat").write_text(kida_row("C OH", "CO H", 3), encoding="utf-8")
    with pytest.raises(DataError, match="a folder with other files") as caught:
        read_parts(tmp_path)
    assert "net.dat" in caught.value.hint


def test_the_gas_of_nautilus_is_read_and_its_rows_on_grains_left_out_when_asked(tmp_path: Path):
    (tmp_path / "gas_reactions.in").write_text(kida_row("C OH", "CO H", 3) + "\n", encoding="utf-8")
    grains = "\n".join(kida_row(f"JC{n} JH", f"JC{n}H", 0) for n in range(2, 9))
    (tmp_path / "grain_reactions.in").write_text(grains + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"grain_reactions\.in:1: .*Nautilus computes their rate"):
        read_parts(tmp_path)
    parts = read_parts(tmp_path, ReadingOptions(skip_unreadable=True))
    assert len(parts.reactions) == 1
    assert len(parts.reading.skipped) == 7


def test_ice_of_nautilus_is_read_with_the_key_for_its_prefixes(tmp_path: Path):
    path = tmp_path / "net.dat"
    path.write_text(kida_row("KH2O CRP", "KOH KH", 1) + "\n", encoding="utf-8")
    with pytest.raises(
        DataError, match="'KH2O' reads as a formula with K, of which there is no atom"
    ) as caught:
        read_parts(path)
    assert "network.ice_prefixes" in caught.value.hint
    parts = read_parts(path, ReadingOptions(ice_prefixes={"J": "surface", "K": "bulk"}))
    assert [one.name for one in parts.species] == ["@H2O", "@OH", "@H"]

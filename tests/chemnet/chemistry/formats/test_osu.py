"""Networks of OSU are read by their columns; processes on grains have no rate there."""

from __future__ import annotations

from pathlib import Path

import pytest

from chemnet.chemistry.formats import osu
from chemnet.chemistry.formats.row_files import Reading, ReadingOptions
from chemnet.errors import DataError


def row(reactants: str, products: str, alpha: float, beta: float, gamma: float, code: int) -> str:
    left = "".join(f"{name:<8}" for name in (reactants.split() + [""] * 3)[:3])
    right = "".join(f"{name:<8}" for name in (products.split() + [""] * 5)[:5])
    return f"{left}{right}{alpha:>9.2e}{beta:>9.2e}{gamma:>9.2e}{code:>2}   1         *   1*  1.00"


ROWS = [
    f"{'C':<10} 0  0  0  1  0{'':>84}*    1*",  # older files list their species first
    row("C", "C+ E", 1.02e3, 0.0, 0.0, 1),
    row("C", "C+ E", 2.16e-10, 0.0, 2.61, 13),
    row("C+ E", "C", 4.4e-12, -0.61, 0.0, 10),
]


def write(folder: Path, *rows: str) -> Path:
    path = folder / "net.osu"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_the_type_chooses_the_kind(tmp_path: Path):
    path = write(tmp_path, *ROWS)
    assert osu.matches(path)
    species, reactions = osu.read(path)
    assert [one.kind for one in reactions] == ["CRP", "PHOTON", "TWOBODY"]
    assert reactions[0].alpha == pytest.approx(1.02e3 * 1.3e-17)
    assert (reactions[1].gamma, reactions[2].beta) == (2.61, -0.61)
    assert [one.name for one in species] == ["C", "C+", "E-"]
    assert reactions[0].source == "net.osu:2"


def test_a_partner_may_be_written_as_a_reactant_and_must_fit_the_type(tmp_path: Path):
    with_partners = [
        row("C CRP", "C+ E", 1.02e3, 0.0, 0.0, 1),
        row("C PHOTON", "C+ E", 2.16e-10, 0.0, 2.61, 13),
    ]
    _, reactions = osu.read(write(tmp_path, *with_partners))
    assert [(one.kind, one.reactants) for one in reactions] == [("CRP", ("C",)), ("PHOTON", ("C",))]
    with pytest.raises(DataError, match=r"net\.osu:1: type 13 does not fit CRP"):
        osu.read(write(tmp_path, row("C CRP", "C+ E", 1.02e3, 0.0, 0.0, 13)))


def test_rows_on_grains_are_named_and_left_out_when_asked(tmp_path: Path):
    path = write(tmp_path, *ROWS, row("E GRAIN0", "GRAIN-", 6.9e-15, 0.5, 0.0, 0))
    with pytest.raises(DataError, match=r"net\.osu:5: type 0 is not supported .* on grains"):
        osu.read(path)
    reading = Reading(ReadingOptions(skip_unreadable=True))
    assert len(osu.read(path, reading)[1]) == 3
    assert len(reading.skipped) == 1

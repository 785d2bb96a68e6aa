"""Files in KIDA's fixed columns are read by position; what is wrong is named by file and line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chemnet.chemistry.formats import kida
from chemnet.chemistry.formats.row_files import Reading, ReadingOptions
from chemnet.chemistry.network.network import Network
from chemnet.errors import DataError


def row(
    reactants: str,
    products: str,
    a: float | str,
    b: float = 0.0,
    c: float = 0.0,
    t: tuple[int, int] = (10, 280),
    formula: int = 3,
) -> str:
    """Write a row by the format line of KIDA's own README: 3(a10,1x) 1x 5(a10,1x) 1x 3(e10.3,1x) ..."""
    left = "".join(f"{name:<10} " for name in (reactants.split() + [""] * 3)[:3])
    right = "".join(f"{name:<10} " for name in (products.split() + [""] * 5)[:5])
    first = a if isinstance(a, str) else f"{a:.3e}"
    numbers = f"{first:>10} {b:>10.3e} {c:>10.3e} "
    return f"{left} {right} {numbers}2.00e+00 0.00e+00 logn  4 {t[0]:>6} {t[1]:>6} {formula:>2}     1 1  1"


ROWS = "\n".join(
    [
        "! Reactants      Products       A B C",
        row("H2 CR", "H2+ e-", 0.93, t=(-9999, 9999), formula=1),
        row("CO CRP", "C O", 5.0, t=(-9999, 9999), formula=1),
        row("HNCO Photon", "NH CO", 1e-9, c=1.7, t=(-9999, 9999), formula=2),
        row("He+ l-C3H2", "c-C3H2+ He", 5.18e-10, -0.5, 30.0, (10, 800)),
        row("H3+ NH3", "NH4+ H2", 1.0, 2.7e-9, 3.33, (10, 41000), 4),
        row("C+ SiO", "Si+ CO", 1.0, 5.4e-10, 5.0, (10, 298), 5),
    ]
)


@pytest.fixture
def write(tmp_path: Path):
    def _write(text: str) -> Path:
        path = tmp_path / "kida.dat"
        path.write_text(text + "\n", encoding="utf-8")
        return path

    return _write


def refused(path: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        kida.read(path)
    assert caught.value.hint
    return caught.value


def test_formula_number_chooses_the_kind(write):
    _, reactions = kida.read(write(ROWS))
    kinds = [reaction.kind for reaction in reactions]
    assert kinds == ["CRP", "CRP", "PHOTON", "TWOBODY", "IONPOL1", "IONPOL2"]


def test_cosmic_ray_rate_is_the_multiple_of_the_ionisation_rate(write):
    _, reactions = kida.read(write(ROWS))
    np.testing.assert_allclose([reactions[0].alpha, reactions[1].alpha], [0.93 * 1.3e-17, 5 * 1.3e-17])
    assert reactions[0].reactants == ("H2",)


def test_kooij_row_keeps_parameters_range_names_and_place(write):
    _, reactions = kida.read(write(ROWS))
    kooij = reactions[3]
    assert (kooij.reactants, kooij.products) == (("HE+", "l-C3H2"), ("c-C3H2+", "HE"))
    assert (kooij.alpha, kooij.beta, kooij.gamma) == (5.18e-10, -0.5, 30.0)
    assert (kooij.t_min, kooij.t_max, kooij.source) == (10.0, 800.0, "kida.dat:5")


def test_unknown_temperature_range_is_no_limit(write):
    _, reactions = kida.read(write(ROWS))
    assert (reactions[2].t_min, reactions[2].t_max) == (0.0, np.inf)


def test_network_is_recognised_by_content_and_balanced(write):
    path = write(ROWS)
    assert kida.matches(path)
    assert Network.from_parts(*kida.read(path)).elements == ("H", "HE", "C", "N", "O", "SI")


thousandths = st.integers(-9999, 9999).map(lambda number: number / 1000)


@given(st.floats(1e-30, 1e5), thousandths, thousandths, st.integers(0, 300), st.integers(300, 9998))
def test_numbers_survive_the_fixed_columns(tmp_path_factory, a, b, c, lowest, highest):
    path = tmp_path_factory.mktemp("kida") / "one.dat"
    path.write_text(row("C OH", "CO H", a, b, c, (lowest, highest)), encoding="utf-8")
    (reaction,) = kida.read(path)[1]
    np.testing.assert_allclose([reaction.alpha, reaction.beta, reaction.gamma], [a, b, c], rtol=5e-4)
    assert (reaction.t_min, reaction.t_max) == (lowest, highest)


@pytest.mark.parametrize("formula", [0, 6, 10, 11])
def test_unsupported_formula_is_refused_with_its_row(write, formula):
    error = refused(write(row("H2 OH", "H2O H", 1e-12, formula=formula)))
    assert error.message.startswith(f"kida.dat:1: formula {formula} is not supported (H2         OH")
    assert "1, 2, 3, 4, 5" in error.hint


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (row("C OH", "CO H", 1.0, formula=2), "formula 2 does not fit the reactants ['C', 'OH']"),
        (row("C OH", "CO H", 1.0, formula=1), "formula 1 does not fit the reactants ['C', 'OH']"),
        (row("C", "CO H", 1.0), "type TWOBODY has 2 reacting species, found 1"),
        (row("C OH", "CO H", "1.0e-1o"), "kida.dat:1: A is '1.0e-1o'"),
        (row("C OH", "CO H", 1.0, t=(300, 10)), "Tmin = 300 K is above Tmax = 10 K"),
        (row("C OQ", "CO H", 1.0), "kida.dat:1: 'OQ' is not a species name"),
        (row("C OH", "CO H", 1.0)[:155], "kida.dat:1: 155 characters end before Tmin, Tmax and formula"),
    ],
)
def test_wrong_row_is_refused_with_file_line_and_cause(write, line, message):
    assert message in refused(write(line)).message


@pytest.mark.parametrize(
    ("partner", "formula"), [("CRP", 2), ("CRP", 3), ("CR", 2), ("Photon", 1), ("PHOTON", 3)]
)
def test_label_that_contradicts_the_partner_gives_way_to_it(write, partner, formula):
    rows = [row(f"HNCO {partner}", "NCO H", 4e3, formula=formula)] * 2 + [row("C OH", "CO H", 1e-10)]
    reading = Reading()
    _, reactions = kida.read(write("\n".join(rows)), reading)
    kind = "PHOTON" if partner.upper() == "PHOTON" else "CRP"
    assert (reactions[0].kind, reactions[0].alpha) == (kind, 4e3 * (1.3e-17 if kind == "CRP" else 1.0))
    (note,) = reading.notes
    assert f"rows with formula {formula} are read by their reactant" in note
    assert note.endswith("(2 rows, the first is kida.dat:1)")


def test_a_limit_above_9999_is_a_limit(write):
    _, reactions = kida.read(write(row("C OH", "CO H", 1e-10, t=(10, 41000))))
    assert (reactions[0].t_max, reactions[0].outside) == (41000.0, "clamp")


def test_direct_cosmic_rays_and_their_photons_stay_apart(write):
    _, reactions = kida.read(
        write("\n".join(row(f"CO {one}", "C O", 5.0, formula=1) for one in ("CR", "CRP")))
    )
    assert [reaction.partner for reaction in reactions] == ["", "CRPHOT"]


def test_rows_without_a_rate_are_left_out_when_asked_and_named_with_their_cause(write):
    path = write("\n".join([row("GRAIN- H+", "GRAIN0 H", 1.0, formula=0), row("C OH", "CO H", 1e-10)]))
    assert "grains" in refused(path).message
    reading = Reading(ReadingOptions(skip_unreadable=True))
    assert len(kida.read(path, reading)[1]) == 1
    assert reading.skipped == [refused(path).message]


def test_capitals_of_older_releases_are_read(write):
    lines = [row("C+ L-C3H2", "C-C3H+ CH", 1e-9), row("SIO PHOTON", "SI O", 1e-9, formula=2)]
    species, _ = kida.read(write("\n".join(lines)))
    assert [one.name for one in species] == ["C+", "l-C3H2", "c-C3H+", "CH", "SIO", "SI", "O"]


def test_unbalanced_row_is_named_by_file_and_line(write):
    parts = kida.read(write(ROWS + "\n" + row("C OH", "CO", 1e-10)))
    with pytest.raises(DataError, match=r"kida\.dat:8: C \+ OH -> CO .*H -1"):
        Network.from_parts(*parts)


def test_text_of_another_kind_is_not_taken_for_kida(write):
    assert not kida.matches(write("C OH CO H 1e-10"))

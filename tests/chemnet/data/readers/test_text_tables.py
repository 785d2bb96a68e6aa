"""Text tables as editors, Fortran and spreadsheets leave them give the same tracers, or say what they are."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made_tables import data_frame, table_config
from made_tracers import MadeTracers

from chemnet.data.readers import TracerTable, csv_table
from chemnet.errors import DataError

Mangle = Callable[[bytes], bytes]


def csv_text(tracers: MadeTracers) -> bytes:
    return data_frame(tracers).to_csv(index=False).encode()


def with_comma(text: bytes) -> bytes:
    return text.replace(b",", b";").replace(b".", b",")


def in_fortran(text: bytes) -> bytes:
    """Write exponents as Fortran does: with a D, or without a letter where they need three digits."""
    return text.replace(b"e-0", b"D-0").replace(b"e-30", b"-030").replace(b"1-030", b"1.0-030")


MANGLED: dict[str, Mangle] = {
    "byte-order mark": lambda text: b"\xef\xbb\xbf" + text,
    "Windows' line ends": lambda text: text.replace(b"\n", b"\r\n"),
    "both": lambda text: b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n"),
    "gzip": gzip.compress,
    "gzip of both": lambda text: gzip.compress(b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n")),
    "comments before": lambda text: b"# made in May\n#\n\n" + text,
    "names in the last comment": lambda text: b"# made by NumPy\n# " + text,
    "tabs": lambda text: text.replace(b",", b"\t"),
    "semicolons": lambda text: text.replace(b",", b";"),
    "quoted names": lambda text: b'"Model"' + text.removeprefix(b"Model"),
    "Fortran": in_fortran,
}


@pytest.mark.parametrize("name", MANGLED)
def test_a_mangled_table_gives_the_same_tracers(name: str, made_tracers: MadeTracers, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(MANGLED[name](csv_text(made_tracers)))
    block = TracerTable(table_config(path)).read(range(12))
    np.testing.assert_allclose(block.abundance, made_tracers.rows, rtol=1e-12)
    np.testing.assert_allclose(block.physical, made_tracers.physical.reshape(-1, 4), rtol=1e-12)


def test_a_decimal_comma_is_read_with_its_key_and_hinted_at_without(
    made_tracers: MadeTracers, tmp_path: Path
) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(with_comma(csv_text(made_tracers)))
    block = TracerTable(table_config(path, decimal_comma=True)).read(range(12))
    np.testing.assert_allclose(block.abundance, made_tracers.rows, rtol=1e-12)
    with pytest.raises(DataError, match="which is no number") as caught:
        TracerTable(table_config(path)).read([0])
    assert "data_set.decimal_comma = true" in str(caught.value.hint)


def test_a_number_that_only_fortran_writes_may_stand_far_behind_others(
    made_tracers: MadeTracers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_table, "_BLOCK_BYTES", 2048)  # a few rows at a time
    lines = csv_text(made_tracers).decode().splitlines()
    cells = lines[200].split(",")
    cells[9], cells[10] = "1.0-100", "2.5D-17"
    lines[200] = ",".join(cells)
    path = tmp_path / "t.csv"
    path.write_text("\n".join(lines))
    block = TracerTable(table_config(path)).read(range(12))
    expected = made_tracers.rows.copy()
    expected[199, 3:5] = 1e-100, 2.5e-17
    np.testing.assert_allclose(block.abundance, expected, rtol=1e-12)


def test_what_is_no_number_among_fortrans_is_named_with_its_line(
    made_tracers: MadeTracers, tmp_path: Path
) -> None:
    lines = csv_text(made_tracers).decode().splitlines()
    lines[3] = lines[3].rpartition(",")[0] + ",1.0-100"
    lines[9] = lines[9].rpartition(",")[0] + ",****"
    path = tmp_path / "t.csv"
    path.write_text("# a comment\n" + "\n".join(lines))
    with pytest.raises(DataError, match=r"t\.csv: line 11: column 'E-' holds '\*\*\*\*'"):
        TracerTable(table_config(path)).read(range(12))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"PK\x03\x04\x14\x00 xl/workbook.xml", "an Excel workbook or a zip archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook"),
        (b'{"Time": [0, 1]}', "this is JSON"),
        (b'\xef\xbb\xbf [{"Time": 0}]', "this is JSON"),
        (b"<?xml version='1.0'?><VOTABLE>", "XML or HTML"),
        (b"BZh91AY", "compressed by bzip2"),
        (b"\x80\x04\x95", "this is a Python pickle"),
        (b"SIMPLE  =                    T", "a FITS file"),
        (b"\xff\xfeT\x00i\x00m\x00e\x00,\x00", "text in UTF-16"),
        (gzip.compress(b'{"Time": 0}', mtime=0), "this is JSON"),
        (gzip.compress(b"\x89HDF\r\n\x1a\n", mtime=0), "a compressed binary table"),
        (b"\x1f\x8b\x08 cut off", "damaged gzip"),
        (b"Time Density\n0 1\n", "no column names separated by"),
        (b"Time,Density,H\n[yr],[cm-3],[-]\n0,1e4,1\n", r"below the column names holds no number: \[yr\]"),
    ],
)
def test_files_of_other_kinds_are_named_for_what_they_are(content: bytes, told: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(DataError, match=told) as caught:
        TracerTable(table_config(tmp_path / "t.csv"))
    assert caught.value.hint


def test_a_gzip_that_breaks_off_is_refused(made_tracers: MadeTracers, tmp_path: Path) -> None:
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(csv_text(made_tracers))[:-3000])
    with pytest.raises(DataError, match=r"t\.csv\.gz"):
        TracerTable(table_config(path)).read(range(12))


def test_a_decimal_point_is_refused_where_commas_are_said_to_be_decimal(
    made_tracers: MadeTracers, tmp_path: Path
) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(csv_text(made_tracers))
    with pytest.raises(DataError, match=r"line 2: column '.*' holds '.*\..*', which is no number") as caught:
        TracerTable(table_config(path, decimal_comma=True)).read(range(12))
    assert "set it to false" in caught.value.hint


def test_commas_between_thousands_are_told_from_decimal_ones(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('Time,Density,Radfield,Av,gasTemp,H2\n0,1e3,1,1,10,0.5\n"66,667",1e3,1,1,10,0.5\n')
    with pytest.raises(DataError, match="line 3: column 'Time' holds '66,667'") as caught:
        TracerTable(table_config(path)).read(range(1))
    assert "between thousands" in caught.value.hint


def test_a_table_without_names_is_told_so(made_tracers: MadeTracers, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    data_frame(made_tracers).to_csv(path, index=False, header=False)
    with pytest.raises(DataError, match="holds numbers where the names of the columns belong"):
        TracerTable(table_config(path))


def test_an_empty_row_is_refused_and_makes_no_tracer(made_tracers: MadeTracers, tmp_path: Path) -> None:
    path, frame = tmp_path / "t.csv", data_frame(made_tracers)
    frame.to_csv(path, index=False)
    with path.open("a") as stream:
        stream.write("," * (frame.shape[1] - 1) + "\n")
    with pytest.raises(DataError, match=f"row {len(frame)}: column 'Model' is empty") as caught:
        TracerTable(table_config(path, unequal_length="truncate"))
    assert "empty rows" in caught.value.hint

"""A user's own tracers: the same tables as those with abundances, and what is refused or named in them."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from made_tables import FORMATS, data_frame, table_config
from made_tracers import MadeTracers

from chemnet.chemistry.tracers import PHYSICAL_NAMES, Tracer, generate_tracers
from chemnet.data.readers.forcing_table import read_tracers
from chemnet.errors import DataError

TIME = np.array([0.0, 1e3, 2e3])
PHYSICAL = np.array([[1e4, 1.0, 1.0, 20.0], [1e5, 0.5, 2.0, 15.0], [1e6, 0.1, 5.0, 13.0]])
HEADER = "Tracer,Time,Density,Radfield,Av,gasTemp"


def read(path: Path, **options: Any) -> list[Tracer]:
    return read_tracers(path, table_config(path, **options))


def write_csv(path: Path, header: str = HEADER, rows: str = "") -> Path:
    rows = rows or "\n".join(
        ",".join(str(value) for value in (name, time, *row))
        for name in ("north", "south")
        for time, row in zip(TIME, PHYSICAL, strict=True)
    )
    path.write_text(f"{header}\n{rows}\n")
    return path


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_of_a_table_gives_its_tracers(
    name: str, made_tracers: MadeTracers, tmp_path: Path
) -> None:
    tracers = read(FORMATS[name](tmp_path / "t.npy", made_tracers))
    assert len(tracers) == 12
    np.testing.assert_allclose([t.physical[:, :4] for t in tracers], made_tracers.physical, rtol=1e-6)
    np.testing.assert_allclose([t.time for t in tracers], made_tracers.time, rtol=1e-6)


def test_a_table_needs_no_species_and_further_columns_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = "\n".join(
        f"{row[3]},x,{time},{row[0]},{row[1]},{row[2]},0.5,0.25"
        for time, row in zip(TIME, PHYSICAL, strict=True)
    )
    path = write_csv(tmp_path / "t.csv", "GASTEMP,note,time,density,radfield,AV,H,H2", rows)
    with caplog.at_level(logging.INFO, logger="chemnet"):
        (tracer,) = read(path)
    np.testing.assert_array_equal(tracer.physical, PHYSICAL)
    assert "not used by simulate: note, 2 species (the chemistry starts from simulate.initial)" in caplog.text


def test_plain_hdf5_needs_no_abundances_and_may_be_padded(tmp_path: Path) -> None:
    order = [3, 0, 1, 2]
    physical = np.stack([PHYSICAL, PHYSICAL])[:, :, order]
    time = np.stack([TIME, TIME])
    physical[1, 2:], time[1, 2:] = np.nan, np.nan
    with h5py.File(tmp_path / "t.h5", "w") as file:
        file["physical"], file["time"] = physical, time
        file["physical"].attrs["names"] = [PHYSICAL_NAMES[i] for i in order]
        file["tracer_id"] = ["north", "south"]
    north, south = read(tmp_path / "t.h5")
    assert (north.tracer_id, south.tracer_id) == ("north", "south")
    np.testing.assert_array_equal(north.physical, PHYSICAL)
    np.testing.assert_array_equal(south.physical, PHYSICAL[:2])


def test_a_missing_time_within_a_tracer_is_no_padding(tmp_path: Path) -> None:
    time = np.stack([TIME, TIME])
    time[1, 2] = np.nan
    with h5py.File(tmp_path / "t.h5", "w") as file:
        file["physical"], file["time"] = np.stack([PHYSICAL, PHYSICAL]), time
        file["physical"].attrs["names"] = PHYSICAL_NAMES
    with pytest.raises(DataError, match=r"t\.h5: tracer '1', step 2: time is nan"):
        read(tmp_path / "t.h5")


def test_units_and_conventions_of_the_table_are_those_of_the_data_set(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", HEADER.replace("Density", "n_gas"))
    north, _ = read(path, time_unit="kyr", columns={"Density": "n_gas"}, physical_alignment="end")
    np.testing.assert_array_equal(north.time, TIME * 1e3)
    np.testing.assert_array_equal(north.physical, PHYSICAL[[1, 2, 2]])


def test_generated_tracers_survive_a_round_trip_through_csv(tmp_path: Path) -> None:
    tracers = generate_tracers(2, 0, n_steps=5)
    rows = "\n".join(
        f"{t.tracer_id},{time!r}," + ",".join(map(repr, row.tolist()))
        for t in tracers
        for time, row in zip(t.time.tolist(), t.physical, strict=True)
    )
    again = read(write_csv(tmp_path / "t.csv", rows=rows))
    np.testing.assert_array_equal([t.physical for t in again], [t.physical for t in tracers])


@pytest.mark.parametrize(
    ("header", "rows", "words"),
    [
        ("Tracer,Time,Density,Radfield,gasTemp", "a,0,1,1,10\na,1,1,1,10", "no column 'Av'; the table has: "),
        (HEADER, "a,0,1,1,1,10\na,1,1,one,1,10", "line 3: column 'Radfield' holds 'one'"),
        (HEADER, "a,0,1,1,1,10\na,1,1,,1,10", "'a', step 1: Radfield is nan"),
        (HEADER, "a,0,1,1,1,10\na,1,-2,1,1,10", "'a', step 1: Density is -2"),
        (HEADER, "a,0,1,1,1,10\na,0,1,1,1,10", "'a', step 1: time does not"),
        (HEADER, "a,0,1,1,1,10", "'a' has 1 step;"),
        (HEADER, "a,0,1,1\na", "line 2: 4 cells, the header names 6 columns"),
        (HEADER, "a,0,1,1,1,10\nb,0,1,1,1,10\na,1,1,1,1,10", "rows of tracer 'a' stand apart"),
    ],
)
def test_bad_tables_are_refused_by_name(tmp_path: Path, header: str, rows: str, words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        read(write_csv(tmp_path / "t.csv", header, rows))
    assert "t.csv" in caught.value.message


def test_missing_and_damaged_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read(tmp_path / "nowhere.csv")
    (tmp_path / "empty.csv").write_text("Time,Density,Radfield,Av,gasTemp\n")
    with pytest.raises(DataError, match="the table has no rows"):
        read(tmp_path / "empty.csv")
    for name, magic in (("cut.h5", b"\x89HDF\r\n\x1a\n"), ("cut.parquet", b"PAR1")):
        (tmp_path / name).write_bytes(magic + b"\0" * 40)
        with pytest.raises(DataError, match="not a readable"):
            read(tmp_path / name)


def test_hdf5_without_tracers_says_what_it_holds(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["velocity"] = np.zeros(3)
    with pytest.raises(DataError, match=r"no table in this HDF5 file \(tables: none among velocity\)"):
        read(tmp_path / "other.h5")


def test_a_folder_of_tables_is_one_set(made_tracers: MadeTracers, tmp_path: Path) -> None:
    for name in ("a", "b"):
        data_frame(made_tracers).to_csv(tmp_path / f"{name}.csv", index=False)
    tracers = read(tmp_path)
    assert len(tracers) == 24
    assert tracers[0].tracer_id == "a:0"


@pytest.mark.parametrize(
    ("factors", "mended"),
    [((3.16e10, 1.0), {"time_unit": "s"}), ((1.0, None), {"log_columns": ["Density"]})],
)
def test_other_units_are_refused_with_the_key_that_mends_them(
    factors: tuple[float, float | None], mended: dict[str, Any], tmp_path: Path
) -> None:
    time, density = factors
    logarithm = density is None
    rows = "\n".join(
        f"a,{when * time},{np.log10(row[0]) if logarithm else row[0]},{row[1]},{row[2]},{row[3]}"
        for when, row in zip(TIME, PHYSICAL, strict=True)
    )
    path = write_csv(tmp_path / "t.csv", rows=rows)
    with pytest.raises(DataError) as caught:
        read(path)
    (key,) = mended
    assert f"data_set.{key}" in str(caught.value.hint)
    np.testing.assert_allclose(read(path, **mended)[0].physical, PHYSICAL)

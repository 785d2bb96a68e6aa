"""What is wrong with a table is said with file, tracer, row and column, and what to do next."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from made_tables import data_frame, table_config, write_carbox
from made_tracers import MadeTracers, write_npy, write_plain_hdf5, write_uclchem_table

from chemnet.data.readers import TracerTable
from chemnet.errors import ChemNetError, ConfigError, DataError

Spoil = Callable[[Any], Any]


def read_all(path: Path, **options: Any) -> None:
    table = TracerTable(table_config(path, **options))
    table.read(range(len(table.tracer_ids)))


def put(column: str, value: float, row: int = 95) -> Spoil:
    """Return a function that writes one value into a data frame."""

    def spoil(frame: Any) -> Any:
        frame.loc[row, column] = value
        return frame

    return spoil


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (put("CO", np.nan), r"column 'CO' is NaN"),
        (put("CO", np.inf), r"column 'CO' is inf"),
        (put("H2O", -1e-9), r"abundance of 'H2O' is negative: -1e-09"),
        (put("H2", 3e4), r"abundance of 'H2' is 30000 \(allowed: up to 2\)"),
        (put("Av", 0.0), r"column 'Av' is 0; physical parameters are scaled by their logarithm"),
        (put("gasTemp", -10.0), r"column 'gasTemp' is -10"),
        (put("Density", np.nan), r"column 'Density' is NaN"),
        (put("Time", np.nan), r"column 'Time' is NaN"),
        (put("Time", 10.0), r"column 'Time' does not increase: 10 follows"),
    ],
)
def test_a_bad_value_is_named_with_its_place(
    spoil: Spoil, told: str, made_tracers: MadeTracers, tmp_path: Path
) -> None:
    path = tmp_path / "t.h5"
    spoil(data_frame(made_tracers)).to_hdf(path, key="df", mode="w")
    place = r"t\.h5 \(key 'df'\): tracer '3', step 5 \(row 95\): "
    with pytest.raises(DataError, match=place + told) as caught:
        read_all(path)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("spoil", "told", "hinted"),
    [
        (lambda frame: frame.drop(columns="Av"), "no column 'Av'; the table has: .*Model, ", "rename"),
        (lambda frame: frame.drop(columns="Time"), "no column 'Time'; the table has: ", "rename the column"),
        (
            lambda frame: frame.rename(columns={"H2O": "H2O_x"}),
            r"unknown species column 'H2O_x' \(column",
            "did you mean '#?H2O'",
        ),
        (
            lambda frame: frame.rename(columns={"gasTemp": "gasTmp"}),
            "no column 'gasTemp'",
            "did you mean 'gasTmp'",
        ),
        (lambda frame: frame.assign(Tracer=frame["Model"]), "both mean 'Tracer'", "remove one"),
        (lambda frame: frame.iloc[:0], "the table has no rows", "write the table again"),
        (
            lambda frame: frame.sort_values("Time", kind="stable").reset_index(drop=True),
            "rows of tracer '0' stand apart: they begin at row 0 and again at row 12",
            "sort the table by tracer and time",
        ),
        (
            lambda frame: frame.drop(index=range(40, 45)).reset_index(drop=True),
            "tracers of unequal length: tracer '1' has 25 rows, tracer '0' has 30",
            "unequal_length",
        ),
    ],
)
def test_a_table_of_the_wrong_shape_is_refused(
    spoil: Spoil, told: str, hinted: str, made_tracers: MadeTracers, tmp_path: Path
) -> None:
    path = tmp_path / "t.csv"
    spoil(data_frame(made_tracers)).to_csv(path, index=False)
    with pytest.raises(DataError, match=told) as caught:
        read_all(path)
    assert "t.csv" in caught.value.message
    assert re.search(hinted, caught.value.hint or "")


def test_columns_that_are_no_data_can_be_dropped_or_passed_over(
    made_tracers: MadeTracers, tmp_path: Path
) -> None:
    path = tmp_path / "t.csv"
    data_frame(made_tracers).assign(cooling_rate=1.0).to_csv(path, index=False)
    with pytest.raises(DataError, match="cooling_rate"):
        read_all(path)
    assert TracerTable(table_config(path, drop_columns=["cooling_rate"])).species == made_tracers.species
    assert TracerTable(table_config(path, species=["CO", "H2"])).species == ("CO", "H2")
    named = TracerTable(table_config(path, physical=["density", "cooling_rate"], drop_columns=[
        "Radfield", "Av", "gasTemp"]))  # fmt: skip
    assert named.physical_names == ("Density", "cooling_rate")


def test_a_species_asked_for_in_vain_is_named_with_near_misses(
    made_tracers: MadeTracers, tmp_path: Path
) -> None:
    path = write_uclchem_table(tmp_path / "t.h5", made_tracers)
    with pytest.raises(DataError, match="no column 'H20'") as caught:
        TracerTable(table_config(path, species=["CO", "H20"]))
    assert "H2O" in str(caught.value.hint)


def test_a_missing_file_is_named_with_its_near_neighbours(made_tracers: MadeTracers, tmp_path: Path) -> None:
    write_uclchem_table(tmp_path / "tracers.h5", made_tracers)
    with pytest.raises(DataError, match=r"tracer\.h5: no such file") as caught:
        TracerTable(table_config(tmp_path / "tracer.h5"))
    assert caught.value.hint == "did you mean tracers.h5?"


def test_no_path_at_all_is_a_configuration_error() -> None:
    from chemnet.config import load_config

    with pytest.raises(ConfigError, match=r"data_set\.path and general\.data_dir are not set"):
        TracerTable(load_config())


def test_an_empty_folder_and_an_empty_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no tables here"):
        TracerTable(table_config(tmp_path))
    (tmp_path / "t.h5").touch()
    with pytest.raises(DataError, match="the file is empty"):
        TracerTable(table_config(tmp_path / "t.h5"))


def test_text_files_in_a_folder_are_named(
    made_tracers: MadeTracers, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data_frame(made_tracers).to_csv(tmp_path / "b.txt", index=False)
    with pytest.raises(DataError, match="no tables here") as caught:
        read_all(tmp_path)
    assert f"data_set.path = '{tmp_path / '*.txt'}'" in caught.value.hint
    data_frame(made_tracers).to_csv(tmp_path / "a.csv", index=False)
    with caplog.at_level(logging.INFO, logger="chemnet"):
        read_all(tmp_path)
    assert "not read as tables: b.txt" in caplog.text


@pytest.mark.parametrize("keep", [0.05, 0.5, 0.95])
def test_a_truncated_hdf5_file_is_refused(keep: float, made_tracers: MadeTracers, tmp_path: Path) -> None:
    path = write_uclchem_table(tmp_path / "t.h5", made_tracers)
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(DataError, match=r"t\.h5: a truncated HDF5 file"):
        read_all(path)


def test_a_damaged_chunk_is_refused(made_tracers: MadeTracers, tmp_path: Path) -> None:
    path = tmp_path / "t.h5"
    data_frame(made_tracers).to_hdf(path, key="df", mode="w", complevel=9, complib="zlib")
    with h5py.File(path) as file:
        dataset = next(file["df"][name] for name in file["df"] if file["df"][name].shape == (360, 17))
        chunk = dataset.id.get_chunk_info(0)
    content = bytearray(path.read_bytes())
    content[chunk.byte_offset : chunk.byte_offset + 64] = bytes(64)
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"t\.h5: not a readable HDF5 file"):
        read_all(path)


def test_a_truncated_npy_file_is_refused(made_tracers: MadeTracers, tmp_path: Path) -> None:
    path = write_npy(tmp_path / "t.npy", made_tracers)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match="truncated"):
        TracerTable(table_config(path))


@pytest.mark.parametrize(
    ("array", "told"),
    [
        (np.array([{"a": 1}], dtype=object), "dtype object"),
        (np.asfortranarray(np.ones((5, 19))), "Fortran order"),
        (np.ones(5), r"shape \(5,\)"),
        (np.ones((5, 3)), "3 columns, but columns.json names 19"),
    ],
)
def test_npy_files_of_other_kinds_are_refused(
    array: np.ndarray, told: str, made_tracers: MadeTracers, tmp_path: Path
) -> None:
    path = write_npy(tmp_path / "t.npy", made_tracers)
    np.save(path, array, allow_pickle=True)
    with pytest.raises(DataError, match=told):
        TracerTable(table_config(path))


@pytest.mark.parametrize(
    ("content", "told"), [(None, "no columns.json beside it"), ('{"0": "H", "2": "C"}', "1")]
)
def test_npy_files_need_column_names(
    content: str | None, told: str, made_tracers: MadeTracers, tmp_path: Path
) -> None:
    path = write_npy(tmp_path / "t.npy", made_tracers)
    (tmp_path / "columns.json").unlink()
    if content is not None:
        (tmp_path / "columns.json").write_text(content)
    with pytest.raises(DataError, match=told):
        TracerTable(table_config(path))


def test_text_that_is_no_number_is_named_with_row_and_column(
    made_tracers: MadeTracers, tmp_path: Path
) -> None:
    path = tmp_path / "t.csv"
    data_frame(made_tracers).to_csv(path, index=False)
    lines = path.read_text().splitlines()
    lines[7] = lines[7].replace(lines[7].split(",")[7], "1.2-1x0")
    path.write_text("\n".join(lines))
    with pytest.raises(DataError, match=r"t\.csv: line 8: column 'H2' holds '1\.2-1x0'") as caught:
        read_all(path)
    assert "correct that line" in str(caught.value.hint)


def test_a_csv_row_with_a_missing_value_is_refused(made_tracers: MadeTracers, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    data_frame(made_tracers).to_csv(path, index=False)
    lines = path.read_text().splitlines()
    lines[7] = lines[7].rpartition(",")[0]
    path.write_text("\n".join(lines))
    with pytest.raises(DataError, match=r"t\.csv: line 8: 17 cells, the header names 18 columns"):
        read_all(path)


def test_shapes_that_contradict_each_other_are_refused(made_tracers: MadeTracers, tmp_path: Path) -> None:
    path = write_plain_hdf5(tmp_path / "t.h5", made_tracers)
    with h5py.File(path, "a") as file:
        del file["time"]
        file["time"] = made_tracers.time[:, :20]
    with pytest.raises(DataError, match=r"shapes do not fit: abundances \(12, 30, 12\).*time \(12, 20\)"):
        TracerTable(table_config(path))


def test_pointers_beyond_the_data_are_refused(made_tracers: MadeTracers, tmp_path: Path) -> None:
    path = write_carbox(tmp_path / "t.h5", made_tracers)
    with h5py.File(path, "a") as file:
        file["small/tracer_ptr"][11, 2] = 31
    with pytest.raises(DataError, match="tracer_ptr points beyond the 360 rows"):
        TracerTable(table_config(path))


@pytest.mark.parametrize(
    "content", [b"\x00\x01\x02", b"just some words\n", b"\xff\xfe\x00 binary", b"PAR1 no"]
)
def test_files_of_no_known_format_are_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "t.h5").write_bytes(content)
    with pytest.raises(ChemNetError):
        TracerTable(table_config(tmp_path / "t.h5"))


@pytest.mark.parametrize(("name", "meant"), [("species", "names of the species"), ("time", "times")])
def test_plain_hdf5_without_an_array_is_told_what_to_write(
    name: str, meant: str, made_tracers: MadeTracers, tmp_path: Path
) -> None:
    write_plain_hdf5(tmp_path / "t.h5", made_tracers)
    with h5py.File(tmp_path / "t.h5", "a") as file:
        del file[name]
    with pytest.raises(DataError, match=f"no dataset '{name}'") as caught:
        read_all(tmp_path / "t.h5")
    assert meant in caught.value.hint


def test_an_hdf5_file_without_a_table_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "t.h5", "w") as file:
        file["something"] = [1, 2]
    with pytest.raises(DataError, match=r"no table in this HDF5 file \(tables: none among something\)"):
        TracerTable(table_config(tmp_path / "t.h5"))

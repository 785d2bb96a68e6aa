"""Every table format is recognised by its content and read to the same tracers."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest
from made_tables import FORMATS, data_frame, table_config, write_carbox, write_csv, write_pandas_table
from made_tracers import PHYSICAL_NAMES, MadeTracers, write_npy, write_plain_hdf5, write_uclchem_table

from chemnet.data.readers import TracerTable
from chemnet.data.readers.pandas_hdf5 import pickled_strings
from chemnet.errors import DataError


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_gives_the_tracers_that_were_written(
    name: str, made_tracers: MadeTracers, tmp_path: Path
) -> None:
    # the name of a file says nothing: a misleading one must not matter
    path = FORMATS[name](tmp_path / ("tracers.npy" if name == "npy" else "tracers.dat"), made_tracers)
    table = TracerTable(table_config(path))
    block = table.read(range(len(table.tracer_ids)))
    assert table.species == made_tracers.species
    assert table.physical_names == PHYSICAL_NAMES
    assert table.lengths.tolist() == [30] * 12
    np.testing.assert_allclose(block.time, made_tracers.time.ravel(), rtol=1e-6)
    np.testing.assert_allclose(block.physical, made_tracers.physical.reshape(-1, 4), rtol=1e-6)
    np.testing.assert_allclose(block.abundance, made_tracers.rows, rtol=1e-6, atol=1e-35)


@pytest.mark.parametrize("name", FORMATS)
def test_tracers_can_be_read_in_any_order(name: str, made_tracers: MadeTracers, tmp_path: Path) -> None:
    path = FORMATS[name](tmp_path / "tracers.npy", made_tracers)
    table = TracerTable(table_config(path))
    for chosen in ([7, 2, 3, 11], [0], [5, 4]):
        block = table.read(chosen)
        assert block.tracer_ids == tuple(table.tracer_ids[tracer] for tracer in chosen)
        assert block.offsets.tolist() == [30 * i for i in range(len(chosen) + 1)]
        expected = made_tracers.abundance[chosen].reshape(-1, len(made_tracers.species))
        np.testing.assert_allclose(block.abundance, expected, rtol=1e-6, atol=1e-35)


@pytest.mark.parametrize("name", FORMATS)
def test_abundances_as_they_are_stored_are_those_that_are_read(
    name: str, made_tracers: MadeTracers, tmp_path: Path
) -> None:
    table = TracerTable(table_config(FORMATS[name](tmp_path / "tracers.npy", made_tracers)))
    for chosen in ([3, 4, 5], [9, 1]):
        block, stored = table.read(chosen), table.read_stored(chosen)
        np.testing.assert_array_equal(stored.abundance, block.abundance)
        np.testing.assert_array_equal(stored.physical, block.physical)
        np.testing.assert_array_equal(stored.time, block.time)


def test_float32_columns_are_not_widened(made_tracers: MadeTracers, tmp_path: Path) -> None:
    frame = data_frame(made_tracers, dtype=np.float32)
    frame.to_hdf(tmp_path / "pandas.h5", key="df", mode="w")
    plain = write_plain_hdf5(tmp_path / "plain.h5", made_tracers)
    with h5py.File(plain, "r+") as file:
        values = file["abundances"][:].astype(np.float32)
        del file["abundances"]
        file["abundances"] = values
    for path in (tmp_path / "pandas.h5", plain):
        table = TracerTable(table_config(path))
        assert table.read_stored([2, 3]).abundance.dtype == np.float32
        assert table.read([2, 3]).abundance.dtype == np.float64
        np.testing.assert_array_equal(
            table.read_stored([2, 3]).abundance,
            made_tracers.abundance[2:4].reshape(60, -1).astype(np.float32),
        )


@pytest.mark.parametrize("name", FORMATS)
def test_conditions_are_read_without_the_abundances(
    name: str, made_tracers: MadeTracers, tmp_path: Path
) -> None:
    path = FORMATS[name](tmp_path / "tracers.npy", made_tracers)
    block = TracerTable(table_config(path)).read_conditions([3, 4])
    assert block.abundance.shape == (60, 0)
    np.testing.assert_allclose(block.physical, made_tracers.physical[3:5].reshape(-1, 4), rtol=1e-6)


def test_tracer_ids_are_those_of_the_table(made_tracers: MadeTracers, tmp_path: Path) -> None:
    path = tmp_path / "tracers.npy"
    ids = {
        name: TracerTable(table_config(write(path, made_tracers))).tracer_ids
        for name, write in FORMATS.items()
    }
    assert ids["pandas, zlib"] == ids["CSV"] == [str(number) for number in range(12)]
    assert ids["pandas, table layout"][:2] == ["run0", "run1"]
    assert ids["Carbox"][:2] == ["100", "101"]


def test_padding_that_steps_marks_is_not_read(made_tracers: MadeTracers, tmp_path: Path) -> None:
    path = write_plain_hdf5(tmp_path / "t.h5", made_tracers)
    with h5py.File(path, "a") as file:
        file["steps"] = np.array([30] * 11 + [20])
        file["abundances"][11, 20:] = np.nan
    table = TracerTable(table_config(path, unequal_length="keep"))
    assert table.lengths.tolist() == [30] * 11 + [20]
    assert table.read([11]).n_rows == 20


def test_one_time_axis_serves_all_tracers(made_tracers: MadeTracers, tmp_path: Path) -> None:
    path = write_plain_hdf5(tmp_path / "t.h5", made_tracers)
    with h5py.File(path, "a") as file:
        del file["time"]
        file["time"] = made_tracers.time[0]
    block = TracerTable(table_config(path)).read([1, 2])
    np.testing.assert_allclose(block.time, made_tracers.time[1:3].ravel())


def test_a_group_of_a_file_that_has_none_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("tracer,time,H\n0,0,1\n", encoding="utf-8")
    with pytest.raises(DataError, match="names a group of an HDF5 file"):
        TracerTable(table_config(table, group="df"))


def test_the_group_of_an_hdf5_file_is_asked_for_when_there_are_several(
    made_tracers: MadeTracers, tmp_path: Path
) -> None:
    path = write_carbox(tmp_path / "t.h5", made_tracers, ("small", "large"))
    with pytest.raises(DataError, match=r"several tables .*'large', 'small'") as caught:
        TracerTable(table_config(path))
    assert caught.value.hint == "set data_set.group to one of them"
    assert len(TracerTable(table_config(path, group="large")).tracer_ids) == 12
    with pytest.raises(DataError, match="no table 'medium'"):
        TracerTable(table_config(path, group="medium"))


def test_a_folder_is_read_as_one_table(made_tracers: MadeTracers, tmp_path: Path) -> None:
    write_uclchem_table(tmp_path / "a.h5", made_tracers)
    write_csv(tmp_path / "b.csv", made_tracers)
    (tmp_path / "notes.md").write_text("not a table")
    table = TracerTable(table_config(tmp_path))
    assert len(table.tracer_ids) == 24
    assert table.tracer_ids[0] == "a:0"
    assert table.tracer_ids[23] == "b:11"
    block = table.read([11, 12])
    np.testing.assert_allclose(block.physical[30:], made_tracers.physical[0])
    assert TracerTable(table_config(tmp_path / "*.csv")).tracer_ids[0] == "0"


def test_a_table_without_tracer_ids_is_one_tracer_called_after_its_file(
    made_tracers: MadeTracers, tmp_path: Path
) -> None:
    frame = data_frame(made_tracers)
    for number in (0, 1):
        one = frame[frame["Model"] == number].drop(columns="Model")
        one.to_csv(tmp_path / f"cloud{number}.csv", index=False)
    table = TracerTable(table_config(tmp_path))
    assert table.tracer_ids == ["cloud0", "cloud1"]
    np.testing.assert_allclose(table.read([1]).abundance, made_tracers.abundance[1])


def test_files_of_a_folder_must_hold_the_same_species(made_tracers: MadeTracers, tmp_path: Path) -> None:
    frame = data_frame(made_tracers)
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.drop(columns="OH").to_csv(tmp_path / "b.csv", index=False)
    with pytest.raises(DataError, match=r"b\.csv: no column 'OH'"):
        TracerTable(table_config(tmp_path))
    (tmp_path / "b.csv").unlink()
    frame.assign(CH4=1e-9).to_csv(tmp_path / "c.csv", index=False)
    with pytest.raises(DataError, match=r"c\.csv: species CH4 are not in .*a\.csv"):
        TracerTable(table_config(tmp_path))


def test_columns_keep_the_order_of_the_data_frame(made_tracers: MadeTracers, tmp_path: Path) -> None:
    frame = data_frame(made_tracers)
    frame["HE"] = frame["HE"].astype(np.float32)  # a block of its own
    frame.to_hdf(tmp_path / "t.h5", key="df", mode="w")
    assert TracerTable(table_config(tmp_path / "t.h5")).species == made_tracers.species


def test_column_names_come_as_a_list_or_a_mapping(made_tracers: MadeTracers, tmp_path: Path) -> None:
    path = write_npy(tmp_path / "t.npy", made_tracers)
    names = json.loads((tmp_path / "columns.json").read_text())
    (tmp_path / "columns.json").unlink()
    (tmp_path / "t.columns.json").write_text(json.dumps(list(names.values())))
    assert TracerTable(table_config(path)).species == made_tracers.species


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_names_in_a_pickle_are_found_whatever_its_protocol(protocol: int) -> None:
    names = ["H", "#H2O", "E-"]
    assert pickled_strings(pickle.dumps(names, protocol), "here") == names


def test_a_pickle_that_would_run_code_is_refused_and_not_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple:
            return (Path.touch, (tmp_path / "sprung",))

    with pytest.raises(DataError, match="pickled Python objects"):
        pickled_strings(pickle.dumps(["H", Trap()]), "here")
    assert not (tmp_path / "sprung").exists()


def test_objects_in_a_fixed_table_are_refused(made_tracers: MadeTracers, tmp_path: Path) -> None:
    frame = data_frame(made_tracers)
    frame["Model"] = frame["Model"].map("run{}".format).astype(object)
    frame.to_hdf(tmp_path / "t.h5", key="df", mode="w")
    with pytest.raises(DataError, match="column 'Model' is stored as pickled Python objects"):
        TracerTable(table_config(tmp_path / "t.h5"))


def test_digests_tell_content_and_reading_apart(made_tracers: MadeTracers, tmp_path: Path) -> None:
    path = write_pandas_table(tmp_path / "t.h5", made_tracers)
    digest = TracerTable(table_config(path)).digest
    copy = tmp_path / "copy.h5"
    copy.write_bytes(path.read_bytes())
    assert TracerTable(table_config(copy)).digest == digest
    assert TracerTable(table_config(path, physical_alignment="end")).digest != digest
    write_csv(copy, made_tracers)
    assert TracerTable(table_config(copy)).digest != digest


def test_real_uclchem_tracers_are_read(shared_data: Path) -> None:
    table = TracerTable(table_config(shared_data / "uclchem_tracers.h5"))
    assert len(table.species) == 333
    assert not {"SURFACE", "BULK"} & set(table.species)
    assert table.lengths.tolist() == [298] * 55
    block = table.read([0, 54])
    assert block.time[0] == 0.0
    assert block.abundance.min() >= 0.0
    with h5py.File(shared_data / "uclchem_tracers.h5") as file:
        raw = file["df/block2_values"][-298:]
        names = [name.decode() for name in file["df/block2_items"][:]]
    for name in ("H", "CO", "#H2O", "@CH3OH", "E-"):
        column = block.abundance[298:, table.species.index(name)]
        np.testing.assert_array_equal(column, raw[:, names.index(name)])


def test_the_plain_twin_of_the_real_tracers_has_the_same_columns(shared_data: Path) -> None:
    plain = TracerTable(table_config(shared_data / "network_tracers_plain.h5"))
    table = TracerTable(table_config(shared_data / "uclchem_tracers.h5"))
    assert plain.species == table.species
    assert plain.tracer_ids[:3] == ["1001", "1002", "1003"]
    assert plain.physical_names == table.physical_names

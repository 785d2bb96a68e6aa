"""What columns mean: by their names, by the key that says it, by units in names and attributes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from made_tables import data_frame, table_config
from made_tracers import MadeTracers, write_plain_hdf5

from chemnet.chemistry.units import SECONDS_PER_YEAR
from chemnet.data.readers import TracerTable
from chemnet.errors import ConfigError, DataError

CARBOX = {
    "Time": "time_years",
    "Density": "number_density",
    "Radfield": "fuv_field",
    "Av": "visual_extinction",
    "gasTemp": "temperature",
}


def written(frame: Any, path: Path) -> Path:
    frame.to_csv(path, index=False)
    return path


def test_tables_of_carbox_are_read_with_and_without_the_key(
    made_tracers: MadeTracers, tmp_path: Path
) -> None:
    frame = data_frame(made_tracers).rename(columns=CARBOX)
    frame.insert(0, "time_seconds", frame["time_years"] * SECONDS_PER_YEAR)
    path = written(frame, tmp_path / "t.csv")
    for options in ({}, {"columns": {"time": "time_years"}}, {"time_unit": "s"}):
        table = TracerTable(table_config(path, **options))
        block = table.read(range(12))
        np.testing.assert_allclose(block.time, made_tracers.time.ravel(), rtol=1e-12)
        np.testing.assert_allclose(block.physical, made_tracers.physical.reshape(-1, 4), rtol=1e-12)
        assert table.unread_columns in (("time_seconds",), ("time_years",))


def test_any_column_can_be_given_its_role(made_tracers: MadeTracers, tmp_path: Path) -> None:
    names = {"Model": "particle", "Time": "t", "Density": "nH", "H2O": "water"}
    frame = data_frame(made_tracers).rename(columns=names).assign(Time=-1.0)
    roles = {"tracer": "particle", "time": "t", "density": "nH", "H2O": "water"}
    table = TracerTable(table_config(written(frame, tmp_path / "t.csv"), columns=roles))
    assert (table.species, table.physical_names[0]) == (made_tracers.species, "Density")
    assert table.unread_columns == ("Time",)
    np.testing.assert_allclose(table.read([3]).time, made_tracers.time[3])


def test_a_role_for_a_column_that_is_not_there_is_refused(made_tracers: MadeTracers, tmp_path: Path) -> None:
    path = written(data_frame(made_tracers), tmp_path / "t.csv")
    with pytest.raises(
        DataError, match=r"no column 'time_years', which data_set.columns gives the role 'Time'"
    ):
        TracerTable(table_config(path, columns={"time": "time_years"}))


@pytest.mark.parametrize(
    ("roles", "told"),
    [
        ({"densty": "nH"}, "'densty' is no time, tracer"),
        ({"Density": "nH", "Av": "nH"}, "gives 'nH' two roles"),
    ],
)
def test_roles_that_mean_nothing_are_refused(
    roles: dict[str, str], told: str, made_tracers: MadeTracers, tmp_path: Path
) -> None:
    path = written(data_frame(made_tracers).rename(columns={"Density": "nH"}), tmp_path / "t.csv")
    with pytest.raises(ConfigError, match=told):
        TracerTable(table_config(path, columns=roles))


def test_an_index_of_dates_is_named_and_never_read(made_tracers: MadeTracers, tmp_path: Path) -> None:
    import pandas as pd

    frame = data_frame(made_tracers)
    frame.index = pd.date_range("2020", periods=len(frame), name="when")
    frame.to_hdf(tmp_path / "t.h5", key="df", mode="w")
    assert "when" in TracerTable(table_config(tmp_path / "t.h5")).unread_columns
    frame = frame.drop(columns="Time")
    frame.index.name = "Time"
    frame.to_hdf(tmp_path / "t.h5", key="df", mode="w")
    with pytest.raises(DataError, match="holds dates"):
        TracerTable(table_config(tmp_path / "t.h5")).read([0])


@pytest.mark.parametrize("name", ["time_seconds", "Time [s]", "time (sec)", "t_s"])
def test_a_unit_in_the_name_of_the_time_must_be_that_of_the_key(
    name: str, made_tracers: MadeTracers, tmp_path: Path
) -> None:
    frame = data_frame(made_tracers).rename(columns={"Time": name})
    frame[name] *= SECONDS_PER_YEAR
    path = written(frame, tmp_path / "t.csv")
    with pytest.raises(DataError, match=r"is in s, data_set.time_unit is 'yr'") as caught:
        TracerTable(table_config(path))
    assert caught.value.hint == 'set data_set.time_unit = "s"'
    np.testing.assert_allclose(
        TracerTable(table_config(path, time_unit="s")).read([1]).time, made_tracers.time[1]
    )


def test_a_unit_beside_the_time_must_be_that_of_the_key(made_tracers: MadeTracers, tmp_path: Path) -> None:
    path = write_plain_hdf5(tmp_path / "t.h5", made_tracers)
    with h5py.File(path, "a") as file:
        file["time"].attrs["units"] = "Myr"
    with pytest.raises(DataError, match="is in Myr"):
        TracerTable(table_config(path))
    assert TracerTable(table_config(path, time_unit="Myr")).read([0]).time[1] == pytest.approx(3367e6)


def test_assumed_names_of_parameters_are_told(
    made_tracers: MadeTracers, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_plain_hdf5(tmp_path / "t.h5", made_tracers)
    with h5py.File(path, "a") as file:
        del file["physical"].attrs["names"]
    TracerTable(table_config(path))
    assert "its columns are taken as Density, Radfield, Av, gasTemp" in caplog.text


@pytest.mark.parametrize("layout", ["fixed", "table"])
@pytest.mark.parametrize("index", ["Time", "Model", ["Model", "Time"], "row"])
def test_a_named_index_is_a_column_and_the_key_may_be_nested(
    layout: str, index: Any, made_tracers: MadeTracers, tmp_path: Path
) -> None:
    frame = data_frame(made_tracers)
    frame["row"] = np.arange(len(frame))
    frame = frame.set_index(index) if index == "row" else frame.drop(columns="row").set_index(index)
    frame.to_hdf(tmp_path / "t.h5", key="runs/first", mode="w", format=layout)
    table = TracerTable(table_config(tmp_path / "t.h5"))
    block = table.read([4])
    assert table.tracer_ids[4] == "4"
    np.testing.assert_allclose(block.time, made_tracers.time[4])
    np.testing.assert_allclose(block.physical, made_tracers.physical[4])


def test_an_index_of_text_holds_tracer_ids(made_tracers: MadeTracers, tmp_path: Path) -> None:
    frame = data_frame(made_tracers)
    frame["Model"] = frame["Model"].map("run{}".format)
    frame.set_index("Model").to_hdf(tmp_path / "t.h5", key="df", mode="w")
    assert TracerTable(table_config(tmp_path / "t.h5")).tracer_ids[:2] == ["run0", "run1"]


@pytest.mark.parametrize("per", ["H2", "particle"])
def test_abundances_of_other_units_become_those_per_hydrogen_nucleus(
    per: str, made_tracers: MadeTracers, tmp_path: Path
) -> None:
    frame = data_frame(made_tracers)
    species = list(made_tracers.species)
    unit = 0.5 if per == "H2" else frame[species].sum(axis=1)
    frame[species] = frame[species].div(unit, axis=0) if per == "particle" else frame[species] / unit
    path = written(frame, tmp_path / "t.csv")
    table = TracerTable(table_config(path, abundance_per=per))
    np.testing.assert_allclose(table.read(range(12)).abundance, made_tracers.rows, rtol=1e-9)
    # all species with hydrogen count, also those that are not read
    few = TracerTable(table_config(path, abundance_per=per, species=["CO", "H2O"]))
    co = species.index("CO")
    np.testing.assert_allclose(few.read([2]).abundance[:, 0], made_tracers.abundance[2, :, co], rtol=1e-9)


def test_without_molecular_hydrogen_other_units_are_refused(
    made_tracers: MadeTracers, tmp_path: Path
) -> None:
    path = written(data_frame(made_tracers).drop(columns=["H2", "H2O", "#H2O"]), tmp_path / "t.csv")
    with pytest.raises(DataError, match="needs every species with hydrogen, and the table has no H2"):
        TracerTable(table_config(path, abundance_per="H2"))


def test_logarithms_are_raised(made_tracers: MadeTracers, tmp_path: Path) -> None:
    frame = data_frame(made_tracers)
    columns = ["Density", *made_tracers.species]
    frame[columns] = np.log10(frame[columns])
    path = written(frame, tmp_path / "t.csv")
    block = TracerTable(table_config(path, log_columns=["density", "abundances"])).read([7])
    np.testing.assert_allclose(block.physical, made_tracers.physical[7], rtol=1e-9)
    np.testing.assert_allclose(block.abundance, made_tracers.abundance[7], rtol=1e-9)
    with pytest.raises(DataError, match="is negative") as caught:
        TracerTable(table_config(path)).read([7])
    assert 'data_set.log_columns = ["abundances"]' in str(caught.value.hint)
    with pytest.raises(DataError, match="log_columns names 'Desnity', which is not read"):
        TracerTable(table_config(path, log_columns=["Desnity"]))


def test_declared_species_and_prefixes_of_ice_are_read(made_tracers: MadeTracers, tmp_path: Path) -> None:
    names = {"#H2O": "JH2O", "#CO": "KCO", "OH": "CHx"}
    path = written(data_frame(made_tracers).rename(columns=names), tmp_path / "t.csv")
    with pytest.raises(DataError, match="unknown species column 'CHx'") as caught:
        TracerTable(table_config(path))
    assert "network.composition" in str(caught.value.hint)
    keys = {"network.composition": {"CHx": "CH"}, "network.ice_prefixes": {"J": "surface", "K": "bulk"}}
    table = TracerTable(table_config(path).replace(keys))
    assert {"#H2O", "@CO", "CHx{CH}"} <= set(table.species)
    np.testing.assert_allclose(table.read([2]).abundance, made_tracers.abundance[2], rtol=1e-12)


def test_a_column_with_another_role_than_its_name_says_is_no_parameter_of_that_name(
    made_tracers: MadeTracers, tmp_path: Path
) -> None:
    path = written(data_frame(made_tracers), tmp_path / "t.csv")
    with pytest.raises(DataError, match="no column 'Density'"):
        TracerTable(table_config(path, columns={"Time": "Density"}))
    table = TracerTable(table_config(path, columns={"Density": "Av", "Av": "Density"}))
    assert table.physical_names[:3] == ("Density", "Radfield", "Av")
    swapped = made_tracers.physical[3][:, [2, 1, 0, 3]]
    np.testing.assert_allclose(table.read([3]).physical, swapped, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("C18O", "network.composition = { C18O = 'C[18O]' }"),
        ("13CO", "network.composition = { 13CO = '[13C]O' }"),
        ("JH2O", "network.ice_prefixes = { J = 'surface' }"),
    ],
)
def test_isotopes_and_ice_are_hinted_at_by_their_key_and_not_by_a_name_near_them(
    name: str, key: str, made_tracers: MadeTracers, tmp_path: Path
) -> None:
    path = written(data_frame(made_tracers).rename(columns={"#CO": name}), tmp_path / "t.csv")
    with pytest.raises(DataError, match=f"unknown species column '{name}'") as caught:
        TracerTable(table_config(path))
    assert key in str(caught.value.hint)
    assert "did you mean" not in str(caught.value.hint)


@pytest.mark.parametrize(
    ("name", "told"), [("PAH", "reads as a formula with Pa"), ("KH2O", "reads as a formula with K")]
)
def test_names_that_read_by_accident_are_refused(
    name: str, told: str, made_tracers: MadeTracers, tmp_path: Path
) -> None:
    path = written(data_frame(made_tracers).rename(columns={"OH": name}), tmp_path / "t.csv")
    with pytest.raises(DataError, match=told):
        TracerTable(table_config(path))

"""Tables with other conventions are brought to chemnet's: row i drives the step from row i to row i + 1."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from made_tables import data_frame, table_config
from made_tracers import MadeTracers, write_plain_hdf5, write_uclchem_table

from chemnet.data.readers import TracerTable
from chemnet.errors import DataError


def test_parameters_at_the_end_of_a_step_move_to_its_start(
    made_tracers: MadeTracers, made_table: Path
) -> None:
    block = TracerTable(table_config(made_table, physical_alignment="end")).read([2, 5])
    for place, tracer in enumerate((2, 5)):
        physical = block.physical[30 * place : 30 * place + 30]
        np.testing.assert_allclose(physical[:-1], made_tracers.physical[tracer, 1:])
        np.testing.assert_allclose(physical[-1], made_tracers.physical[tracer, -1])


def late_table(made_tracers: MadeTracers, path: Path) -> Path:
    """A table that begins after the first step."""
    frame = data_frame(made_tracers)
    frame[frame["Time"] > 0].to_hdf(path, key="df", mode="w")
    return path


def test_the_standard_initial_row_is_put_in_front(made_tracers: MadeTracers, tmp_path: Path) -> None:
    path = late_table(made_tracers, tmp_path / "t.h5")
    table = TracerTable(table_config(path, prepend_initial=True))
    assert table.lengths.tolist() == [30] * 12
    block = table.read([4, 6])
    first = dict(zip(table.species, block.abundance[30], strict=True))
    assert block.time[[0, 30]].tolist() == [0.0, 0.0]
    assert first["H2"] == 0.25
    assert first["CO"] == 0.0
    assert first["E-"] == pytest.approx(first["C+"])
    np.testing.assert_allclose(block.physical[30], made_tracers.physical[6, 1])
    np.testing.assert_allclose(block.abundance[31:], made_tracers.abundance[6, 1:])
    assert table.read_conditions([4, 6]).n_rows == 60


def test_with_parameters_at_the_end_the_first_row_of_the_table_drives_the_first_step(
    made_tracers: MadeTracers, tmp_path: Path
) -> None:
    path = late_table(made_tracers, tmp_path / "t.h5")
    block = TracerTable(table_config(path, prepend_initial=True, physical_alignment="end")).read([0])
    np.testing.assert_allclose(block.physical[:-1], made_tracers.physical[0, 1:])


def test_an_initial_row_is_not_put_before_one_that_is_there(made_table: Path) -> None:
    table = TracerTable(table_config(made_table, prepend_initial=True))
    with pytest.raises(DataError, match=r"tracer '3', step 0 .*begins at time 0") as caught:
        table.read([3])
    assert caught.value.hint == "set data_set.prepend_initial = false"


@pytest.mark.parametrize(("unit", "years"), [("yr", 1.0), ("kyr", 1e3), ("Myr", 1e6), ("s", 1 / 3.16e7)])
def test_times_become_years(unit: str, years: float, made_tracers: MadeTracers, made_table: Path) -> None:
    block = TracerTable(table_config(made_table, time_unit=unit)).read([0])
    np.testing.assert_allclose(block.time, made_tracers.time[0] * years)


def test_unequal_tracers_are_cut_or_kept_as_asked(made_tracers: MadeTracers, tmp_path: Path) -> None:
    path = tmp_path / "t.h5"
    data_frame(made_tracers).drop(index=range(40, 60)).to_hdf(path, key="df", mode="w")
    cut = TracerTable(table_config(path, unequal_length="truncate"))
    kept = TracerTable(table_config(path, unequal_length="keep"))
    assert cut.lengths.tolist() == [10] * 12
    assert kept.lengths.tolist() == [30, 10, *[30] * 10]
    np.testing.assert_allclose(cut.read([2, 3]).abundance[10:], made_tracers.abundance[3, :10])
    np.testing.assert_allclose(kept.read([1, 2]).abundance[10:], made_tracers.abundance[2])


def test_tracers_with_nan_are_left_out_when_asked(
    made_tracers: MadeTracers, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_plain_hdf5(tmp_path / "t.h5", made_tracers)
    with h5py.File(path, "a") as file:
        file["abundances"][4, 29, 0] = np.nan
        file["physical"][7, 0, 2] = np.inf
    with caplog.at_level("WARNING", logger="chemnet"):
        table = TracerTable(table_config(path, nan_mode="drop_tracer"))
    assert table.tracer_ids == [str(number) for number in range(12) if number not in (4, 7)]
    assert "left out 2 of 12 tracers with NaN: 4, 7" in caplog.text
    block = table.read([4])
    assert block.tracer_ids == ("5",)
    np.testing.assert_allclose(block.abundance, made_tracers.abundance[5], rtol=1e-6, atol=1e-35)


def test_a_set_in_which_every_tracer_holds_a_nan_is_refused(
    made_tracers: MadeTracers, tmp_path: Path
) -> None:
    path = write_plain_hdf5(tmp_path / "t.h5", made_tracers)
    with h5py.File(path, "a") as file:
        file["time"][:, 3] = np.nan
    with pytest.raises(DataError, match="every tracer holds a NaN"):
        TracerTable(table_config(path, nan_mode="drop_tracer"))


def test_the_noise_of_a_solver_below_zero_counts_as_zero(
    made_tracers: MadeTracers, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    frame = data_frame(made_tracers)
    frame.loc[[3, 8], "CO"] = -1e-23
    frame.to_hdf(tmp_path / "t.h5", key="df", mode="w")
    with caplog.at_level("INFO", logger="chemnet"):
        block = TracerTable(table_config(tmp_path / "t.h5")).read([0])
    assert "2 abundances between -1e-20 and 0 were set to 0" in caplog.text
    assert block.abundance[3, block.abundance.shape[1] - 7] == 0.0
    assert block.abundance.min() >= 0.0


def test_chosen_species_come_in_the_order_asked_for(made_tracers: MadeTracers, tmp_path: Path) -> None:
    path = write_uclchem_table(tmp_path / "t.h5", made_tracers)
    table = TracerTable(table_config(path, species=["E-", "#CO", "H"], physical=["gasTemp", "density"]))
    assert table.species == ("E-", "#CO", "H")
    assert table.physical_names == ("gasTemp", "Density")
    block = table.read([1])
    columns = [made_tracers.species.index(name) for name in table.species]
    np.testing.assert_allclose(block.abundance, made_tracers.abundance[1][:, columns], rtol=1e-6, atol=1e-35)
    np.testing.assert_allclose(block.physical, made_tracers.physical[1][:, [3, 0]])

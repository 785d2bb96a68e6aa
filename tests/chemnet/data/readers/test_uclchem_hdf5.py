"""Models that UCLCHEM saves as HDF5 are read point by point, without the padding and without what failed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from made_tables import table_config
from made_tracers import PHYSICAL_NAMES, MadeTracers

from chemnet.data.readers import TracerTable
from chemnet.errors import DataError

PARAMETERS = ("Time", "Density", "gasTemp", "dustTemp", "Av", "radfield", "zeta", "dstep", "parcel_radius")


def write_model(
    group: h5py.Group,
    tracers: MadeTracers,
    chosen: list[int],
    success: int = 0,
    padded: int = 0,
    **changes: Any,
) -> None:
    """Write some tracers as the points of one model, in UCLCHEM's layout."""
    of_name = {"Time": tracers.time}
    of_name |= {name: tracers.physical[..., i] for i, name in enumerate(PHYSICAL_NAMES)}
    of_name |= {"dustTemp": of_name["gasTemp"], "radfield": of_name["Radfield"]}
    ones = np.ones(tracers.time.shape)
    physics = np.stack([of_name.get(name, ones)[chosen] for name in PARAMETERS], axis=-1).swapaxes(0, 1)
    abundances = tracers.abundance[chosen].swapaxes(0, 1)
    if padded:
        physics, abundances = physics.copy(), abundances.copy()
        physics[-padded:, -1], abundances[-padded:, -1] = 0.0, 0.0
    for name, values in (("physics_array", physics), ("chemical_abun_array", abundances)):
        group[name] = values
        group[name].attrs["_dims"] = ["time_step", "point", name.replace("array", "values")]
    noted = {
        "model_type": "Cloud",
        "success_flag": success,
        "physics_values": list(PARAMETERS),
        "chemical_abun_values": list(tracers.species),
        **changes,
    }
    group["attributes_dict"] = np.array([json.dumps(noted)]).astype(bytes)
    group["_param_dict"] = np.array([json.dumps({"points": len(chosen)})]).astype(bytes)
    group.create_group("_coords")


@pytest.fixture
def grid(made_tracers: MadeTracers, tmp_path: Path) -> Path:
    """Three models: of one point, of two of which the last ends early, and one that failed."""
    path = tmp_path / "grid.h5"
    with h5py.File(path, "w") as file:
        write_model(file.create_group("0"), made_tracers, [4])
        write_model(file.create_group("1"), made_tracers, [7, 2], padded=10)
        write_model(file.create_group("2"), made_tracers, [1], success=-1)
    return path


def test_points_become_tracers(
    grid: Path, made_tracers: MadeTracers, caplog: pytest.LogCaptureFixture
) -> None:
    table = TracerTable(table_config(grid, unequal_length="keep"))
    assert table.tracer_ids == ["0", "1-0", "1-1"]
    assert table.lengths.tolist() == [30, 30, 20]
    assert table.species == made_tracers.species
    block = table.read([2, 0, 1])
    for part, (tracer, rows) in enumerate(((2, 20), (4, 30), (7, 30))):
        here = slice(block.offsets[part], block.offsets[part + 1])
        np.testing.assert_allclose(block.time[here], made_tracers.time[tracer, :rows])
        np.testing.assert_allclose(block.physical[here], made_tracers.physical[tracer, :rows])
        np.testing.assert_allclose(block.abundance[here], made_tracers.abundance[tracer, :rows])
    assert "left out 1 models that failed: 2" in caplog.text


def test_one_model_of_a_grid_is_chosen_by_its_group(grid: Path) -> None:
    config = table_config(grid).replace({"data_set.group": "0"})
    assert TracerTable(config).tracer_ids == ["0"]


def test_parameters_that_are_asked_for_are_read(grid: Path) -> None:
    names = [*PHYSICAL_NAMES, "dustTemp", "zeta"]
    table = TracerTable(table_config(grid, unequal_length="keep").replace({"data_set.physical": names}))
    assert table.read([0]).physical.shape == (30, 6)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"chemical_abun_values": list(range(12))}, "nothing names the last axis of 'chemical_abun_array'"),
        ({"physics_values": ["Time", "Density"]}, "shapes do not fit"),
        ({"physics_values": ["time", *PARAMETERS[1:]]}, "no 'Time' among the parameters"),
        ({"success_flag": -3}, "every model failed"),
    ],
)
def test_a_model_that_says_too_little_is_refused(
    changes: dict[str, Any], told: str, made_tracers: MadeTracers, tmp_path: Path
) -> None:
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        write_model(file.create_group("default"), made_tracers, [0], **changes)
    with pytest.raises(DataError, match=told):
        TracerTable(table_config(path))


def test_models_of_two_networks_are_refused(made_tracers: MadeTracers, tmp_path: Path) -> None:
    path = tmp_path / "mixed.h5"
    other = ["H", "H2", "HE", "C+", "C", "CO", "#CO", "O", "OH", "H2O", "#H2O", "N"]
    with h5py.File(path, "w") as file:
        write_model(file.create_group("a"), made_tracers, [0])
        write_model(file.create_group("b"), made_tracers, [1], chemical_abun_values=other)
    with pytest.raises(DataError, match=r"group 'b'.*other parameters or species"):
        TracerTable(table_config(path))

"""A run of Nautilus is read point by point, in chemnet's units and names."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from made_tables import table_config
from made_tracers import MadeTracers

from chemnet.chemistry.network.species import parse_species
from chemnet.data.readers import TracerTable
from chemnet.errors import DataError

READ = {"data_set.physical": ["Density", "Av", "gasTemp"]}
NAMES = ("H", "H2", "He", "C+", "C", "CO", "JCO", "O", "OH", "H2O", "JH2O", "e-")


def write_run(path: Path, tracers: MadeTracers, points: list[int], names: tuple[str, ...] = NAMES) -> Path:
    """Write some tracers as the points of a run, in Nautilus' layout."""
    density, _, av, temperature = tracers.physical[points].transpose(2, 1, 0)
    conditions = {
        "H_number_density": density,
        "gas_temperature": temperature,
        "dust_temperature": temperature,
        "visual_extinction": av,
        "CR_IONISATION_RATE_1D": np.full_like(density, 2.6e-17),
    }
    with h5py.File(path, "w") as file:
        file["time"] = tracers.time[0] * 3.16e7
        file["time"].attrs["units"] = "s"
        file["spatial"] = np.arange(float(len(points)))
        file["species"] = np.array([list(name.ljust(11)) for name in names], dtype="S1")
        file["abundances"] = tracers.abundance[points].swapaxes(0, 1)
        file["elemental_abundances"] = np.ones((len(tracers.time[0]), len(points), 3))
        for name, values in conditions.items():
            file[f"physical-parameters/{name}"] = values
        file["network/reaction_type"] = np.arange(4)
    return path


def test_points_become_tracers(made_tracers: MadeTracers, tmp_path: Path) -> None:
    path = write_run(tmp_path / "output.nc", made_tracers, [4, 9])
    table = TracerTable(table_config(path).replace(READ))
    assert table.tracer_ids == ["0", "1"]
    assert table.species == tuple(name.replace("J", "#") for name in NAMES)
    block = table.read([1, 0])
    np.testing.assert_allclose(block.time, np.tile(made_tracers.time[0], 2))
    for part, tracer in enumerate((9, 4)):
        rows = slice(30 * part, 30 * (part + 1))
        np.testing.assert_allclose(block.physical[rows], made_tracers.physical[tracer][:, [0, 2, 3]])
        np.testing.assert_allclose(block.abundance[rows], made_tracers.abundance[tracer])


def test_a_single_point_is_called_after_its_file(made_tracers: MadeTracers, tmp_path: Path) -> None:
    path = write_run(tmp_path / "cloud.nc", made_tracers, [4])
    assert TracerTable(table_config(path).replace(READ)).tracer_ids == ["cloud"]


def test_cosmic_ray_rates_are_in_chemnets_unit(made_tracers: MadeTracers, tmp_path: Path) -> None:
    path = write_run(tmp_path / "output.nc", made_tracers, [4])
    config = table_config(path).replace({"data_set.physical": ["Density", "zeta"]})
    assert TracerTable(config).read([0]).physical[:, 1] == pytest.approx(2.0)


def test_complexes_count_all_their_atoms(made_tracers: MadeTracers, tmp_path: Path) -> None:
    names = (*NAMES[:8], "l-C3H", "JCH-H2O", "KCH3OH", "XH")
    path = write_run(tmp_path / "output.nc", made_tracers, [4], names)
    species = TracerTable(table_config(path).replace(READ)).species
    made_of = {name: parse_species(name) for name in species[-4:]}
    assert [one.elements for one in made_of.values()] == [
        {"C": 3, "H": 1}, {"C": 1, "H": 3, "O": 1}, {"C": 1, "H": 4, "O": 1}, {"H": 1}
    ]  # fmt: skip
    assert [one.phase for one in made_of.values()] == ["gas", "surface", "bulk", "gas"]


def test_the_field_that_is_not_in_it_is_missed_by_name(made_tracers: MadeTracers, tmp_path: Path) -> None:
    path = write_run(tmp_path / "output.nc", made_tracers, [4])
    with pytest.raises(DataError, match="no column 'Radfield'"):
        TracerTable(table_config(path))


def test_arrays_that_do_not_fit_are_refused(made_tracers: MadeTracers, tmp_path: Path) -> None:
    path = write_run(tmp_path / "output.nc", made_tracers, [4, 9])
    with h5py.File(path, "a") as file:
        del file["physical-parameters/visual_extinction"]
        file["physical-parameters/visual_extinction"] = np.ones((30, 1))
    with pytest.raises(DataError, match=r"visual_extinction' has shape \(30, 1\), the others \(30, 2\)"):
        TracerTable(table_config(path).replace(READ))

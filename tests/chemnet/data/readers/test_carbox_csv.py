"""What a run of Carbox writes is read as it is: one tracer, and a folder of runs as many."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_tables import table_config
from made_tracers import MadeTracers

from chemnet.data.readers import TracerTable

SECONDS = 3.15576e7


def write_run(path: Path, tracers: MadeTracers, tracer: int, thermal: bool = False) -> Path:
    """Write one tracer in Carbox' columns, with thermal balance also the temperature that was integrated."""
    density, radfield, av, temperature = tracers.physical[tracer].T
    columns = {
        "time_seconds": tracers.time[tracer] * SECONDS,
        "time_years": tracers.time[tracer],
        "radius_cm": np.full_like(density, 1e16),
        "number_density": density,
        "temperature": np.full_like(density, 50.0) if thermal else temperature,
        "cr_rate": np.full_like(density, 1e-17),
        "fuv_field": radfield,
        "visual_extinction": av,
        **dict(zip(tracers.species, tracers.abundance[tracer].T, strict=True)),
        **({"TGAS": temperature} if thermal else {}),
    }
    rows = [
        ",".join(columns),
        *(",".join(map(repr, map(float, row))) for row in zip(*columns.values(), strict=True)),
    ]
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.mark.parametrize("thermal", [False, True])
def test_a_run_is_one_tracer(
    thermal: bool, made_tracers: MadeTracers, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_run(tmp_path / "run_abundances.csv", made_tracers, 3, thermal)
    table = TracerTable(table_config(path))
    block = table.read([0])
    assert table.tracer_ids == ["run_abundances"]
    assert table.species == made_tracers.species
    np.testing.assert_allclose(block.time, made_tracers.time[3])
    np.testing.assert_allclose(block.physical, made_tracers.physical[3])
    np.testing.assert_allclose(block.abundance, made_tracers.abundance[3])
    assert "1.7 times as large" in caplog.text
    assert {"radius_cm", "cr_rate"} <= set(table.unread_columns)


def test_the_cosmic_ray_rate_is_read_where_it_is_asked_for(made_tracers: MadeTracers, tmp_path: Path) -> None:
    path = write_run(tmp_path / "run.csv", made_tracers, 3)
    config = table_config(path).replace(
        {"data_set.physical": ["Density", "zeta"], "data_set.columns": {"zeta": "cr_rate"},
         "data_set.drop_columns": ["temperature", "fuv_field", "visual_extinction"]}
    )  # fmt: skip
    assert TracerTable(config).read([0]).physical[:, 1] == pytest.approx(1e-17)


def test_a_folder_of_runs_is_as_many_tracers(made_tracers: MadeTracers, tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    folder.mkdir()
    for tracer in (0, 5):
        write_run(folder / f"run{tracer}_abundances.csv", made_tracers, tracer)
    (folder / "run0_metadata.json").write_text("{}")
    (folder / "run0_summary.txt").write_text("a report")
    assert TracerTable(table_config(folder)).tracer_ids == ["run0_abundances", "run5_abundances"]

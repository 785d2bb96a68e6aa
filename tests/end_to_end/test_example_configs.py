"""Every example configuration loads, and says how it is used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import chemnet
from made_tracers import MadeTracers, make_tracers, write_npy, write_plain_hdf5, write_uclchem_table

from chemnet.config import load_config

FOLDER = Path(__file__).resolve().parents[2] / "example_configs"
EXAMPLES = sorted(FOLDER.rglob("*.toml"))


def write_without_initial_rows(path: Path, tracers: MadeTracers) -> Path:
    """Write a table that begins after the first step, as the reference set does."""
    later = MadeTracers(tracers.time[:, 1:], tracers.physical[:, 1:], tracers.abundance[:, 1:])
    return write_uclchem_table(path, later)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_every_example_loads(path: Path) -> None:
    outcome = chemnet("config", "-c", path)
    assert outcome.code == 0, outcome.err
    assert path.read_text(encoding="utf-8").startswith("#"), "an example begins by saying what it is for"


def test_there_are_examples_of_each_kind() -> None:
    assert {path.parent.name for path in EXAMPLES} >= {"datasets", "components", "surrogates"}


def test_a_surrogate_joins_a_dataset_and_a_component() -> None:
    config = load_config([FOLDER / "surrogates" / "uclchem_emulator.toml"])
    assert config["model"]["name"] == "LatentEmulator"
    assert config["data_set"]["path"] == str(FOLDER / "datasets" / "uclchem_tracers.h5")


@pytest.mark.parametrize(
    ("name", "file", "write"),
    [
        ("uclchem.toml", "tracers.h5", write_uclchem_table),
        ("uclchem_reference.toml", "tracers.h5", write_without_initial_rows),
        ("plain_hdf5.toml", "tracers.h5", write_plain_hdf5),
        ("npy.toml", "tracers.npy", write_npy),
    ],
)
def test_an_example_data_set_preprocesses_a_table_of_its_kind(
    tmp_path: Path, name: str, file: str, write: Callable[[Path, MadeTracers], Path]
) -> None:
    path = write(tmp_path / file, make_tracers())
    words = (
        f"data_set.path={path}",
        f"general.results_dir={tmp_path / 'results'}",
        "preprocess.window=8",
        "--json",
    )
    outcome = chemnet("preprocess", "-c", FOLDER / "datasets" / name, *words)
    assert outcome.code == 0, outcome.err
    assert (outcome.path / "metadata.json").is_file()

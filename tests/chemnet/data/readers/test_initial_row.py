"""Initial abundances in front of each tracer: the standard, a mapping or a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_tables import data_frame, table_config
from made_tracers import MadeTracers

from chemnet.config import load_config
from chemnet.data.preprocess.pipeline import preprocess
from chemnet.data.readers import TracerTable
from chemnet.data.readers.initial_row import initial_row
from chemnet.errors import DataError

SPECIES = ["H2", "#H2O", "C+", "E-"]
GIVEN = {"H2": 0.5, "#H2O": 1e-5, "C+": 1e-4}


@pytest.mark.parametrize(
    "text",
    [
        "H2 0.5\n#H2O 1d-5\nC+ 1.0-004\n",
        'H2 = 0.5\n"#H2O" = 1e-5  # ice\n"C+" = 1e-4\n',
        "\ufeffspecies,abundance\r\nH2,0.5\r\n#H2O,1e-5\r\nC+,1e-4\r\n",
        "# made in May\n\nH2: 0.5\n#H2O: 1e-5\nC+: 1e-4",
    ],
)
def test_a_file_holds_one_species_per_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "initial.txt").write_text(text, encoding="utf-8", newline="")
    np.testing.assert_allclose(initial_row(str(tmp_path / "initial.txt"), SPECIES), [0.5, 1e-5, 1e-4, 1e-4])


def test_named_electrons_are_taken_as_they_are() -> None:
    np.testing.assert_allclose(initial_row({**GIVEN, "e-": 2e-4}, SPECIES)[-1], 2e-4)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"H2": 0.5, "CH4": 1e-4}, "'CH4' is not among the species"),
        ({"H2": -0.5}, "the abundance of 'H2' is -0.5"),
        ({"H2": "much"}, "the abundance of 'H2' is 'much'"),
        ("nowhere.txt", "nowhere.txt: no such file"),
    ],
)
def test_what_is_no_abundance_is_refused(given: Any, told: str) -> None:
    with pytest.raises(DataError, match=told):
        initial_row(given, SPECIES)


def test_a_line_without_an_abundance_is_named(tmp_path: Path) -> None:
    (tmp_path / "initial.txt").write_text("H2 0.5\nC+ some\n")
    with pytest.raises(DataError, match=r"initial\.txt:2: the abundance of C\+ is 'some'"):
        initial_row(str(tmp_path / "initial.txt"), SPECIES)


def test_a_table_of_late_tracers_begins_with_them(made_tracers: MadeTracers, tmp_path: Path) -> None:
    frame = data_frame(made_tracers)
    frame[frame["Time"] > 0].to_csv(tmp_path / "t.csv", index=False)
    initial = {"H": 1.0, "HE": 0.1}
    block = TracerTable(table_config(tmp_path / "t.csv", prepend_initial=initial)).read([3])
    np.testing.assert_array_equal(block.abundance[0, :3], [1.0, 0.0, 0.1])
    np.testing.assert_allclose(block.abundance[1:], made_tracers.abundance[3, 1:], rtol=1e-12)


def test_a_given_range_scales_a_parameter(made_table: Path, tmp_path: Path) -> None:
    config = table_config(made_table).replace({"preprocess.physical_ranges": {"Density": [1e2, 1e10]}})
    scaling = preprocess(TracerTable(config), config, tmp_path)["scaling"]
    assert (scaling["physical_min"][0], scaling["physical_max"][0]) == (1e2, 1e10)
    assert scaling["physical_max"][3] < 100
    config = config.replace({"preprocess.physical_ranges": {"Desnity": [1e2, 1e10]}})
    with pytest.raises(DataError, match="names 'Desnity', which is no physical parameter"):
        preprocess(TracerTable(config), config, tmp_path)


def test_a_configuration_file_gives_all_of_a_mapping(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text('[data_set]\nprepend_initial = { H2 = 0.5, "#H2O" = 1e-5, "C+" = 1e-4 }\n')
    assert load_config([file])["data_set"]["prepend_initial"].to_dict() == GIVEN
    file.write_text('[data_set.prepend_initial]\nH2 = 0.5\n"#H2O" = 1e-5\n"C+" = 1e-4\n')
    assert load_config([file])["data_set"]["prepend_initial"].to_dict() == GIVEN
    (tmp_path / "d.toml").write_text("[data_set]\nprepend_initial = true\n")
    assert load_config([file, tmp_path / "d.toml"])["data_set"]["prepend_initial"] is True

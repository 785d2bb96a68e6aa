"""Tables in other units are refused with the key that mends them, or confirms what they say."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_tables import data_frame, table_config
from made_tracers import MadeTracers, make_tracers

from chemnet.data.preprocess.pipeline import preprocess
from chemnet.data.readers import TracerTable
from chemnet.errors import DataError

SPECIES = list(make_tracers(1, 2).species)


def run(frame: Any, folder: Path, **options: Any) -> dict[str, Any]:
    frame.to_csv(folder / "t.csv", index=False)
    config = table_config(folder / "t.csv", **options)
    return preprocess(TracerTable(config), config, folder)


def changed(**factors: Any) -> Callable[[Any], Any]:
    """Return a function that multiplies columns, all species with `species`."""

    def change(frame: Any) -> Any:
        for name, factor in factors.items():
            columns = SPECIES if name == "species" else [name]
            frame[columns] *= factor
        return frame

    return change


def with_logarithm(frame: Any) -> Any:
    import numpy as np

    return frame.assign(Density=np.log10(frame["Density"]))


def per_particle(frame: Any) -> Any:
    frame[SPECIES] = frame[SPECIES].div(frame[SPECIES].sum(axis=1), axis=0)
    return frame


@pytest.mark.parametrize(
    ("change", "told", "mended"),
    [
        (changed(Time=3.16e7), r"spans 3\.09e\+12 yr, longer than the Universe", {"time_unit": "s"}),
        (with_logarithm, "Density lies between 4.* as its logarithm would", {"log_columns": ["Density"]}),
        (changed(species=2.0), "2 H nuclei per H nucleus", {"abundance_per": "H2"}),
        (per_particle, r"1\.\d+ H nuclei per H nucleus", {"abundance_per": "particle"}),
    ],
)
def test_another_unit_is_refused_with_the_key_that_mends_it(
    change: Callable[[Any], Any], told: str, mended: dict[str, Any], made_tracers: MadeTracers, tmp_path: Path
) -> None:
    frame = change(data_frame(made_tracers))
    with pytest.raises(DataError, match=told) as caught:
        run(frame, tmp_path)
    (key,) = mended
    assert f"data_set.{key}" in str(caught.value.hint)
    metadata = run(frame, tmp_path, **mended)
    assert metadata["totals"]["H"] == pytest.approx([1.0, 1.0, 1.0])
    assert metadata["observed"]["time_span"] == pytest.approx(29 * 3367.0)
    assert metadata["observed"]["physical"]["train"]["max"][0] > 1e4


def test_what_is_confirmed_is_a_warning(
    made_tracers: MadeTracers, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run(with_logarithm(data_frame(made_tracers)), tmp_path, log_columns=[])
    assert "as its logarithm would" in caplog.text


def test_spans_of_years_and_of_gigayears_are_warned_of(
    made_tracers: MadeTracers, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run(changed(Time=1e-6)(data_frame(made_tracers)), tmp_path)
    assert 'data_set.time_unit = "Myr"' in caplog.text


def test_a_rate_of_ionisation_that_varies_unread_is_warned_of(
    made_tracers: MadeTracers, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    frame = data_frame(made_tracers)
    frame["zeta"] = 10.0 ** (frame["Model"] % 4)
    frame["dustTemp"] = frame["gasTemp"]
    run(frame, tmp_path)
    assert "zeta varies from 1 to 1e+03 and is not among the physical parameters" in caplog.text
    assert "dustTemp varies" not in caplog.text
    caplog.clear()
    read = run(frame, tmp_path, physical=["Density", "Radfield", "Av", "gasTemp", "zeta"])
    assert read["physical_names"][-1] == "zeta"
    assert not caplog.records


def test_tracers_whose_abundances_mean_something_else_than_the_others_are_warned_of(
    made_tracers: MadeTracers, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    frame = data_frame(made_tracers)
    frame.loc[frame["Model"] == frame["Model"].iloc[0], SPECIES] *= 0.5
    run(frame, tmp_path)
    assert "hold 0.5 to 1 H nuclei per H nucleus, mostly 1" in caplog.text


def test_a_mass_density_is_told_from_a_logarithm(made_tracers: MadeTracers, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="as a mass density in g cm") as caught:
        run(changed(Density=2.3e-24)(data_frame(made_tracers)), tmp_path)
    assert "H nuclei" in caught.value.hint


@pytest.mark.parametrize(("limits", "warned"), [([1.0, 10.0], True), ([1.0, 1e12], False)])
def test_a_range_to_scale_by_that_leaves_out_data_is_warned_of(
    limits: list[float],
    warned: bool,
    made_tracers: MadeTracers,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    data_frame(made_tracers).to_csv(tmp_path / "t.csv", index=False)
    config = table_config(tmp_path / "t.csv").replace({"preprocess.physical_ranges": {"Density": limits}})
    preprocess(TracerTable(config), config, tmp_path)
    assert ("leaves out values of the training split" in caplog.text) == warned


def test_a_table_of_a_few_species_is_not_judged_by_its_hydrogen(
    made_tracers: MadeTracers, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="chemnet"):
        run(data_frame(made_tracers), tmp_path, species=["CO", "H2O", "C+"])
    assert "H or H2 is not among them" in caplog.text


def test_real_tables_are_read_without_a_word(
    shared_data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = table_config(shared_data / "uclchem_tracers.h5")
    metadata = preprocess(TracerTable(config), config, tmp_path)
    assert metadata["totals"]["H"] == pytest.approx([1.0] * 3, abs=1e-3)
    assert not caplog.records


def test_totals_that_change_along_a_tracer_are_warned_of(
    made_tracers: MadeTracers, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    frame = data_frame(made_tracers)
    run(frame[frame["Time"] > 0], tmp_path, prepend_initial={"H2": 0.5, "HE": 0.1, "C+": 1.77e-4})
    assert "the total of elements changes along a tracer: O by 100%" in caplog.text

"""UCLCHEM's models as tracers."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest

from chemnet.chemistry.clouds import CLOUDS, Cloud, build_cloud
from chemnet.config.manager import ConfigManager
from chemnet.errors import ConfigError

N_STEPS = 40
DEFAULTS = ConfigManager().config["simulate"]["uclchem"].to_dict()


def made(model: str, **parameters: Any) -> Cloud:
    return build_cloud(model, DEFAULTS | parameters, N_STEPS, dust_to_gas=0.01)


def history(cloud: Cloud, point: int = 0) -> dict[str, np.ndarray]:
    return cloud.tracers[point].as_mapping()


@pytest.mark.parametrize("model", CLOUDS)
def test_every_model_runs_with_its_defaults_and_names_parameters_that_exist(model: str) -> None:
    (tracer,) = made(model).tracers
    assert tracer.family == model
    assert set(CLOUDS[model].parameters) <= DEFAULTS.keys()
    assert tracer.time[0] == 0.0


def test_a_cloud_at_rest_has_the_conditions_that_were_given() -> None:
    found = history(made("cloud", initialDens=1e4, initialTemp=12.0, radfield=3.0, finalTime=1e6))
    assert found["time"][-1] == 1e6
    for name, value in {"Density": 1e4, "Radfield": 3.0, "gasTemp": 12.0, "Av": 2.9644}.items():
        # the extinction that UCLCHEM prints for 1e4 cm^-3 within 0.05 pc
        np.testing.assert_allclose(found[name], value, rtol=1e-4)


def test_cosmic_rays_are_a_column_where_they_are_not_the_usual() -> None:
    assert "zeta" not in history(made("cloud"))
    assert (history(made("cloud", zeta=10.0))["zeta"] == 10.0).all()


def test_free_fall_ends_at_the_final_density_or_rests_there() -> None:
    ends = history(made("cloud", freefall=True, endAtFinalDensity=True))
    rests = history(made("cloud", freefall=True, finalTime=6e6))
    assert ends["Density"][-1] == pytest.approx(1e5)
    assert ends["time"][-1] < 5.3e6
    assert rests["time"][-1] == 6e6
    assert rests["Density"].max() == pytest.approx(1e5)
    assert ends["Av"][-1] == pytest.approx(11.644, rel=1e-4)


def test_rows_are_added_where_conditions_change_fast() -> None:
    found = history(made("cloud", freefall=True))
    assert len(found["time"]) > N_STEPS
    assert np.abs(np.diff(np.log10(found["Density"]))).max() <= 0.05


def test_equal_rows_are_as_many_as_asked_for_and_said_to_be_coarse(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        found = history(made("cloud", freefall=True, spacing="equal"))
    np.testing.assert_allclose(found["time"], np.linspace(0.0, 5e6, N_STEPS))
    assert "rows are coarse" in caplog.text


@pytest.mark.parametrize("model", ["hot_core", "cshock"])
def test_a_cold_collapse_comes_first_and_the_model_begins_at_its_final_density(model: str) -> None:
    cloud = made(model, finalTime=1e6, finalDens=2e4)
    found, (first, second) = history(cloud), cloud.starts
    before = found["time"] < second
    assert first == 0.0
    assert (found["gasTemp"][before] == 10.0).all()
    assert found["Density"][0] == 1e2
    assert found["Density"][~before][0] == pytest.approx(2e4)
    assert found["time"][-1] == pytest.approx(second + 1e6)
    assert found["gasTemp"].max() > 200.0
    without = made(model, finalTime=1e6, initialDens=2e4, phase1=False)
    assert without.starts == (0.0,)
    np.testing.assert_array_equal(history(without)["gasTemp"], found["gasTemp"][~before])


def test_phase_1_may_rest_at_the_final_density() -> None:
    cloud = made("hot_core", phase1Time=6e6)
    found = history(cloud)
    assert cloud.starts[1] == 6e6
    assert (found["Density"][(found["time"] > 5.3e6)] == 1e5).all()


def test_a_hot_core_reaches_its_maximum_inside_first() -> None:
    cloud = made("hot_core", points=4, finalTime=1e6)
    inner, outer = history(cloud, 0), history(cloud, 3)
    assert inner["gasTemp"].max() == outer["gasTemp"].max() == 300.0
    assert inner["time"][inner["gasTemp"].argmax()] < outer["time"][outer["gasTemp"].argmax()]


def test_points_further_in_are_behind_more_dust() -> None:
    cloud = made("cloud", points=4, initialDens=1e5)
    assert cloud.layers is not None
    assert [tracer.tracer_id for tracer in cloud.tracers] == ["1", "2", "3", "4"]
    av = np.array([history(cloud, point)["Av"][0] for point in range(4)])
    np.testing.assert_allclose(av, 2.0 + 9.644 * np.array([4, 3, 2, 1]) / 4, rtol=1e-3)


def test_the_centre_of_a_collapsing_sphere_is_densest_and_all_of_it_falls() -> None:
    cloud = made("collapse", points=3, rout=0.1)
    density = np.array([history(cloud, point)["Density"] for point in range(3)])
    assert (np.diff(density, axis=0) < 0.0).all()
    assert density[0, -1] == pytest.approx(1e8, rel=1e-3)
    av = np.array([history(cloud, point)["Av"] for point in range(3)])
    assert (np.diff(av, axis=0) < 0.0).all()


def test_gas_behind_a_shock_stays_as_warm_as_it_is_told_to() -> None:
    found = history(made("cshock", phase1=False, initialDens=1e4, minimum_temperature=30.0))
    assert found["gasTemp"][-1] == 30.0


def test_points_that_hardly_shield_one_another_are_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        made("cloud", points=8, rout=0.01)
    assert "hardly shield one another" in caplog.text


@pytest.mark.parametrize(
    ("model", "parameters", "message"),
    [
        ("hotcore", {}, "simulate.cloud = 'hotcore' is no model\n  hint: did you mean 'hot_core'?"),
        ("cloud", {"rin": 0.1}, "rout = 0.05 pc does not exceed rin = 0.1 pc"),
        ("cloud", {"freefall": True, "finalDens": 50.0}, "finalDens = 50 cm^-3 does not exceed initialDens"),
        ("hot_core", {"finalDens": 1e2}, "does not exceed initialDens = 100 cm^-3"),
        ("cloud", {"endAtFinalDensity": True}, "gas at rest reaches no other density"),
        ("hot_core", {"max_temperature": 8.0}, "max_temperature = 8 K does not exceed initialTemp = 10 K"),
        ("hot_core", {"phase1Time": 1e6}, "phase1Time = 1e+06 yr ends before the collapse reaches finalDens"),
        ("cshock", {"points": 3}, "points = 3: a C-shock is followed by one parcel"),
        (
            "cshock",
            {"shock_vel": 2.0},
            "shock_vel = 2 km/s is not faster than the Alfven velocity, 2.18 km/s",
        ),
        ("cshock", {"shock_vel": 3.0, "finalDens": 1e4}, "the fit of the highest temperature gives"),
    ],
)
def test_parameters_that_contradict_one_another_are_refused(
    model: str, parameters: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        made(model, **parameters)
    assert message in str(caught.value)
    assert caught.value.hint

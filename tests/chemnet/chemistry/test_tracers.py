"""Tracers: what the generators promise, and what no tracer can be."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chemnet.chemistry.tracers import (
    DEFAULT_WEIGHTS,
    FAMILIES,
    Tracer,
    generate_tracers,
)
from chemnet.chemistry.tracers.density import collapse_profile
from chemnet.errors import ConfigError, DataError

TIME = np.array([0.0, 1e3, 2e3])
PHYSICAL = np.array([[1e4, 1.0, 1.0, 20.0], [1e5, 0.5, 2.0, 15.0], [1e6, 0.1, 5.0, 13.0]])
LIMITS = ((1e4, 1.32e9), (1e-4, 26.0), (0.1, 6914.0), (13.0, 133.0))


@pytest.fixture(scope="module")
def generated() -> list[Tracer]:
    return generate_tracers(400, seed=1)


def test_same_seed_gives_the_same_tracers_and_another_seed_others() -> None:
    first, again, other = (generate_tracers(3, seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal([t.physical for t in first], [t.physical for t in again])
    assert not np.array_equal(first[0].physical, other[0].physical)


def test_a_tracer_does_not_depend_on_how_many_are_asked_for() -> None:
    few, many = generate_tracers(2, seed=3), generate_tracers(9, seed=3)
    np.testing.assert_array_equal(few[1].physical, many[1].physical)
    assert few[1].pre_phase == many[1].pre_phase


def test_default_run_has_298_equal_steps_over_a_million_years(generated: list[Tracer]) -> None:
    assert len(generated[0]) == 298
    np.testing.assert_allclose(np.diff(generated[0].time), 1e6 / 297)


def test_every_value_stays_within_the_range_of_the_reference_tracers(generated: list[Tracer]) -> None:
    physical = np.stack([tracer.physical for tracer in generated])
    for column, (low, high) in enumerate(LIMITS):
        assert physical[..., column].min() >= low * (1 - 1e-9)
        assert physical[..., column].max() <= high * (1 + 1e-9)


def test_all_families_appear_about_as_often_as_weighted(generated: list[Tracer]) -> None:
    for family, weight in DEFAULT_WEIGHTS.items():
        share = sum(tracer.family == family for tracer in generated) / len(generated)
        assert share == pytest.approx(weight, abs=0.08)
        assert share > 0


def test_a_third_has_a_phase_before_with_conditions_of_its_own(generated: list[Tracer]) -> None:
    phases = [tracer.pre_phase for tracer in generated if tracer.pre_phase]
    assert len(phases) / len(generated) == pytest.approx(1 / 3, abs=0.08)
    assert len({phase.duration for phase in phases}) == len(phases)
    assert all(2e4 <= phase.duration <= 1.5e6 for phase in phases)
    first = [tracer.physical[0, 0] for tracer in generated if tracer.pre_phase]
    both = np.log10([[phase.density for phase in phases], first])
    assert abs(np.corrcoef(both)[0, 1]) < 0.3


def test_shares_of_zero_and_one_switch_pre_phase_off_and_on() -> None:
    assert all(t.pre_phase is None for t in generate_tracers(20, 1, pre_phase_share=0.0))
    assert all(t.pre_phase is not None for t in generate_tracers(20, 1, pre_phase_share=1.0))


def test_heating_raises_the_temperature_and_nothing_else() -> None:
    calm, heated = (generate_tracers(30, 2, heating_share=share) for share in (0.0, 1.0))
    for one, other in zip(calm, heated, strict=True):
        np.testing.assert_array_equal(one.physical[:, :3], other.physical[:, :3])
        assert (other.physical[:, 3] >= one.physical[:, 3] * (1 - 1e-12)).all()
        assert other.physical[:, 3].max() > one.physical[:, 3].max() or one.physical[:, 3].max() > 130.0


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_alone_can_be_asked_for(family: str) -> None:
    assert {tracer.family for tracer in generate_tracers(4, 0, n_steps=50, weights={family: 1.0})} == {family}


@pytest.mark.parametrize("family", ["freefall", "sigmoid", "twostage"])
def test_collapsing_families_never_expand(family: str) -> None:
    for tracer in generate_tracers(20, 0, weights={family: 1.0}):
        assert (np.diff(np.log10(tracer.physical[:, 0])) >= -1e-9).all()


def test_rebound_rises_and_falls_once() -> None:
    for tracer in generate_tracers(20, 0, weights={"rebound": 1.0}):
        change = np.diff(np.log10(tracer.physical[:, 0]))
        turns = np.count_nonzero(change[1:] * change[:-1] < -1e-15)
        assert turns == 1


def test_static_tracers_hardly_move() -> None:
    for tracer in generate_tracers(20, 0, weights={"static": 1.0}):
        assert np.ptp(np.log10(tracer.physical[:, 0])) < 0.25


def test_collapse_follows_the_closed_form() -> None:
    angle = np.linspace(0.05, 1.4, 50)
    fraction = (2 / np.pi) * (angle + 0.5 * np.sin(2 * angle))
    np.testing.assert_allclose(collapse_profile(fraction), -6 * np.log10(np.cos(angle)), rtol=1e-4)
    assert collapse_profile(np.array([-1.0, 0.0])) == pytest.approx(0.0, abs=1e-12)


@settings(max_examples=25)
@given(st.integers(0, 2**32), st.integers(2, 400), st.floats(1e2, 1e8))
def test_any_seed_length_and_duration_gives_valid_tracers(seed: int, n_steps: int, end_time: float) -> None:
    for tracer in generate_tracers(2, seed, n_steps=n_steps, end_time=end_time):
        assert tracer.physical.shape == (n_steps, 4)
        assert tracer.time[-1] == pytest.approx(end_time)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"n_steps": 1}, "at least 2 steps"),
        ({"end_time": 0.0}, "longer than 0 yr"),
        ({"weights": {"freefal": 1.0}}, "no tracer family 'freefal'"),
        ({"weights": {"static": -1.0}}, "weight of tracer family 'static' is -1.0"),
        ({"weights": {"static": 0.0}}, "all tracer families are 0"),
    ],
)
def test_impossible_options_are_refused(options: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        generate_tracers(1, 0, **options)
    assert caught.value.hint


def test_distribution_resembles_the_reference_tracers(shared_data: Path, generated: list[Tracer]) -> None:
    with h5py.File(shared_data / "network_tracers_plain.h5") as file:
        reference = np.log10(file["physical"][:])
    ours = np.log10(np.stack([tracer.physical for tracer in generated]))
    for column in range(4):
        quantiles = [np.percentile(table[..., column], [5, 25, 50, 75, 95]) for table in (reference, ours)]
        np.testing.assert_allclose(*quantiles, atol=0.45)
        steps = [
            np.percentile(np.abs(np.diff(table[..., column], axis=1)), [75, 95, 99])
            for table in (reference, ours)
        ]
        np.testing.assert_allclose(np.log10(steps[0]), np.log10(steps[1]), atol=0.2)


# --- a single tracer's checks ------------------------------------------------------------------


@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf, 0.0])
def test_impossible_density_is_refused_with_tracer_and_step(value: float) -> None:
    physical = PHYSICAL.copy()
    physical[1, 0] = value
    with pytest.raises(DataError, match=r"tracer 'core-7', step 1: Density is"):
        Tracer("core-7", TIME, physical)


def test_gas_without_light_is_allowed() -> None:
    physical = PHYSICAL.copy()
    physical[:, 1] = 0.0
    assert len(Tracer("dark", TIME, physical)) == 3


def test_time_that_does_not_increase_is_refused_with_tracer_and_step() -> None:
    with pytest.raises(
        DataError, match=r"tracer 'a', step 2: time does not increase \(1000 yr, then 1000 yr\)"
    ):
        Tracer("a", np.array([0.0, 1e3, 1e3]), PHYSICAL)


def test_time_that_is_not_finite_is_refused() -> None:
    with pytest.raises(DataError, match="step 1: time is nan"):
        Tracer("a", np.array([0.0, np.nan, 1e3]), PHYSICAL)


@pytest.mark.parametrize(("steps", "words"), [(0, "has 0 steps"), (1, "has 1 step;")])
def test_empty_tracers_are_refused(steps: int, words: str) -> None:
    with pytest.raises(DataError, match=words):
        Tracer("a", TIME[:steps], PHYSICAL[:steps])

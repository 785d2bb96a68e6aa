"""One rate at every temperature: pieces are joined, shared limits and repeated rows count once."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chemnet.chemistry.network.network import Network
from chemnet.chemistry.network.species_and_reactions import NetworkSpecies, Reaction
from chemnet.chemistry.rates import compile_reactions, rate_coefficients
from chemnet.chemistry.rates.constants import CR_YIELD
from chemnet.chemistry.rates.temperature_ranges import join_ranges

RANGES = st.lists(
    st.tuples(st.integers(0, 400), st.integers(1, 200)).map(lambda pair: (pair[0], pair[0] + pair[1])),
    min_size=1,
    max_size=6,
    unique=True,
)
SPECIES = [NetworkSpecies(name, 1.0) for name in ("C", "O", "CO", "E-", "C+", "CO+")]


def row(low: float, high: float, alpha: float = 1.0, **fields: object) -> Reaction:
    """One piece of C + O -> CO."""
    given = {"kind": "TWOBODY", "reactants": ("C", "O"), "products": ("CO",)} | fields
    return Reaction(alpha=alpha, t_min=low, t_max=high, **given)


def active(rows: list[Reaction], temperature: float) -> list[int]:
    """Positions of the rows that count at a temperature."""
    found = join_ranges(rows).rows
    return [i for i, ranges in enumerate(found) for one in ranges if one.start <= temperature < one.end]


def coefficient(rows: list[Reaction], temperature: float) -> float:
    """Sum of the coefficients at density 1."""
    reactions = compile_reactions(Network.from_parts(SPECIES, rows))
    k = np.empty(len(reactions.changes))
    conditions = np.array([1.0, 1.0, 1.0, temperature, temperature, 1.0])
    rate_coefficients(reactions.rates, conditions, 0.0, CR_YIELD, np.empty(0), k)
    return float(k.sum())


@given(RANGES, st.floats(0.0, 700.0))
def test_exactly_one_row_counts_from_the_first_limit_to_the_last(ranges, temperature):
    rows = [row(low, high, alpha) for alpha, (low, high) in enumerate(ranges, start=1)]
    found = active(rows, temperature)
    inside = min(low for low, _ in ranges) <= temperature <= max(high for _, high in ranges)
    assert len(found) == inside


@given(RANGES, st.floats(0.0, 700.0))
def test_a_row_that_covers_a_temperature_is_preferred_and_in_a_gap_the_nearer_one(ranges, temperature):
    rows = [row(low, high, alpha) for alpha, (low, high) in enumerate(ranges, start=1)]
    for i in active(rows, temperature):
        distance = [max(low - temperature, temperature - high, 0.0) for low, high in ranges]
        assert distance[i] == pytest.approx(min(distance), abs=1e-9)


@given(RANGES, st.sampled_from(["clamp", "extrapolate"]), st.floats(1e-3, 1e4))
def test_with_a_policy_for_outside_one_row_counts_at_every_temperature(ranges, policy, temperature):
    rows = [row(low, high, alpha, outside=policy) for alpha, (low, high) in enumerate(ranges, start=1)]
    assert len(active(rows, temperature)) == 1


@given(RANGES)
def test_every_change_of_row_is_at_a_limit_or_in_the_middle_of_a_gap(ranges):
    rows = [row(low, high) for low, high in ranges]
    limits = sorted({limit for pair in ranges for limit in pair})
    middles = {(low + high) / 2 for low, high in pairwise(limits)}
    for stretches in join_ranges(rows).rows:
        for one in stretches:
            for edge in (one.start, one.end):
                assert any(edge == pytest.approx(known, abs=1e-9) for known in (*limits, *middles))


@pytest.mark.parametrize("temperature", [100.0, 100.4, 100.5, 100.6, 101.0])
def test_whole_numbers_leave_no_gap(temperature):
    assert coefficient([row(10, 100, 1e-9), row(101, 3000, 1e-9)], temperature) == pytest.approx(1e-9)


def test_in_a_gap_each_side_keeps_the_rate_at_its_limit():
    rows = [row(10, 100, 1e-9, beta=1.0), row(200, 800, 5e-9, beta=-1.0)]
    assert coefficient(rows, 149.0) == pytest.approx(1e-9 * 100 / 300)
    assert coefficient(rows, 151.0) == pytest.approx(5e-9 * 300 / 200)


def test_a_shared_limit_counts_once():
    rows = [row(50, 1000, 1e-7), row(1000, 30000, 1e-7)]
    assert [coefficient(rows, t) for t in (999.0, 1000.0, 1001.0)] == pytest.approx([1e-7] * 3)


@pytest.mark.parametrize(
    ("policy", "below", "above"),
    [("zero", 0.0, 0.0), ("clamp", 1e-9 * 10 / 300, 1e-9), ("extrapolate", 1e-9 * 5 / 300, 2e-9)],
)
def test_outside_the_last_limit_the_policy_decides(policy, below, above):
    rows = [row(10, 100, 1e-9, beta=1.0, outside=policy), row(101, 300, 1e-9, beta=1.0, outside=policy)]
    assert coefficient(rows, 5.0) == pytest.approx(below)
    assert coefficient(rows, 600.0) == pytest.approx(above)
    assert coefficient(rows, 50.0) == pytest.approx(1e-9 * 50 / 300)


def test_a_row_without_a_lower_limit_counts_below_one_kelvin():
    assert coefficient([row(0, 300, 1e-9)], 0.5) == 1e-9
    assert coefficient([row(0, math.inf, 1e-9, beta=1.0)], 0.5) == pytest.approx(1e-9 * 0.5 / 300)
    assert coefficient([row(0, math.inf, 1e-9), row(0, math.inf, 2e-9)], 0.5) == pytest.approx(3e-9)


def test_a_fit_that_would_run_away_below_its_range_keeps_its_rate_there():
    fields = {"beta": 0.0, "gamma": -300.0}
    kept = row(100, 300, 1e-9, outside="extrapolate", **fields)
    assert coefficient([kept], 10.0) == pytest.approx(1e-9 * math.exp(3.0))
    assert coefficient([kept], 600.0) == pytest.approx(1e-9 * math.exp(0.5))
    for outside in ("zero", "extrapolate"):
        asked_by_the_file = row(100, 300, 1e-9, extrapolate=True, outside=outside, **fields)
        assert coefficient([asked_by_the_file], 10.0) == pytest.approx(1e-9 * math.exp(30.0))
        joined = [asked_by_the_file, row(301, 1000, 1e-9, outside=outside)]
        assert coefficient(joined, 50.0) == pytest.approx(1e-9 * math.exp(6.0))


def test_cosmic_ray_photons_keep_their_rate_at_the_limit_too():
    one = row(10, 300, 1.3e-17, beta=1.0, gamma=100.0, kind="CRPHOT", reactants=("CO",), products=("C", "O"))
    assert coefficient([row(10, 300), one], 600.0) == 0.0
    kept = Reaction(**{**vars(one), "outside": "clamp"})
    assert coefficient([kept], 600.0) == pytest.approx(coefficient([kept], 300.0))


def test_extrapolated_pieces_meet_and_do_not_add_up():
    rows = [row(10, 300, 1e-9, extrapolate=True), row(300, 41000, 2e-9, extrapolate=True)]
    assert [coefficient(rows, t) for t in (1.0, 100.0, 1000.0, 1e6)] == pytest.approx(
        [1e-9, 1e-9, 2e-9, 2e-9]
    )


def test_the_same_row_twice_counts_once_and_other_numbers_over_one_range_add_up():
    twice = join_ranges([row(10, 300, 1e-9), row(10, 300, 1e-9), row(10, 300, 2e-9)])
    assert [len(ranges) for ranges in twice.rows] == [1, 0, 1]
    assert twice.repeated == ((0, 1, True), (0, 2, False))
    assert coefficient([row(10, 300, 1e-9), row(10, 300, 1e-9), row(10, 300, 2e-9)], 50.0) == pytest.approx(
        3e-9
    )


def test_cosmic_rays_and_the_photons_that_they_make_are_two_processes():
    fields = {"kind": "CRP", "reactants": ("CO",), "products": ("CO+", "E-")}
    rows = [row(0, math.inf, 1e-17, partner=partner, **fields) for partner in ("CR", "CRP")]
    assert coefficient(rows, 10.0) == pytest.approx(2e-17)
    assert not join_ranges(rows).repeated


def test_fits_of_another_form_continue_one_another():
    rows = [
        row(10, 412, 1.0, beta=1e-9, gamma=2.0, kind="IONPOL1"),
        row(413, 800, 1.0, beta=1e-9, kind="IONPOL2"),
    ]
    assert join_ranges(rows).reactions == ((0, 1),)
    assert [active(rows, t) for t in (412.4, 412.6)] == [[0], [1]]


def test_a_narrower_range_inside_a_wide_one_counts_where_it_stands():
    rows = [row(10, 1000, 1e-9), row(100, 200, 5e-9)]
    assert [coefficient(rows, t) for t in (50.0, 150.0, 500.0)] == pytest.approx([1e-9, 5e-9, 1e-9])
    assert join_ranges(rows).overlaps == ((0, 1),)


def test_real_holes_are_told_apart_from_ways_of_printing():
    found = join_ranges([row(10, 100), row(101, 300), row(350, 800)])
    assert (found.n_joined, found.holes) == (2, ((1, 2, 300, 350),))


def test_rows_on_ice_stay_as_they_are_listed():
    ice = [
        Reaction(("#CO",), ("#C", "#O"), "CRP", 1e-17, t_min=10, t_max=100, outside="clamp") for _ in range(2)
    ]
    assert [len(ranges) for ranges in join_ranges(ice).rows] == [1, 1]
    assert active(ice, 101.0) == []


@pytest.mark.parametrize(("species", "counts"), [("CO", [0]), ("CO+", [])])
def test_light_that_columns_of_gas_hold_back_acts_at_every_temperature(species, counts):
    light = row(10, 300, kind="PHOTON", reactants=(species,), products=("C", "O"))
    assert active([light], 5.0) == active([light], 5000.0) == counts

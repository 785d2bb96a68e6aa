"""What cannot be integrated is refused by column and step; what fails says so and leaves NaN rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from chemnet.chemistry.network.network import Network
from chemnet.chemistry.network.species_and_reactions import NetworkSpecies, Reaction
from chemnet.chemistry.solver import SolverCode
from chemnet.errors import DataError

Array = NDArray[np.float64]
COLUMNS = ("Density", "Radfield", "Av", "gasTemp")


def broken(tracer: dict[str, Array], column: str, step: int, value: float) -> dict[str, Array]:
    """Return the tracer with one value replaced."""
    values = tracer[column].copy()
    values[step] = value
    return {**tracer, column: values}


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
@pytest.mark.parametrize("column", COLUMNS)
def test_a_bad_value_is_named_by_column_and_step(
    collapse: Network, tracer: dict[str, Array], initial: dict[str, float], column: str, value: float
) -> None:
    with pytest.raises(DataError, match=f"step 4: {column} is {value}"):
        collapse.solve(broken(tracer, column, 4, value), initial)


@pytest.mark.parametrize("column", ["Density", "gasTemp", "dustTemp"])
def test_matter_and_warmth_are_needed(
    collapse: Network, tracer: dict[str, Array], initial: dict[str, float], column: str
) -> None:
    complete = {**tracer, "dustTemp": tracer["gasTemp"]}
    with pytest.raises(DataError, match=rf"step 2: {column} is 0\.0"):
        collapse.solve(broken(complete, column, 2, 0.0), initial)


@pytest.mark.parametrize("moment", [0.0, 3333.0])
def test_time_that_does_not_increase_is_named_by_step(
    collapse: Network, tracer: dict[str, Array], initial: dict[str, float], moment: float
) -> None:
    with pytest.raises(DataError, match=r"step 3: time is .* after"):
        collapse.solve(broken(tracer, "time", 3, moment), initial)


def test_time_that_is_no_number_is_named_by_step(
    collapse: Network, tracer: dict[str, Array], initial: dict[str, float]
) -> None:
    with pytest.raises(DataError, match="step 3: time is nan"):
        collapse.solve(broken(tracer, "time", 3, np.nan), initial)


def test_the_tracer_is_named(collapse: Network, tracer: dict[str, Array], initial: dict[str, float]) -> None:
    with pytest.raises(DataError, match="tracer 'core-7', step 1: Av"):
        collapse.solve({**broken(tracer, "Av", 1, -0.5), "id": "core-7"}, initial)  # type: ignore[dict-item]


@pytest.mark.parametrize("column", ["time", *COLUMNS])
def test_a_missing_column_is_named(
    collapse: Network, tracer: dict[str, Array], initial: dict[str, float], column: str
) -> None:
    with pytest.raises(DataError, match=f"column '{column}' is missing"):
        collapse.solve({name: values for name, values in tracer.items() if name != column}, initial)


def test_a_column_of_another_length_is_named(
    collapse: Network, tracer: dict[str, Array], initial: dict[str, float]
) -> None:
    with pytest.raises(DataError, match="column 'Av' has shape"):
        collapse.solve({**tracer, "Av": tracer["Av"][:3]}, initial)


def test_an_empty_tracer_is_refused(
    collapse: Network, tracer: dict[str, Array], initial: dict[str, float]
) -> None:
    with pytest.raises(DataError, match="no steps"):
        collapse.solve({name: values[:0] for name, values in tracer.items()}, initial)


def test_a_tracer_of_one_row_is_its_initial_state(
    collapse: Network, tracer: dict[str, Array], initial: dict[str, float]
) -> None:
    solution = collapse.solve({name: values[:1] for name, values in tracer.items()}, initial)
    assert solution.succeeded
    assert solution.abundances.shape == (1, len(collapse.species))
    assert solution.abundances[0, collapse.index("H2")] == initial["H2"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"CO2+": 1e-6}, "no species 'CO2\\+'"),
        ({"CO": -1e-6}, "initial abundance of CO is -1e-06"),
        ({"CO": np.nan}, "initial abundance of CO is nan"),
    ],
)
def test_a_bad_initial_abundance_is_named_by_species(
    collapse: Network,
    tracer: dict[str, Array],
    initial: dict[str, float],
    change: dict[str, float],
    message: str,
) -> None:
    with pytest.raises(DataError, match=message):
        collapse.solve(tracer, {**initial, **change})


def test_initial_abundances_of_another_length_are_refused(
    collapse: Network, tracer: dict[str, Array]
) -> None:
    with pytest.raises(DataError, match=r"shape \(3,\).*89 species"):
        collapse.solve(tracer, [0.5, 0.25, 0.1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "rodas4"}, "unknown method 'rodas4'"),
        ({"interpolation": "cubic"}, "unknown interpolation 'cubic'"),
        ({"rtol": 0.0}, "rtol=0.0"),
        ({"atol": -1e-20}, "atol=-1e-20"),
    ],
)
def test_an_option_that_does_not_exist_is_named(
    collapse: Network,
    tracer: dict[str, Array],
    initial: dict[str, float],
    options: dict[str, Any],
    message: str,
) -> None:
    with pytest.raises(DataError, match=message):
        collapse.solve(tracer, initial, **options)


def test_rodas3_refuses_bulk_ice(
    collapse_bulk: Network, tracer: dict[str, Array], initial: dict[str, float]
) -> None:
    with pytest.raises(DataError, match="bulk ice"):
        collapse_bulk.solve(tracer, initial, method="rodas3")


@pytest.mark.parametrize("method", ["bdf", "rodas3"])
def test_too_few_steps_are_reported_and_leave_nan(
    collapse: Network, tracer: dict[str, Array], initial: dict[str, float], method: str
) -> None:
    solution = collapse.solve(tracer, initial, method=method, max_internal_steps=3)
    assert solution.code is SolverCode.TOO_MANY_STEPS
    assert not solution.succeeded
    assert solution.failed_step == 0
    assert solution.message == "step 0: the cap on internal steps was reached at every tolerance tried"
    assert np.isfinite(solution.abundances[0]).all()
    assert np.isnan(solution.abundances[1:]).all()


def test_impossible_tolerances_are_reported_and_leave_nan(
    collapse: Network, tracer: dict[str, Array], initial: dict[str, float]
) -> None:
    solution = collapse.solve(tracer, initial, rtol=1e-18, atol=1e-40, max_internal_steps=200)
    assert not solution.succeeded
    assert np.isnan(solution.abundances[1:]).all()


@pytest.mark.parametrize("method", ["bdf", "rodas3"])
def test_a_failure_on_the_way_keeps_the_rows_before_it(tracer: dict[str, Array], method: str) -> None:
    def explosive(
        t_gas: Array, av: Array, zeta: Array, radfield: Array, density: Array
    ) -> NDArray[np.float64]:
        return np.where(t_gas > 30.0, 1e308, 1e-16)

    species = [NetworkSpecies(name, 1.0) for name in ("C", "O", "CO")]
    reaction = Reaction(("C", "O"), ("CO",), "EXPRESSION", 1.0, expression=explosive)
    network = Network.from_parts(species, [reaction])
    solution = network.solve(tracer, {"C": 1e-4, "O": 2e-4}, method=method, max_internal_steps=500)
    assert not solution.succeeded
    assert solution.failed_step == 3
    assert np.isfinite(solution.abundances[:4]).all()
    assert np.isnan(solution.abundances[4:]).all()


def test_statistics_count_the_work(
    collapse: Network, tracer: dict[str, Array], initial: dict[str, float]
) -> None:
    statistics = collapse.solve(tracer, initial).statistics
    assert statistics.steps >= 6
    assert statistics.evaluations >= statistics.steps
    assert statistics.factorisations > 0

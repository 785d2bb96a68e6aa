"""A tracer cut in two gives the same numbers as the whole: every row starts afresh."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from chemnet.chemistry.network.network import Network

Array = NDArray[np.float64]


def rows(tracer: dict[str, Array], part: slice) -> dict[str, Array]:
    """Return some rows of a tracer."""
    return {name: values[part] for name, values in tracer.items()}


@pytest.mark.parametrize("cut", [1, 3, 5])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("collapse", {}),
        ("collapse", {"method": "rodas3"}),
        ("collapse", {"interpolation": "linear"}),
        ("collapse_bulk", {}),
    ],
)
def test_restart_equals_no_restart(
    request: pytest.FixtureRequest,
    tracer: dict[str, Array],
    initial: dict[str, float],
    name: str,
    options: dict[str, str],
    cut: int,
) -> None:
    network: Network = request.getfixturevalue(name)
    whole = network.solve(tracer, initial, **options)
    first = network.solve(rows(tracer, slice(cut + 1)), initial, **options)
    second = network.solve(rows(tracer, slice(cut, None)), first.abundances[-1], **options)
    assert whole.succeeded
    np.testing.assert_array_equal(first.abundances, whole.abundances[: cut + 1])
    np.testing.assert_array_equal(second.abundances, whole.abundances[cut:])


def test_the_last_row_of_conditions_drives_nothing(
    collapse: Network, tracer: dict[str, Array], initial: dict[str, float]
) -> None:
    changed = {name: values.copy() for name, values in tracer.items()}
    changed["gasTemp"][-1], changed["Density"][-1] = 100.0, 1e3
    np.testing.assert_array_equal(
        collapse.solve(changed, initial).abundances, collapse.solve(tracer, initial).abundances
    )


def test_a_later_start_of_the_clock_changes_nothing(
    collapse: Network, tracer: dict[str, Array], initial: dict[str, float]
) -> None:
    later = {**tracer, "time": tracer["time"] + 2.0**20}
    np.testing.assert_allclose(
        collapse.solve(later, initial).abundances, collapse.solve(tracer, initial).abundances, rtol=1e-6
    )


def test_the_same_run_twice_gives_the_same_numbers(
    collapse: Network, tracer: dict[str, Array], initial: dict[str, float]
) -> None:
    np.testing.assert_array_equal(
        collapse.solve(tracer, initial).abundances, collapse.solve(tracer, initial).abundances
    )

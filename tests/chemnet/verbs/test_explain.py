"""Every figure that `benchmark` writes has a meaning, and a near miss finds it."""

from __future__ import annotations

import pytest
from command_line import chemnet

from chemnet.data.metric_meanings import METRICS, meaning_of
from chemnet.errors import NotFoundError

SCORED = (
    "mlae",
    "lae99",
    "mlae_visible",
    "lae99_visible",
    "mean_relative_error",
    "element_drift",
    "charge_residual",
    "not_finite",
    "mlae_abundant",
    "solver_share",
    "validate_lae99",
)


@pytest.mark.parametrize("name", SCORED)
def test_each_scored_figure_has_a_meaning(name: str) -> None:
    assert len(meaning_of(name).text) > 30


def test_case_and_spaces_do_not_matter() -> None:
    assert meaning_of("Mean relative-error") is METRICS["mean_relative_error"]


def test_one_figure_and_all_of_them() -> None:
    assert chemnet("explain", "lae99").out.startswith("lae99: LAE99")
    assert len(chemnet("explain", "--json").answer) == len(METRICS)


def test_an_unknown_figure_exits_1_with_near_ones() -> None:
    outcome = chemnet("explain", "laee99")
    assert (outcome.code, "did you mean lae99" in outcome.err) == (1, True)
    with pytest.raises(NotFoundError):
        meaning_of("temperature of the sun")

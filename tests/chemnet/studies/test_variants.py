"""Which trainings the studies of the CODES benchmark take of a data set."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from chemnet.errors import ConfigError
from chemnet.studies.variants import MAIN, variants


def names(config: Any, data: Any, batch_size: int = 64) -> list[str]:
    return [one.name for one in variants(config, data, batch_size)]


def test_the_defaults_are_those_of_the_benchmark(tiny: Any, tiny_data: Any) -> None:
    """The tiny set has 7 training tracers of 30 rows."""
    found = names(tiny(), tiny_data)
    assert found[0] == MAIN
    assert [one for one in found if one.startswith("interpolation")] == [
        f"interpolation-{interval}" for interval in range(2, 11)
    ]
    assert [one for one in found if one.startswith("extrapolation")] == [
        f"extrapolation-{rows}" for rows in (15, 18, 21, 24, 27)
    ]
    assert [one for one in found if one.startswith("sparse")] == ["sparse-2", "sparse-4"]
    assert [one for one in found if one.startswith("batch")] == [f"batch_size-{n}" for n in (4, 8, 16, 32)]
    assert [one for one in found if one.startswith("uncertainty")] == [
        f"uncertainty-{n}" for n in (1, 2, 3, 4)
    ]


def test_values_that_leave_nothing_are_left_out_and_told(
    tiny: Any, tiny_data: Any, caplog: pytest.LogCaptureFixture
) -> None:
    config = tiny({"study.studies": ["interpolation"], "study.intervals": [1, 3, 3, 30]})
    with caplog.at_level(logging.WARNING, logger="chemnet"):
        assert names(config, tiny_data) == [MAIN, "interpolation-3"]
    assert "every row number 30 leaves one of 30" in caplog.text


def test_windows_that_no_longer_fit_are_chosen_anew(tiny: Any, tiny_data: Any) -> None:
    config = tiny({"study.studies": ["interpolation"], "study.intervals": [3, 5]})
    _, third, fifth = variants(config, tiny_data, 64)
    # windows of eight rows: ten are left of thirty, or six
    assert third.thinning == {"preprocess.thin_rows": 3}
    assert fifth.thinning["preprocess.window"] is False


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"study.studies": ["interpolate"]}, "no study is called 'interpolate'"),
        ({"study.studies": ["sparse"], "study.factors": [100]}, "leave no training of it"),
        ({"study.studies": ["batch_size"], "study.batch_factors": [1.0]}, "leave no training of it"),
    ],
)
def test_studies_that_cannot_be_are_refused(
    changes: dict[str, Any], told: str, tiny: Any, tiny_data: Any
) -> None:
    with pytest.raises(ConfigError, match=told):
        variants(tiny(changes), tiny_data, 64)

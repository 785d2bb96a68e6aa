"""The exponential that runs of rows use is that of the mathematical library."""

from __future__ import annotations

import numba
import numpy as np

from chemnet.chemistry.rates.arrhenius import exponential


@numba.njit(error_model="numpy")  # type: ignore[untyped-decorator]
def exponentials(x: np.ndarray) -> np.ndarray:
    """Return e^x for every number."""
    return np.array([exponential(one) for one in x])


def test_it_is_good_to_a_few_units_in_the_last_place() -> None:
    x = np.concatenate([np.linspace(-649.0, 699.0, 20_001), np.linspace(-1.0, 1.0, 2_001)])
    np.testing.assert_allclose(exponentials(x), np.exp(x), rtol=5e-15)


def test_what_is_too_small_is_nothing_and_what_is_too_large_stays_finite() -> None:
    assert exponentials(np.array([-700.0, -np.inf])).tolist() == [0.0, 0.0]
    assert np.isfinite(exponentials(np.array([800.0, np.inf]))).all()

"""What the training split covered is known: here, whether its charges balance."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from chemnet.surrogate.trust.trained_ranges import Domain

SPECIES = ("H2", "C+", "E-")


def made(last: list[float], is_ordered: bool = True) -> Any:
    """One tracer of three rows that begins neutral and ends as given."""
    rows = np.array([[0.5, 1e-4, 1e-4], [0.5, 1e-5, 1e-5], last])
    train = SimpleNamespace(
        dt=np.array([1.0, 1.0, 0.0]),
        n_rows=3,
        offsets=np.array([0, 3]),
        is_ordered=is_ordered,
        raw_abundance=lambda chosen: rows[chosen],
    )
    return SimpleNamespace(
        split=lambda name: train,
        stoichiometry=np.array([[2.0], [0.0], [0.0]]),
        physical_scaling=SimpleNamespace(minimum=(1.0,), maximum=(2.0,)),
        species=SPECIES,
    )


@pytest.mark.parametrize("is_ordered", [True, False])
def test_data_are_neutral_where_every_state_is(is_ordered: bool) -> None:
    assert Domain.of_training(made([0.5, 1e-7, 1e-7 * (1.0 + 1e-6)], is_ordered)).is_neutral
    assert not Domain.of_training(made([0.5, 1e-7, 1.1e-7], is_ordered)).is_neutral


def test_nobody_has_looked_at_the_charges_of_an_older_surrogate() -> None:
    domain = Domain.of_training(made([0.5, 1e-7, 1e-7]))
    plain = domain.to_dict()
    assert Domain.from_dict(plain) == domain
    del plain["net_charge"]
    assert not Domain.from_dict(plain).is_neutral
    assert not replace(domain, net_charge=0.01).is_neutral

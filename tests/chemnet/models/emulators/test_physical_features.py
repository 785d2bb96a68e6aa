"""Features of the physical parameters: what they are, and that they follow from the scaled values."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from chemnet.data.scaling import PhysicalScaling
from chemnet.models.emulators.physical_features import PhysicalFeatures

NAMES = ("Density", "Radfield", "Av", "gasTemp")
SCALING = PhysicalScaling((1e4, 1e-4, 0.1, 10.0), (1e9, 30.0, 7000.0, 150.0))


def features_of(physical: list[float], names: tuple[str, ...] = NAMES) -> dict[str, float]:
    keep = [NAMES.index(name) for name in names]
    scaling = PhysicalScaling(
        tuple(SCALING.minimum[i] for i in keep), tuple(SCALING.maximum[i] for i in keep)
    )
    features = PhysicalFeatures(SimpleNamespace(physical_names=names, physical_scaling=scaling))  # type: ignore[arg-type]
    scaled = torch.from_numpy(scaling.scale(np.array(physical)))
    return dict(zip(features.names, features(scaled).tolist(), strict=True))


def test_the_combinations_are_those_of_the_rates() -> None:
    found = features_of([1e6, 2.0, 3.0, 40.0])
    assert found["log Density"] == pytest.approx(6.0, abs=1e-5)
    assert found["1 / gasTemp"] == pytest.approx(0.5, rel=1e-4)
    assert found["shielding"] == pytest.approx(np.exp(-1.0), rel=1e-4)
    assert found["field behind 2 Av"] == pytest.approx(np.log10(2.0 * np.exp(-6.0)), abs=1e-4)


def test_a_field_that_does_nothing_is_no_further_information() -> None:
    deep, deeper = (features_of([1e6, 1.0, av, 40.0])["field behind 1 Av"] for av in (500.0, 5000.0))
    assert deep == deeper == -8.0


def test_parameters_of_other_names_are_seen_by_their_logarithms_alone() -> None:
    assert set(features_of([1e6, 40.0], ("Density", "gasTemp"))) == {
        "log Density",
        "log gasTemp",
        "1 / gasTemp",
    }


def test_learnt_features_have_no_mean_and_unit_spread() -> None:
    features = PhysicalFeatures(SimpleNamespace(physical_names=NAMES, physical_scaling=SCALING))  # type: ignore[arg-type]
    rows = {"physical": torch.rand(500, 4)}
    features.learn(SimpleNamespace(row_batches=lambda: [rows]))  # type: ignore[arg-type]
    values = features(rows["physical"])
    assert values.mean(0).abs().max() < 1e-4
    assert (values.std(0) - 1.0).abs().max() < 0.01

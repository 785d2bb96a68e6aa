"""What the tests of trainings and of what is made from them share."""

from __future__ import annotations

from typing import Any

import pytest
from trainings import train

from chemnet.verbs.train import TrainResult


@pytest.fixture
def autoencoder(undrawn: None, tiny: Any) -> TrainResult:
    """A trained autoencoder in the results folder of `tiny`."""
    return train(tiny())

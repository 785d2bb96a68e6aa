"""Emulators around an autoencoder of the made tracers: untrained networks, which is enough for their maps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from chemnet.models.contract import build_model

# small enough for a test, whatever the defaults are
SMALL: dict[str, dict[str, Any]] = {
    "LatentEmulator": {"hidden": [16]},
    "DirectEmulator": {"hidden": [16]},
    "LatentODE": {"hidden": [16]},
    "LatentRNN": {"hidden": 16},
    "LatentNeuralOperator": {"channels": 8, "blocks": 2},
    "LatentRelaxation": {"hidden": [16]},
    "DirectRelaxation": {"hidden": [16]},
}


@pytest.fixture
def autoencoder(tiny: Any, row_description: Any, training_rows: Any) -> Any:
    """An untrained autoencoder whose latents are scaled."""
    torch.manual_seed(0)
    model = build_model(tiny({"model.Autoencoder.dropout": 0.2}), row_description)
    model.after_training(training_rows)
    return model.eval()


@pytest.fixture
def make_emulator(
    tiny: Any, window_description: Any, autoencoder: Any, training_rows: Any
) -> Callable[..., Any]:
    """Return a function that builds an emulator by name, with standardised latents and random weights."""

    def make(name: str, **options: Any) -> Any:
        torch.manual_seed(1)
        chosen = {**SMALL.get(name, {}), **options}
        changes = {f"model.{name}.{key}": value for key, value in chosen.items()}
        config = tiny({"model.name": name, **changes})
        model = build_model(config, window_description, autoencoder)
        for parameter in model.parameters():
            # what starts at zero would hide mistakes
            if parameter.requires_grad and not parameter.any():
                torch.nn.init.normal_(parameter, std=0.1)
        model.before_training(training_rows)
        return model

    return make

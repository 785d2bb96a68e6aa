"""Networks of every kind around the made tracers: untrained ones that move."""

from __future__ import annotations

from typing import Any

import torch

from chemnet.models.contract import build_model
from chemnet.surrogate.predictor import Parts

SMALL: dict[str, dict[str, Any]] = {
    "LatentEmulator": {"hidden": [17, 16]},
    "DirectEmulator": {"hidden": [17, 16]},
    "LatentODE": {"hidden": [16]},
    "LatentRNN": {"hidden": 17},
    "LatentNeuralOperator": {"channels": 8, "blocks": 2},
    "LatentRelaxation": {"hidden": [17, 16]},
    "DirectRelaxation": {"hidden": [17, 16]},
}


def make_autoencoder(config: Any, data: Any, training_rows: Any) -> Any:
    """Return the configured autoencoder with random weights and scaled latents."""
    torch.manual_seed(0)
    model: Any = build_model(config, data)
    model.before_training(training_rows)
    for parameter in model.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.5)
    model.after_training(training_rows)
    return model.eval()


def make_parts(
    configure: Any, data: Any, training_rows: Any, autoencoder: Any, name: str, **options: Any
) -> Parts:
    """Return the networks of a surrogate around an autoencoder, by the emulator's name."""
    chosen = {f"model.{name}.{key}": value for key, value in {**SMALL[name], **options}.items()}
    emulator: Any = build_model(configure({"model.name": name, **chosen}), data, autoencoder)
    _shake(emulator)
    emulator.before_training(training_rows)
    if emulator.role == "direct_emulator":
        return Parts(emulator, None, None, emulator.data)
    return Parts(emulator, autoencoder, autoencoder, emulator.data)


def _shake(model: Any) -> None:
    """Give what starts at zero, which would hide mistakes, random values of the size of trained ones."""
    for parameter in model.parameters():
        if parameter.requires_grad and not parameter.any():
            torch.nn.init.normal_(parameter, std=0.02)

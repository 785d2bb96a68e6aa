"""The fused rollout of a residual perceptron is the repeated step, gradient included."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.testing import assert_close

from chemnet.models.fast.residual_rollout import fused_activation, residual_rollout
from chemnet.models.layers import perceptron


@pytest.mark.parametrize("hidden", [(7,), (7, 6, 5)])
@pytest.mark.parametrize("name", ["gelu", "silu", "relu", "tanh"])
def test_the_fused_rollout_and_its_gradient_are_those_of_repeated_steps(
    name: str, hidden: tuple[int, ...]
) -> None:
    torch.manual_seed(0)
    network = perceptron((4 + 3, *hidden, 3), name, 0.0).double()
    start = torch.randn(5, 3).double().requires_grad_()
    drive = torch.randn(5, 6, 4).double().requires_grad_()
    gate, weights = torch.rand(5, 6, 1).double(), torch.randn(5, 6, 3).double()
    activation = fused_activation(network)
    assert activation is not None
    latents = [start]
    for i in range(6):
        latents.append(latents[-1] + gate[:, i] * network(torch.cat([drive[:, i], latents[-1]], dim=-1)))
    repeated = torch.stack(latents[1:], dim=1)
    fused = residual_rollout(network, activation, start, drive, gate)
    assert fused is not None
    assert_close(fused, repeated)
    inputs = [start, drive, *network.parameters()]
    gradients = [torch.autograd.grad((result * weights).sum(), inputs) for result in (fused, repeated)]
    assert_close(gradients[0], gradients[1])


def test_dropout_or_unlike_activations_are_not_fused() -> None:
    assert fused_activation(perceptron((3, 4, 2), "gelu", 0.1)) is None
    mixed = torch.nn.Sequential(*perceptron((3, 4, 4), "gelu", 0.0), *perceptron((4, 4, 2), "relu", 0.0))
    assert fused_activation(mixed) is None


@pytest.mark.parametrize("name", ["LatentEmulator", "DirectEmulator"])
def test_training_takes_the_fused_rollout_and_has_the_gradient_of_the_plain_one(
    make_emulator: Any, window_description: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_emulator(name, use_dt=True).train()
    gradients = []
    for plain in (False, True):
        if plain:
            monkeypatch.setattr(model, "fused_rollout", lambda *given: None)
        model.zero_grad()
        loss, _ = model.train_batch(window_description.sample)
        loss.backward()
        gradients.append(
            {key: value.grad for key, value in model.named_parameters() if value.grad is not None}
        )
    assert gradients[0].keys() == gradients[1].keys()
    for key, gradient in gradients[0].items():
        assert_close(gradient, gradients[1][key], rtol=1e-3, atol=1e-5)

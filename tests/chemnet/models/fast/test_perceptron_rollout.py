"""A fast rollout is the repeated step, gradient included, compiled or fused; or it says that it is not."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from chemnet.models.fast import kernel_choice, perceptron_rollout
from chemnet.models.fast.perceptron_rollout import RolloutForm, fast_rollout, hidden_activation
from chemnet.models.layers import perceptron, remaining_distance


def repeated(form: RolloutForm, network: Any, start: Tensor, forcing: Tensor, steps: Tensor) -> Tensor:
    latents = [start]
    for i in range(forcing.shape[1]):
        answer = network(torch.cat([forcing[:, i], latents[-1]], dim=-1))
        if form.relaxes:
            target, rate = answer.chunk(2, dim=-1)
            remaining = remaining_distance(rate, steps[:, i, None])
            latents.append(target + (latents[-1] - target) * remaining)
        else:
            latents.append(latents[-1] + steps[:, i, None] * answer)
    return torch.stack(latents[1:], dim=1)


@pytest.mark.parametrize("hidden", [(7,), (7, 6, 5)], ids=str)
@pytest.mark.parametrize("name", ["gelu", "silu", "relu", "tanh"])
@pytest.mark.parametrize("relaxes", [False, True], ids=["residual", "relaxing"])
def test_the_fused_rollout_and_its_gradient_are_those_of_repeated_steps(
    relaxes: bool, name: str, hidden: tuple[int, ...]
) -> None:
    torch.manual_seed(0)
    network = perceptron((4 + 3, *hidden, (1 + relaxes) * 3), name, 0.0).double()
    start = torch.randn(5, 3).double().requires_grad_()
    forcing = torch.randn(5, 6, 4).double().requires_grad_()
    steps, weights = torch.rand(5, 6).double(), torch.randn(5, 6, 3).double()
    form, layers = RolloutForm(relaxes, name), [(layer.weight, layer.bias) for layer in network[::3]]
    fused = fast_rollout(form, start, forcing, steps, layers, None)
    assert fused is not None
    assert fused.grad_fn is not None
    plain = repeated(form, network, start, forcing, steps)
    assert_close(fused, plain)
    inputs = [start, forcing, *network.parameters()]
    gradients = [torch.autograd.grad((result * weights).sum(), inputs) for result in (fused, plain)]
    assert_close(gradients[0], gradients[1])


def test_dropout_or_unlike_activations_are_not_fused() -> None:
    assert hidden_activation(perceptron((3, 4, 2), "gelu", 0.1)) is None
    mixed = torch.nn.Sequential(*perceptron((3, 4, 4), "gelu", 0.0), *perceptron((4, 4, 2), "relu", 0.0))
    assert hidden_activation(mixed) is None


@pytest.mark.parametrize("way", ["compiled", "fused"])
@pytest.mark.parametrize("name", ["LatentEmulator", "DirectEmulator", "LatentRelaxation", "DirectRelaxation"])
def test_training_takes_a_fast_rollout_and_has_the_gradient_of_the_plain_one(
    make_emulator: Any, window_description: Any, name: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_emulator(name, use_dt=True).train()
    if way == "fused":
        monkeypatch.setattr(perceptron_rollout, "can_compile", lambda *tensors: False)
    taken, gradients = [], []
    repeated_steps = model.repeated_steps
    monkeypatch.setattr(
        model, "repeated_steps", lambda *given: taken.append("plain") or repeated_steps(*given)
    )
    for switch in ("1", "0"):
        monkeypatch.setenv(kernel_choice.SWITCH, switch)
        model.zero_grad()
        loss, _ = model.train_batch(window_description.sample)
        loss.backward()
        gradients.append(
            {key: value.grad for key, value in model.named_parameters() if value.grad is not None}
        )
    assert taken == ["plain"]
    assert gradients[0].keys() == gradients[1].keys()
    for key, gradient in gradients[0].items():
        assert_close(gradient, gradients[1][key], rtol=1e-3, atol=1e-5)


def test_clamped_latents_that_no_compiled_loop_takes_are_left_to_repeated_steps() -> None:
    layers = [(layer.weight, layer.bias) for layer in perceptron((3, 4, 1), "gelu", 0.0).double()[::3]]
    given = (torch.zeros(2, 1).double(), torch.zeros(2, 5, 2).double(), torch.ones(2, 5).double(), layers)
    assert fast_rollout(RolloutForm(False, "gelu"), *given, torch.zeros(2, 1).double()) is None
    assert fast_rollout(RolloutForm(False, "gelu"), *given, None) is not None


@pytest.mark.parametrize("relaxes", [False, True], ids=["residual", "relaxing"])
@pytest.mark.parametrize("way", ["compiled", "fused"])
def test_under_autocast_it_computes_in_the_precision_of_the_state(
    relaxes: bool, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way == "fused":
        monkeypatch.setattr(perceptron_rollout, "can_compile", lambda *tensors: False)
    torch.manual_seed(0)
    network = perceptron((4 + 3, 8, (1 + relaxes) * 3), "silu", 0.0)
    layers = [(layer.weight, layer.bias) for layer in network[::3]]
    start, forcing, steps = torch.randn(2, 3), torch.randn(2, 5, 4), torch.ones(2, 5)
    form = RolloutForm(relaxes, "silu")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = fast_rollout(form, start, forcing.bfloat16(), steps, layers, None)
        assert found is not None
        found.sum().backward()
    assert found.dtype == torch.float32
    assert_close(found, repeated(form, network, start, forcing.bfloat16().float(), steps))

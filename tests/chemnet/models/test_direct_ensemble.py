"""Direct emulators learn at once what each would learn alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from chemnet.errors import ConfigError
from chemnet.models.base import build_model

Make = Any


@pytest.fixture
def make_ensemble(tiny: Any, window_description: Any, training_rows: Any) -> Make:
    """Return a function that builds an ensemble of small members."""

    def make(member: str, **table: Any) -> Any:
        torch.manual_seed(1)
        changes = {f"model.DirectEnsemble.{key}": value for key, value in table.items()}
        config = tiny(
            {
                "model.name": "DirectEnsemble",
                "model.DirectEnsemble.member": member,
                "model.DirectRelaxation.hidden": [16],
                "model.DirectEmulator.hidden": [16],
                **changes,
            }
        )
        ensemble = build_model(config, window_description)
        for parameter in ensemble.parameters():
            if not parameter.any():
                torch.nn.init.normal_(parameter, std=0.1)
        ensemble.before_training(training_rows)
        return ensemble

    return make


@pytest.mark.parametrize("member", ["DirectRelaxation", "DirectEmulator"])
def test_members_learn_what_each_would_learn_alone(
    make_ensemble: Make, window_description: Any, member: str
) -> None:
    batch = dict(window_description.sample)
    ensemble = make_ensemble(member, size=2, resample=False).eval()
    loss, _ = ensemble.train_batch(batch)
    loss.backward()
    for one in ensemble.members:
        together = [parameter.grad.clone() for parameter in one.parameters()]
        one.zero_grad()
        alone, _ = one.train_batch(batch)
        (alone / 2).backward()
        for parameter, gradient in zip(one.parameters(), together, strict=True):
            torch.testing.assert_close(gradient, parameter.grad, rtol=1e-3, atol=1e-6)


def test_what_it_infers_is_the_mean_of_the_logarithms(make_ensemble: Make, window_description: Any) -> None:
    batch = dict(window_description.sample)
    ensemble = make_ensemble("DirectRelaxation", size=3).eval()
    each = [member.infer_batch(batch)["latent"].clamp(0.0, 1.0) for member in ensemble.members]
    torch.testing.assert_close(ensemble.infer_batch(batch)["abundance"], torch.stack(each).mean(dim=0))


@pytest.mark.parametrize("member", ["LatentEmulator", "Autoencoder", "DirectEnsemble"])
def test_members_are_direct_emulators(make_ensemble: Make, member: str) -> None:
    with pytest.raises(ConfigError, match="is no direct emulator") as caught:
        make_ensemble(member)
    assert "DirectRelaxation" in str(caught.value)

"""Direct emulators learn at once what each would learn alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from chemnet.errors import ConfigError
from chemnet.models.contract import build_model
from chemnet.models.fast import perceptron_rollout

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


@pytest.fixture(params=[True, False], ids=["compiled loops", "PyTorch's operations"])
def _either_rollout(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perceptron_rollout, "can_compile", lambda *tensors: request.param)


@pytest.mark.usefixtures("_either_rollout")
@pytest.mark.parametrize("member", ["DirectRelaxation", "DirectEmulator"])
def test_members_learn_what_each_would_learn_alone(
    make_ensemble: Make, window_description: Any, member: str
) -> None:
    batch = dict(window_description.sample)
    # dropout and noise are off by default: in training, so that the fused rollout is taken
    ensemble = make_ensemble(member, size=2, resample=False).train()
    loss, _ = ensemble.train_batch(batch)
    loss.backward()
    for one in ensemble.members:
        together = [parameter.grad.clone() for parameter in one.parameters()]
        one.zero_grad()
        alone, _ = one.train_batch(batch)
        (alone / 2).backward()
        for parameter, gradient in zip(one.parameters(), together, strict=True):
            torch.testing.assert_close(gradient, parameter.grad, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("member", ["DirectRelaxation", "DirectEmulator"])
def test_members_learn_in_half_precision(make_ensemble: Make, window_description: Any, member: str) -> None:
    batch = dict(window_description.sample)
    ensemble = make_ensemble(member, size=2, resample=False).train()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss, _ = ensemble.train_batch(batch)
        with torch.no_grad():
            validated = ensemble.eval().validate_batch(batch)[0]
    loss.backward()
    torch.testing.assert_close(validated, ensemble.validate_batch(batch)[0], rtol=0.1, atol=0.0)
    torch.testing.assert_close(loss, ensemble.train().train_batch(batch)[0], rtol=0.1, atol=0.0)
    assert all(parameter.grad.isfinite().all() for parameter in ensemble.parameters())
    assert all(parameter.grad.any() for parameter in ensemble.parameters())


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


def test_a_member_that_does_not_exist_is_answered_with_those_that_fit(make_ensemble: Make) -> None:
    with pytest.raises(ConfigError, match="'DirectEmulater' is no direct emulator") as caught:
        make_ensemble("DirectEmulater")
    assert "'DirectEmulator'" in str(caught.value)
    assert "Latent" not in str(caught.value)


def test_a_member_by_a_dotted_name_that_cannot_be_imported_is_named(make_ensemble: Make) -> None:
    with pytest.raises(ConfigError, match="no_such_package"):
        make_ensemble("no_such_package.Emulator")

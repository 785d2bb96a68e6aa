"""Members are trained at once as each would be alone."""

from __future__ import annotations

import pytest
import torch

from chemnet.errors import ConfigError
from chemnet.models.contract import build_model
from chemnet.models.fast import perceptron_rollout

# small enough for a test
SMALL = {
    "LatentEmulator": {"hidden": [16]},
    "LatentODE": {"hidden": [16]},
    "LatentRNN": {"hidden": 16},
    "LatentNeuralOperator": {"channels": 8, "blocks": 2},
    "LatentRelaxation": {"hidden": [16]},
}


@pytest.fixture
def window_batch(window_description):
    return dict(window_description.sample)


@pytest.fixture
def make_ensemble(tiny, window_description, autoencoder, training_rows):
    """Return a function that builds an ensemble of small members."""

    def make(member, *, size=2, resample=True, **options):
        torch.manual_seed(1)
        changes = {
            f"model.{member}.{key}": value for key, value in {**SMALL.get(member, {}), **options}.items()
        }
        table = {"member": member, "size": size, "resample": resample}
        changes |= {f"model.LatentEnsemble.{key}": value for key, value in table.items()}
        config = tiny({"model.name": "LatentEnsemble", **changes})
        ensemble = build_model(config, window_description, autoencoder)
        for parameter in ensemble.parameters():
            if not parameter.any():
                torch.nn.init.normal_(parameter, std=0.1)
        ensemble.before_training(training_rows)
        return ensemble

    return make


MEMBERS = ["LatentEmulator", "LatentRNN", "LatentNeuralOperator", "LatentODE"]


@pytest.mark.parametrize("member", MEMBERS)
def test_members_learn_what_each_would_learn_alone(make_ensemble, window_batch, member):
    ensemble = make_ensemble(member, size=3, resample=False).eval()
    loss, terms = ensemble.train_batch(window_batch)
    loss.backward()
    gradients = [[p.grad.clone() for p in one.parameters()] for one in ensemble.members]
    losses = []
    for one, together in zip(ensemble.members, gradients, strict=True):
        one.zero_grad()
        alone, _ = one.train_batch(window_batch)
        (alone / 3).backward()
        losses.append(alone.detach())
        for parameter, gradient in zip(one.parameters(), together, strict=True):
            torch.testing.assert_close(gradient, parameter.grad, rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(loss.detach(), torch.stack(losses).mean())
    assert all(term.ndim == 0 for term in terms.values())


@pytest.mark.parametrize("compiles", [True, False])
@pytest.mark.parametrize("member", ["LatentRelaxation", "LatentEmulator"])
def test_so_they_do_by_fused_rollouts(make_ensemble, window_batch, member, compiles, monkeypatch):
    monkeypatch.setattr(perceptron_rollout, "can_compile", lambda *tensors: compiles)
    ensemble = make_ensemble(member, size=2, resample=False).train()
    weights = [[p for p in one.parameters() if p.requires_grad] for one in ensemble.members]
    loss, _ = ensemble.train_batch(window_batch)
    together = [torch.autograd.grad(loss, own, retain_graph=True) for own in weights]
    for one, own, gradients in zip(ensemble.members, weights, together, strict=True):
        alone = torch.autograd.grad(one.train_batch(window_batch)[0] / 2, own)
        torch.testing.assert_close(gradients, alone, rtol=1e-3, atol=1e-6)


def test_members_start_apart_and_share_what_was_learned_of_the_data(make_ensemble):
    first, second = make_ensemble("LatentEmulator", size=2).members
    assert not torch.equal(first.step.change[0].weight, second.step.change[0].weight)
    torch.testing.assert_close(first.space.width, second.space.width)
    assert (first.space.width != 1.0).any()


def test_resampled_members_see_different_windows(make_ensemble, window_batch):
    ensemble = make_ensemble("LatentEmulator", size=2)
    drawn = ensemble._drawn(window_batch)
    shape = window_batch["abundance"].shape
    assert drawn["abundance"].shape == (2, *shape)
    assert not torch.equal(drawn["abundance"][0], drawn["abundance"][1])
    known = {row.numpy().tobytes() for row in window_batch["abundance"]}
    assert {row.numpy().tobytes() for row in drawn["abundance"].flatten(0, 1)} <= known


def test_an_ensemble_of_one_infers_and_validates_as_its_member(make_ensemble, window_batch):
    ensemble = make_ensemble("LatentEmulator", size=1).eval()
    member = ensemble.members[0]
    torch.testing.assert_close(ensemble.validate_batch(window_batch), member.validate_batch(window_batch))
    latent = member.infer_batch(window_batch)["latent"]
    inferred = ensemble.infer_batch(window_batch)
    torch.testing.assert_close(inferred["latent"], latent)
    torch.testing.assert_close(inferred["abundance"], member.decode(latent).clamp(0.0, 1.0))
    torch.testing.assert_close(ensemble(window_batch)[0], member(window_batch))


def test_it_infers_the_mean_of_the_logarithms_that_its_members_decode(make_ensemble, window_batch):
    ensemble = make_ensemble("LatentEmulator", size=3).eval()
    each = [member.decode(member.infer_batch(window_batch)["latent"]) for member in ensemble.members]
    expected = torch.stack([scaled.clamp(0.0, 1.0) for scaled in each]).mean(dim=0)
    torch.testing.assert_close(ensemble.infer_batch(window_batch)["abundance"], expected)


@pytest.mark.parametrize(
    ("member", "message"),
    [
        ("DirectEmulator", "is no emulator of latents"),
        ("Autoencoder", "is no emulator of latents"),
        ("LatentEnsemble", "is no emulator of latents"),
    ],
)
def test_members_are_emulators_of_latents(make_ensemble, member, message):
    with pytest.raises(ConfigError, match=message):
        make_ensemble(member)


def test_members_share_one_frozen_autoencoder(make_ensemble):
    with pytest.raises(ConfigError, match="train_autoencoder=false"):
        make_ensemble("LatentEmulator", train_autoencoder=True)

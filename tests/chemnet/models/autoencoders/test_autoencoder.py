from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from chemnet.errors import ConfigError
from chemnet.models.contract import build_model

FORMS = [
    {},
    {"norm": "layer"},
    {"norm": "none"},
    {"latent_activation": "gelu", "output": "sigmoid"},
    {"hidden": []},
    {"hidden": [], "norm": "none", "output": "sigmoid"},
]


def autoencoder(tiny: Any, data: Any, **options: Any) -> Any:
    torch.manual_seed(0)
    return build_model(tiny({f"model.Autoencoder.{key}": value for key, value in options.items()}), data)


def trained_a_little(model: Any, batch: Any, steps: int = 30) -> Any:
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(steps):
        optimizer.zero_grad()
        model.train_batch(batch)[0].backward()
        optimizer.step()
    return model


@pytest.mark.parametrize("options", FORMS)
def test_shapes_and_gradients(tiny: Any, row_description: Any, options: dict[str, Any]) -> None:
    model, batch = autoencoder(tiny, row_description, **options), row_description.sample
    loss, terms = model.train_batch(batch)
    loss.backward()
    assert loss.isfinite()
    assert terms
    # a bias that a normalisation cancels would have none
    assert all(parameter.grad.abs().sum() > 0.0 for parameter in model.parameters())
    assert model(batch).shape == (32, 12)
    assert model.infer_batch(batch)["latent"].shape == (32, 3)


def test_the_decoder_has_the_encoders_weights(tiny: Any, row_description: Any) -> None:
    model = autoencoder(tiny, row_description)
    assert sum(parameter.ndim == 2 for parameter in model.parameters()) == 3
    assert (
        sum(parameter.numel() for parameter in model.parameters()) == 12 * 16 + 16 * 12 + 12 * 3 + 4 * 28 + 12
    )


@pytest.mark.parametrize("options", FORMS)
def test_inference_computes_the_same_with_everything_folded(
    tiny: Any, row_description: Any, training_rows: Any, options: dict[str, Any]
) -> None:
    batch = row_description.sample
    model = trained_a_little(autoencoder(tiny, row_description, **options), batch)
    model.after_training(training_rows)
    model.eval()
    folded = model.for_inference()
    latent = model.encode(batch["abundance"])
    torch.testing.assert_close(folded.encode(batch["abundance"]), latent, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(folded.decode(latent), model.decode(latent), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        folded.infer_batch(batch)["latent"], model.infer_batch(batch)["latent"], rtol=1e-4, atol=1e-5
    )
    assert not any(isinstance(layer, nn.BatchNorm1d) for layer in folded.modules())


def test_the_reconstruction_is_the_decoded_encoding(
    tiny: Any, row_description: Any, training_rows: Any
) -> None:
    model = trained_a_little(autoencoder(tiny, row_description), row_description.sample)
    model.after_training(training_rows)
    model.eval()
    abundance = row_description.sample["abundance"]
    torch.testing.assert_close(model.decode(model.encode(abundance)), model({"abundance": abundance}))


def test_windows_are_encoded_and_decoded_as_their_rows(tiny: Any, row_description: Any) -> None:
    model = autoencoder(tiny, row_description).eval()
    rows = row_description.sample["abundance"]
    latent = model.encode(rows.unflatten(0, (4, 8)))
    torch.testing.assert_close(latent.flatten(0, 1), model.encode(rows))
    torch.testing.assert_close(model.decode(latent).flatten(0, 1), model.decode(model.encode(rows)))


def test_latents_have_no_hard_minimum(tiny: Any, row_description: Any) -> None:
    latents = autoencoder(tiny, row_description)._bottleneck(row_description.sample["abundance"])
    assert (latents.amin(0) < -0.5).all()


def test_the_output_reaches_the_floor_and_a_sigmoid_does_not(tiny: Any, row_description: Any) -> None:
    abundance = torch.zeros_like(row_description.sample["abundance"])
    for output, reached in (("linear", True), ("sigmoid", False)):
        model = autoencoder(tiny, row_description, output=output, norm="none")
        with torch.no_grad():
            model.output_bias.fill_(-3.0)
        assert bool((model({"abundance": abundance}) <= 0.0).all()) is reached


def test_training_starts_at_the_mean_of_the_split(
    tiny: Any, row_description: Any, training_rows: Any
) -> None:
    mean = training_rows.batch["abundance"].mean(0)
    model = autoencoder(tiny, row_description)
    model.before_training(training_rows)
    torch.testing.assert_close(model.output_bias.detach(), mean)
    model = autoencoder(tiny, row_description, output="sigmoid")
    model.before_training(training_rows)
    torch.testing.assert_close(torch.sigmoid(model.output_bias.detach()), mean.clamp(1e-3, 1 - 1e-3))


def test_latents_fill_the_unit_range_and_an_outlier_does_not_set_it(
    tiny: Any, row_description: Any, training_rows: Any
) -> None:
    model = autoencoder(tiny, row_description)
    model.after_training(training_rows)
    latents = model.eval().encode(training_rows.batch["abundance"])
    for quantile, edge in ((0.005, 0.0), (0.995, 1.0)):
        assert latents.quantile(quantile, dim=0).tolist() == pytest.approx([edge] * 3, abs=0.05)


def test_noise_and_dropout_act_in_training_only(tiny: Any, row_description: Any) -> None:
    model = autoencoder(tiny, row_description, latent_noise=0.5, dropout=0.5)
    batch = row_description.sample
    assert not torch.equal(model(batch), model(batch))
    model.eval()
    assert torch.equal(model(batch), model(batch))


def test_the_last_product_keeps_full_precision_under_autocast(tiny: Any, row_description: Any) -> None:
    model, batch = autoencoder(tiny, row_description).eval(), row_description.sample
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = model(batch)
    assert mixed.dtype == torch.float32
    torch.testing.assert_close(mixed, model(batch), rtol=0.0, atol=0.05)


@pytest.mark.parametrize("key", ["activation", "norm", "output"])
def test_an_unknown_choice_is_refused(tiny: Any, row_description: Any, key: str) -> None:
    with pytest.raises(ConfigError, match="batchnorm"):
        autoencoder(tiny, row_description, **{key: "batchnorm"})

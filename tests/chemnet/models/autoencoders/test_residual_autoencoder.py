from __future__ import annotations

from typing import Any

import pytest
import torch

from chemnet.models.contract import build_model


def build(tiny: Any, data: Any, name: str = "ResidualAutoencoder", **options: Any) -> Any:
    torch.manual_seed(0)
    changes = {f"model.{name}.{key}": value for key, value in {"latent_dim": 3, **options}.items()}
    return build_model(tiny({"model.name": name, **changes}), data)


@pytest.fixture
def fitted(tiny: Any, row_description: Any, training_rows: Any) -> Any:
    model = build(tiny, row_description, hidden=[16, 12])
    model.before_training(training_rows)
    return model


def test_it_begins_as_principal_components(
    fitted: Any, tiny: Any, row_description: Any, training_rows: Any
) -> None:
    linear = build(tiny, row_description, "PCAAutoencoder")
    linear.before_training(training_rows)
    batch = row_description.sample
    torch.testing.assert_close(fitted(batch), linear(batch), rtol=0.0, atol=1e-5)


def test_its_first_latents_have_unit_variance(fitted: Any, training_rows: Any) -> None:
    raw = fitted._compress(training_rows.batch["abundance"])
    assert raw.mean(0).tolist() == pytest.approx([0.0] * 3, abs=1e-3)
    assert raw.std(0).tolist() == pytest.approx([1.0] * 3, rel=1e-2)


def test_training_goes_below_principal_components(fitted: Any, row_description: Any) -> None:
    batch = row_description.sample
    optimizer = torch.optim.Adam(fitted.parameters(), lr=3e-3)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss, _ = fitted.train_batch(batch)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
    # once the last layers have left zero, everything learns
    assert all(parameter.grad.abs().sum() > 0.0 for parameter in fitted.parameters())


def test_the_reconstruction_is_the_decoded_encoding_also_of_windows(
    fitted: Any, row_description: Any, training_rows: Any
) -> None:
    fitted.after_training(training_rows)
    rows = row_description.sample["abundance"]
    windows = fitted.decode(fitted.encode(rows.unflatten(0, (4, 8))))
    torch.testing.assert_close(windows.flatten(0, 1), fitted({"abundance": rows}), rtol=0.0, atol=1e-5)
    latents = fitted.encode(training_rows.batch["abundance"])
    for quantile, edge in ((0.005, 0.0), (0.995, 1.0)):
        assert latents.quantile(quantile, dim=0).tolist() == pytest.approx([edge] * 3, abs=0.05)


def test_noise_acts_in_training_only(tiny: Any, row_description: Any) -> None:
    model, batch = build(tiny, row_description, latent_noise=0.5), row_description.sample
    assert not torch.equal(model(batch), model(batch))
    model.eval()
    assert torch.equal(model(batch), model(batch))


def test_the_products_that_give_abundances_keep_full_precision_under_autocast(
    fitted: Any, row_description: Any
) -> None:
    batch = row_description.sample
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = fitted.eval()(batch)
    assert mixed.dtype == torch.float32
    torch.testing.assert_close(mixed, fitted(batch), rtol=0.0, atol=0.05)

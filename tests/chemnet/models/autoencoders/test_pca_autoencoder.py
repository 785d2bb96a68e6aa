from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from chemnet.errors import ConfigError
from chemnet.models.contract import build_model


def pca_autoencoder(tiny: Any, data: Any, latent_dim: int = 4) -> Any:
    changes = {"model.name": "PCAAutoencoder", "model.PCAAutoencoder.latent_dim": latent_dim}
    return build_model(tiny(changes), data)


@pytest.fixture
def fitted(tiny: Any, row_description: Any, training_rows: Any) -> Any:
    model = pca_autoencoder(tiny, row_description)
    model.before_training(training_rows)
    return model


def test_the_reconstruction_is_that_of_scikit_learn(fitted: Any, training_rows: Any) -> None:
    rows = training_rows.batch["abundance"]
    exact = PCA(4, svd_solver="full").fit(rows.double().numpy())
    wanted = exact.inverse_transform(exact.transform(rows.double().numpy()))
    np.testing.assert_allclose(fitted.decode(fitted.encode(rows)).numpy(), wanted, atol=2e-5)


def test_both_maps_are_linear_and_as_many_latents_as_species_lose_nothing(
    tiny: Any, row_description: Any, training_rows: Any
) -> None:
    model = pca_autoencoder(tiny, row_description, latent_dim=12)
    model.before_training(training_rows)
    rows = training_rows.batch["abundance"]
    torch.testing.assert_close(model.decode(model.encode(rows)), rows, rtol=0.0, atol=1e-4)
    middle = model.encode(0.5 * (rows[:10] + rows[10:20]))
    wanted = 0.5 * (model.encode(rows[:10]) + model.encode(rows[10:20]))
    torch.testing.assert_close(middle, wanted, rtol=1e-3, atol=1e-3)


def test_latents_fill_the_unit_range(fitted: Any, training_rows: Any) -> None:
    latents = fitted.encode(training_rows.batch["abundance"])
    for quantile, edge in ((0.005, 0.0), (0.995, 1.0)):
        assert latents.quantile(quantile, dim=0).tolist() == pytest.approx([edge] * 4, abs=0.05)


def test_components_are_orthonormal_with_a_definite_sign(fitted: Any) -> None:
    components = fitted.components
    torch.testing.assert_close(components @ components.T, torch.eye(4), rtol=0.0, atol=1e-5)
    largest = components.gather(1, components.abs().argmax(1, keepdim=True))
    assert (largest > 0).all()


def test_nothing_in_it_asks_for_a_gradient(fitted: Any, row_description: Any) -> None:
    assert fitted.closed_form
    assert not fitted.train_batch(row_description.sample)[0].requires_grad
    assert sum(parameter.numel() for parameter in fitted.parameters()) == 12 + 4 * 12


def test_more_latents_than_species_are_refused(tiny: Any, row_description: Any) -> None:
    with pytest.raises(ConfigError, match="latent_dim = 13, but there are 12 species"):
        pca_autoencoder(tiny, row_description, latent_dim=13)

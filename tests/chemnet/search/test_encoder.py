"""Abundances and latents meet through the autoencoder that made the database."""

from __future__ import annotations

import numpy as np
import pytest
from command_line import chemnet
from workspace import make_workspace

from chemnet.data.infer_result.inference_dataset import InferenceDataset
from chemnet.results import ResultDirectory
from chemnet.search.encoder import StateEncoder


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """A workspace with a trained autoencoder, its latents and their database; and the last two results."""
    workspace = make_workspace(tmp_path_factory.mktemp("encoder"))
    for verb in ("preprocess", "train"):
        workspace.result(verb, "train.epochs=1")
    infer = workspace.result("infer", "infer.split=all")
    return workspace, InferenceDataset(infer), ResultDirectory.open(workspace.result("save_to_database"))


def test_abundances_of_a_known_state_are_encoded_to_its_latent(chain):
    _, data, database = chain
    row = int(np.flatnonzero(data.rows["split"] == data.splits.index("test"))[3])
    latent = StateEncoder(database).encode(data.truth([row])[0])
    np.testing.assert_allclose(latent, data.latents[row], atol=1e-4)


def test_a_latent_is_decoded_to_abundances(chain):
    _, data, database = chain
    abundances = StateEncoder(database).decode(data.latents[10])
    assert abundances.shape == (len(data.species),)
    assert ((abundances >= 1e-20) & (abundances <= 1.0)).all()


def test_lookup_by_abundances_finds_the_state_that_they_came_from(chain, tmp_path):
    workspace, data, _ = chain
    row = int(np.flatnonzero(data.rows["split"] == data.splits.index("test"))[3])
    lines = [
        f"{name},{value!r}" for name, value in zip(data.species, data.truth([row])[0].tolist(), strict=True)
    ]
    (tmp_path / "cell.csv").write_text("\n".join(lines))
    answer = workspace.run("lookup", "--abundances", tmp_path / "cell.csv").answer
    assert answer["neighbours"][0]["id"] == data.ids()[row]
    assert answer["neighbours"][0]["differs"] == []


def test_lookup_by_vector_compares_with_what_the_vector_decodes_to(chain):
    workspace, data, database = chain
    text = ",".join(map(repr, data.latents[10].tolist()))
    outcome = chemnet("lookup", "-c", workspace.config, "--json", f"--vector={text}")
    nearest = outcome.answer["neighbours"][0]
    assert nearest["id"] == data.ids()[10]
    difference = nearest["differs"][0]
    decoded = StateEncoder(database).decode(data.latents[10])[data.species.index(difference["species"])]
    assert difference["query"] == pytest.approx(decoded, rel=1e-5)


def test_an_emulator_that_trained_its_autoencoder_along_encodes_with_it(chain):
    workspace, _, _ = chain
    along = ("model.name=LatentEmulator", "model.LatentEmulator.train_autoencoder=true", "optimizer.lr=0.03")
    workspace.result("train", "train.epochs=2", "train.component=along", *along)
    infer = workspace.result("infer", "infer.model_dir=along", "infer.split=test")
    database = workspace.result("save_to_database", f"vector_db.infer_dir={infer}")
    data = InferenceDataset(infer)
    # the first row of a rollout is the encoded state itself
    latent = StateEncoder(ResultDirectory.open(database)).encode(data.truth([0])[0])
    np.testing.assert_allclose(latent, data.latents[0], atol=1e-4)

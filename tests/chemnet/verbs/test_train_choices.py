"""`chemnet train` settles what is left open: the emulator, its network, its recipe, what it starts from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chemnet
from chemnet import ChemNet
from chemnet.errors import DataError, ModelError
from chemnet.evaluation.network_by_fit import find_network
from chemnet.models.weights import read_tensors

WORDS = (
    "general.device=cpu",
    "general.threads=1",
    "general.log_level=warning",
    "simulate.n_tracers=8",
    "simulate.n_steps=10",
    "simulate.end_time=3e4",
    "simulate.rtol=1e-2",
    "simulate.pre_phase_share=0.0",
    "simulate.pandas_layout=true",
    "simulate.workers=1",
    "preprocess.train_size=0.5",
    "preprocess.validate_size=0.25",
    "preprocess.test_size=0.25",
    "train.epochs=1",
    "mlflow.enabled=false",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tracers of the shipped network: simulated, and as the table that another program would have written."""
    made = tmp_path_factory.mktemp("choices")
    ChemNet(overrides=(f"general.results_dir={made / 'results'}", *WORDS)).simulate()
    return made


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chemnet.training.loop.train_component.write_curves", lambda *_: None)


def project(folder: Path, *words: str, own_table: bool = True) -> ChemNet:
    """The project, with the tracers as a table of which nobody knows the network."""
    table = next((folder / "results").glob("*simulate*/pandas/tracers.h5"))
    path = (f"data_set.path={table}",) if own_table else ()
    small = ("model.ImplicitEmulator.hidden=16", "model.DirectRelaxation.hidden=[16, 16]")
    return ChemNet(overrides=(f"general.results_dir={folder / 'results'}", *WORDS, *small, *path, *words))


def trained(folder: Path, *words: str, own_table: bool = True) -> Any:
    chem = project(folder, *words, own_table=own_table)
    chem.preprocess()
    return chem.train()


def test_a_table_of_a_network_that_chemnet_ships_finds_it(folder: Path) -> None:
    result = trained(folder, "model.name=emulator")
    table = result.directory.config["model"]["ImplicitEmulator"]
    assert result.summary["model"] == "ImplicitEmulator"
    assert (table["network"], table["uclchem_compatible"]) == ("collapse", False)
    assert result.directory.component == "emulator"
    # single steps, each once in an epoch: 4 tracers of 10 rows
    assert result.summary["items_per_epoch"] == 36


def test_an_implicit_emulator_by_name_finds_its_network_and_keeps_its_own_recipe(folder: Path) -> None:
    result = trained(folder, "model.name=ImplicitEmulator", "preprocess.window=8")
    assert result.directory.config["model"]["ImplicitEmulator"]["network"] == "collapse"
    assert result.directory.config["optimizer"]["name"] == "torch.optim.AdamW"


def test_simulated_tracers_remember_their_network_with_its_grains(folder: Path, tmp_path: Path) -> None:
    chem = ChemNet(overrides=(
        f"general.results_dir={tmp_path}", *WORDS, "simulate.grain.dust_to_gas=0.02", "simulate.n_tracers=4"
    ))  # fmt: skip
    chem.simulate()
    found = find_network(chem.preprocess().directory, chem.config)
    assert found is not None
    assert found.settings["grain"]["dust_to_gas"] == 0.02
    assert not found.disagreement.disagrees


def test_a_network_that_did_not_make_the_data_is_refused_with_the_disagreement(folder: Path) -> None:
    with pytest.raises(DataError, match=r"data_set\.network did not make these data: .* off by .* dex"):
        trained(
            folder, "model.name=emulator", "data_set.network=collapse",
            "simulate.rates.scale={FREEZE = 1e6, PHOTON = 1e6}",
        )  # fmt: skip


def test_without_a_network_the_relaxing_emulator_learns_and_a_line_says_what_one_would_bring(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("chemnet.evaluation.network_by_fit._shipped", lambda *_: iter(()))
    result = trained(folder, "model.name=emulator", "train.curriculum_start=2")
    assert result.summary["model"] == "DirectRelaxation"
    assert result.directory.config["train"]["ema_decay"] == 0.99
    assert "data_set.network=FOLDER" in capsys.readouterr().err


def test_a_training_goes_on_from_a_surrogate_with_the_species_in_another_order(folder: Path) -> None:
    first = trained(folder, "model.name=emulator")
    chem = project(folder)
    turned = list(reversed(chem.preprocess().data.species))
    result = project(folder, f"data_set.species={turned}", f"train.start_from={first.path}").train()
    data = result.directory.parent("preprocess").config["data_set"]
    assert list(data["species"]) == list(reversed(turned))
    assert result.summary["started_from"] == str(first.path)
    weights = [
        read_tensors(one.path / "weights.safetensors")["correction.first.weight"] for one in (first, result)
    ]
    # one epoch at the low rate of fine-tuning
    moved = (weights[1] - weights[0]).norm() / weights[0].norm()
    assert 0.0 < moved < 0.05


def test_fine_tuning_keeps_the_start_where_no_epoch_is_better(folder: Path) -> None:
    # of simulated tracers, which no path names
    first = trained(folder, "model.name=emulator", own_table=False)
    words = (f"train.start_from={first.path}", "'chemnet.training.muon.Muon'.lr=3.0")
    result = project(folder, *words, own_table=False).train()
    assert result.directory.parents["preprocess"].digest == first.directory.parents["preprocess"].digest
    assert result.summary["best_epoch"] == 0
    assert result.summary["validate_loss"] < result.metrics[0]["validate_loss"]
    files = [read_tensors(one.path / "weights.safetensors") for one in (first, result)]
    assert all((files[0][name] == files[1][name]).all() for name in files[0])


def test_one_command_preprocesses_and_goes_on(folder: Path, tmp_path: Path) -> None:
    saved = chemnet.Surrogate.load(trained(folder, "model.name=emulator").path).save(tmp_path / "saved")
    table = next((folder / "results").glob("*simulate*/pandas/tracers.h5"))
    chem = ChemNet(overrides=(
        f"general.results_dir={tmp_path / 'results'}", *WORDS, f"data_set.path={table}",
        f"train.start_from={saved}",
    ))  # fmt: skip
    result = chem.train()
    assert result.summary["started_from"] == str(saved)
    assert result.directory.config["model"]["ImplicitEmulator"]["hidden"] == 16


def test_other_species_are_refused_by_name(folder: Path) -> None:
    with pytest.raises(DataError, match=r"uclchem cannot go on with these tracers: they lack #C2, .*\(244\)"):
        project(folder, "train.start_from=uclchem", "surrogate.accuracy=fast").train()


def test_what_works_on_latents_is_no_start(folder: Path) -> None:
    trained(folder, "train.component=autoencoder")
    latent = trained(folder, "model.name=LatentEmulator", "train.component=latent", "preprocess.window=8")
    with pytest.raises(ModelError, match="latents of an autoencoder"):
        project(folder, f"train.start_from={latent.path}").train()


def test_an_ensemble_around_implicit_steps_shares_iterates_and_is_saved_with_its_network(
    folder: Path, tmp_path: Path
) -> None:
    result = trained(
        folder, "model.name=DirectEnsemble", "model.DirectEnsemble.member=ImplicitEmulator",
        "model.DirectEnsemble.size=2", "train.window=2", "preprocess.window=8",
    )  # fmt: skip
    model: Any = result.load_model()
    assert model.members[0].chemistry is model.members[1].chemistry
    # the result holds the network that it needs
    assert Path(model.members[0].table["network"]).parent == result.path
    surrogate = chemnet.Surrogate.load(result.path)
    test = surrogate_inputs(result)
    predicted = surrogate.emulate(*test)
    assert np.isfinite(predicted).all()
    saved = surrogate.save(tmp_path / "ensemble")
    assert (saved / "network").is_dir()
    moved = saved.rename(tmp_path / "moved")
    np.testing.assert_allclose(chemnet.Surrogate.load(moved).emulate(*test), predicted, rtol=1e-5)


def surrogate_inputs(result: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Histories of the test split: parameters, initial abundances and time steps."""
    from chemnet.data.preprocessed import PreprocessedData

    split = PreprocessedData(result.directory.parent("preprocess")).split("test")
    shape = (len(split.tracer_ids), -1)
    physical = split.raw_physical().reshape(*shape, 4)
    initial = split.raw_abundance().reshape(*shape, len(split.raw_abundance()[0]))[:, 0]
    return physical, initial, split.dt.reshape(shape)[:, :-1]

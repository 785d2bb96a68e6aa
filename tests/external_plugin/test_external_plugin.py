"""A package outside chemnet brings all that a package can bring; the CLI drives each piece of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from command_line import Outcome, chemnet_process, entries

PACKAGE = Path(__file__).parent / "chemnet_example_plugin"
DOTTED_MODEL = "chemnet_example_plugin.models.LinearAutoencoder"
DOTTED_DATASET = "chemnet_example_plugin.datasets.FreezeOut"
SHORT_RUN = ("train.epochs=2", "general.device=cpu", "mlflow.enabled=false", "--quiet", "--json")

Run = Callable[..., Outcome]


def found_in(folder: Path) -> dict[str, str]:
    """The environment of a process that finds packages in a folder, too."""
    return {"PYTHONPATH": os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The plugin, installed by pip into a folder of its own, entry points included."""
    folder = tmp_path_factory.mktemp("plugin")
    # a copy: building in place would leave files in the checkout
    source = shutil.copytree(PACKAGE, folder / "source")
    target = folder / "site-packages"
    words = [
        "pip",
        "install",
        "-qq",
        "--no-build-isolation",
        "--no-deps",
        "--no-index",
        "--target",
        target,
        source,
    ]
    subprocess.run([sys.executable, "-m", *map(str, words)], check=True)
    return target


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory whose results the tests of this module share, in the order of a user's work."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def run(installed: Path, home: Path) -> Run:
    """Run ``chemnet`` where the plugin is installed."""
    return lambda *words: chemnet_process(*words, cwd=home, env=found_in(installed))


@pytest.fixture(scope="module")
def run_uninstalled(home: Path) -> Run:
    """Run ``chemnet`` where the plugin is only a folder on the path, without entry points."""
    return lambda *words: chemnet_process(*words, cwd=home, env=found_in(PACKAGE / "src"))


@pytest.fixture(scope="module")
def preprocessed(run: Run) -> Path:
    """A preprocess result of the plugin's own dataset."""
    outcome = run("preprocess", "data_set.name=FreezeOut", "--json", "--quiet")
    assert outcome.code == 0, outcome.err
    return outcome.path


def test_its_verb_stands_in_the_help(run: Run) -> None:
    outcome = run("--help")
    assert outcome.code == 0
    assert "census" in outcome.out
    assert "count the species that are present in each split" in outcome.out


def test_without_the_package_its_names_are_unknown(tmp_path: Path) -> None:
    outcome = chemnet_process("census", cwd=tmp_path)
    assert outcome.code == 2
    assert "no verb is called 'census'" in outcome.err


def test_its_configuration_is_explained_like_chemnets_own(run: Run) -> None:
    outcome = run("config", "--explain", "model.LinearAutoencoder.latent_dim", "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.answer["value"] == 3
    assert outcome.answer["meaning"] == "number of latents"


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("model.LinearAutoencoder.latent_dim=many", "latent_dim = 'many' is of type str; allowed: int"),
        ("model.LinearAutoencoder.latent_dims=3", "did you mean 'model.LinearAutoencoder.latent_dim'"),
        ("census.treshold=0.1", "did you mean 'census.threshold'"),
    ],
)
def test_its_configuration_is_checked_before_any_work(run: Run, home: Path, word: str, told: str) -> None:
    before = entries(home / "results")
    outcome = run("train", "model.name=LinearAutoencoder", word)
    assert outcome.code == 2
    assert told in outcome.err
    assert entries(home / "results") == before


def test_its_keys_join_the_merge_through_a_dotted_name_alone(run_uninstalled: Run) -> None:
    named = run_uninstalled(
        "config", f"model.name={DOTTED_MODEL}", "model.LinearAutoencoder.latent_dim=2", "--json"
    )
    assert named.code == 0, named.err
    assert named.answer["model"]["LinearAutoencoder"]["latent_dim"] == 2
    unnamed = run_uninstalled("config", "model.LinearAutoencoder.latent_dim=2")
    assert unnamed.code == 2
    assert "unknown configuration key" in unnamed.err


def test_its_dataset_is_preprocessed(preprocessed: Path) -> None:
    metadata = json.loads((preprocessed / "metadata.json").read_text(encoding="utf-8"))
    assert metadata["species"] == ["H2", "CO", "#CO"]
    assert metadata["physical_names"] == ["Density", "gasTemp"]


def test_its_reader_gives_tables_in_its_format_to_the_usual_dataset(run: Run, home: Path) -> None:
    rows = np.arange(30)
    oxygen = np.full(30, 1e-4)
    columns = {"Tracer": rows // 3, "Time": rows % 3 * 1e3, "Density": 10.0 ** (3 + rows % 5)}
    columns |= {"Radfield": oxygen, "Av": oxygen, "gasTemp": 10.0 + rows, "O": oxygen / 2, "O+": oxygen / 2}
    np.savez(home / "tracers.npz", **columns, **{"E-": oxygen / 2, "H2": np.full(30, 0.5)})
    words = ("data_set.path=tracers.npz", "general.results_dir=read", "preprocess.window=3")
    outcome = run("preprocess", *words, "--json", "--verbose")
    assert outcome.code == 0, outcome.err
    assert "read by ArchiveTable" in outcome.err
    metadata = json.loads((outcome.path / "metadata.json").read_text(encoding="utf-8"))
    assert sorted(metadata["species"]) == ["E-", "H2", "O", "O+"]
    assert metadata["scaling"]["physical_max"][metadata["physical_names"].index("gasTemp")] <= 39.0


def test_what_no_reader_recognises_is_refused_as_before(run: Run, home: Path) -> None:
    (home / "sheet.xlsx").write_bytes(b"PK\x03\x04\x14\x00 xl/workbook.xml")
    outcome = run("preprocess", "data_set.path=sheet.xlsx")
    assert outcome.code == 2
    assert "an Excel workbook or a zip archive" in outcome.err


def test_its_preprocessing_method_splits_by_its_own_rule(run: Run) -> None:
    words = ("data_set.name=FreezeOut", "general.results_dir=extremes", "--json", "--quiet")
    outcome = run("preprocess", "preprocess.method=held_out_extremes", *words)
    assert outcome.code == 0, outcome.err
    splits = json.loads((outcome.path / "splits.json").read_text(encoding="utf-8"))
    # the clouds of `FreezeOut` are ordered by density
    assert [splits[name] for name in ("validate", "test")] == [["cloud8"], ["cloud9"]]


def test_its_model_trains_through_the_entry_point(run: Run, preprocessed: Path) -> None:
    trained = run("train", "model.name=LinearAutoencoder", *SHORT_RUN)
    assert trained.code == 0, trained.err
    assert (trained.path / "weights.safetensors").is_file()
    inferred = run("infer", f"infer.model_dir={trained.path.name}", "--json", "--quiet")
    assert inferred.code == 0, inferred.err
    assert "batch_0.npy" in entries(inferred.path)


def test_its_step_makes_an_emulator_that_trains_and_predicts(run: Run) -> None:
    words = ("general.results_dir=windows", "--json", "--quiet")
    made = run("preprocess", "data_set.name=FreezeOut", "preprocess.window=5", *words)
    assert made.code == 0, made.err
    trained = run("train", "model.name=LinearEmulator", "general.results_dir=windows", *SHORT_RUN)
    assert trained.code == 0, trained.err
    assert trained.answer["summary"]["role"] == "direct_emulator"
    inferred = run("infer", *words)
    assert inferred.code == 0, inferred.err
    members = ("model.name=DirectEnsemble", "model.DirectEnsemble.member=LinearEmulator")
    ensemble = run("train", *members, "general.results_dir=windows", *SHORT_RUN)
    assert ensemble.code == 0, ensemble.err


def test_its_model_trains_through_its_dotted_name(run_uninstalled: Run) -> None:
    source = f"data_set.name={DOTTED_DATASET}"
    preprocessed = run_uninstalled("preprocess", source, "general.results_dir=dotted", "--json")
    assert preprocessed.code == 0, preprocessed.err
    words = (source, f"model.name={DOTTED_MODEL}", "general.results_dir=dotted", *SHORT_RUN)
    trained = run_uninstalled("train", *words)
    assert trained.code == 0, trained.err
    assert trained.answer["summary"]["model"] == DOTTED_MODEL
    # who uses the result has to have named that code, too: it may come from anybody
    infer = ("infer", "general.results_dir=dotted", "--json", "--quiet")
    refused = run_uninstalled(*infer)
    assert refused.code == 2
    assert f"model.name: the class '{DOTTED_MODEL}' is neither" in refused.err
    assert 'general.trust_plugins = ["chemnet_example_plugin"]' in refused.err
    for word in (f"model.name={DOTTED_MODEL}", "general.trust_plugins=['chemnet_example_plugin']"):
        assert run_uninstalled(*infer, word).code == 0


def test_its_installed_model_needs_no_trust_under_its_dotted_name(run: Run, preprocessed: Path) -> None:
    words = (f"model.name={DOTTED_MODEL}", "general.results_dir=results", *SHORT_RUN)
    trained = run("train", *words)
    assert trained.code == 0, trained.err
    assert run("infer", f"infer.model_dir={trained.path.name}", "--json", "--quiet").code == 0


def test_its_verb_reads_the_chain_and_writes_one_result(run: Run, home: Path, preprocessed: Path) -> None:
    before = set(entries(home / "results"))
    outcome = run("census", "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.answer["summary"] == {"train": 3, "validate": 3, "test": 3}
    assert set(entries(home / "results")) - before == {outcome.path.name}


def test_its_own_settings_are_recorded_with_the_result(run: Run, preprocessed: Path) -> None:
    outcome = run("census", "census.threshold=0.99", "--json")
    assert outcome.code == 0, outcome.err
    again = run("census", "-c", outcome.path / "runtime_config.toml", "--json")
    assert again.answer["summary"] == outcome.answer["summary"] == {"train": 0, "validate": 0, "test": 0}

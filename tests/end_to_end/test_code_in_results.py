"""Results that name code: nothing of it runs until the user's own configuration names it.

Each test plants names in a result as somebody would who wants to run code on another machine, and repairs the
digests afterwards. `payload.py` lies in the working directory, which Python searches here, and leaves a mark
when it is imported; so does the shell command among the keywords.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from planted_results import plant, record_of
from workspace import Workspace

from chemnet import Surrogate, plugins
from chemnet.config.whole_file import with_checksum
from chemnet.errors import UntrustedNameError
from chemnet.results import ResultDirectory
from chemnet.results.layout import RESULT_FILE
from chemnet.verbs.umap import UmapResult

Copy = Callable[..., Workspace]
PAYLOAD = """\
from chemnet.models.autoencoder import Autoencoder
open({mark!r}, "w")
class Net(Autoencoder): ...
"""


@pytest.fixture
def mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file that planted code would leave; it is not there when the test is over."""
    mark, folder = tmp_path / "mark", tmp_path / "working_directory"
    folder.mkdir()
    (folder / "payload.py").write_text(PAYLOAD.format(mark=str(mark)), encoding="utf-8")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    monkeypatch.setattr(plugins, "_trusted", set())
    yield mark
    assert not mark.exists()
    assert "payload" not in sys.modules


def plant_everywhere(result: Path, changes: dict[str, Any]) -> None:
    """Set keys in both configurations of a training."""
    for file in ("runtime_config.toml", "model_config.toml"):
        plant(result, file, changes)


def called(mark: Path) -> dict[str, Any]:
    """A function that runs a command, with the command among its keywords."""
    return {"name": "os.system", "keywords": {"command": f"touch {mark}"}}


def is_refused(outcome: Any, name: str, file: Path) -> bool:
    """Whether a command was refused in one line that names file and name, with the next step below it."""
    first = outcome.err.splitlines()[0] if outcome.err else ""
    told = name in first and str(file) in first and "general.trust_plugins" in outcome.err
    return outcome.code == 2 and told and len(outcome.err.splitlines()) == 2


def test_a_command_as_criterion_is_neither_imported_nor_called_to_load_a_model(
    copy_of_chain: Copy, mark: Path
) -> None:
    workspace = copy_of_chain("preprocess", "train", "train_emulator")
    planted = called(mark)
    for result in workspace.results.glob("*-train-*"):
        changes = {f"{part}/name": planted["name"] for part in ("criterion", "optimizer", "scheduler")}
        plant_everywhere(result, {**changes, planted["name"]: planted["keywords"]})
    assert workspace.run("infer", "infer.model_dir=autoencoder").code == 0
    assert workspace.run("infer", "infer.model_dir=emulator").code == 0
    outcome = workspace.run("benchmark", "benchmark.solver_tracers=0")
    assert outcome.code == 0, outcome.err
    emulator = next(one for one in workspace.results.glob("*-train-*") if "Emulator" in describe(one))
    assert not hasattr(Surrogate.load(emulator).parts.emulator, "criterion")


def describe(result: Path) -> str:
    return (result / "model.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("verb", ["infer", "benchmark", "lookup", "model"])
def test_a_model_from_the_working_directory_is_refused(
    copy_of_chain: Copy, chain: Workspace, mark: Path, verb: str
) -> None:
    workspace = copy_of_chain("preprocess", "train", "infer", "save_to_database", "train_emulator")
    for file in workspace.results.glob(f"*/{RESULT_FILE}"):
        # parents are the copies, not what they were copied from
        text = file.read_text(encoding="utf-8").replace(str(chain.folder), str(workspace.folder))
        file.write_text(with_checksum(text), encoding="utf-8")
    words = {
        "infer": ("infer.model_dir=autoencoder",),
        "benchmark": ("benchmark.surrogate=emulator",),
        "lookup": ("--vector", "0.1,0.2,0.3"),
        "model": ("infer.model_dir=autoencoder",),
    }
    autoencoder = next(
        one for one in workspace.results.glob("*-train-*") if 'name = "Autoencoder"' in describe(one)
    )
    plant(autoencoder, "model.toml", {"name": "payload.Net"})
    plant_everywhere(autoencoder, {"model/name": "payload.Net", "model/Net": {"latent_dim": 3}})
    outcome = workspace.run(verb, *words[verb])
    assert is_refused(outcome, "payload.Net", autoencoder / "model_config.toml"), outcome.err


@pytest.mark.parametrize(
    ("key", "value"),
    [("model", "payload.Net"), ("model", "os.system"), ("table/member", "payload.Net")],
)
def test_a_saved_surrogate_names_shipped_models_only(
    copy_of_chain: Copy, mark: Path, tmp_path: Path, key: str, value: str
) -> None:
    workspace = copy_of_chain("preprocess", "train", "train_emulator")
    saved = Surrogate.load(
        next(one for one in workspace.results.glob("*-train-*") if "Emulator" in describe(one))
    ).save(tmp_path / "bundle")
    changes = {f"networks/emulator/{key}": value}
    if key == "table/member":
        changes |= {"networks/emulator/model": "LatentEnsemble", "networks/emulator/table": {}, **changes}
        changes = dict(sorted(changes.items(), key=lambda item: len(item[0])))
    plant(saved, "surrogate.toml", changes)
    with pytest.raises(UntrustedNameError, match=rf"surrogate\.toml: networks\.emulator\.{key[:5]}.*{value}"):
        Surrogate.load(saved)


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("criterion/name", "os.system"),
        ("optimizer/name", "payload.Net"),
        ("scheduler/name", "payload.Net"),
        ("model/name", "payload.Net"),
        # shipped, but no optimizer
        ("optimizer/name", "torch.nn.Linear"),
        ("model/name", "chemnet.errors.ChemNetError"),
    ],
)
def test_a_training_that_goes_on_calls_only_shipped_classes_of_the_right_kind(
    copy_of_chain: Copy, mark: Path, key: str, name: str
) -> None:
    workspace = copy_of_chain("preprocess", "train")
    result = next(workspace.results.glob("*-train-*"))
    planted = called(mark)
    plant_everywhere(result, {key: name, planted["name"]: planted["keywords"]})
    plant_everywhere(result, {"general/trust_plugins": ["os", "payload"]})
    outcome = workspace.run("train", f"train.resume={result}", "train.epochs=9")
    assert outcome.code == 2
    assert f"{result / 'runtime_config.toml'}:" in outcome.err.splitlines()[0]
    assert f"{key.replace('/', '.')}: " in outcome.err
    assert name in outcome.err


def test_a_results_configuration_is_not_the_users_own_when_it_is_passed_back(
    copy_of_chain: Copy, mark: Path
) -> None:
    workspace = copy_of_chain("preprocess", "train")
    result = next(workspace.results.glob("*-train-*"))
    plant(
        result,
        "runtime_config.toml",
        {"general/trust_plugins": ["payload"], "criterion/name": "payload.Net", "mlflow/enabled": False},
    )
    copied = result.parent / "mine.toml"
    copied.write_text(f'extends = ["{result.name}/runtime_config.toml"]', encoding="utf-8")
    for file in (result / "runtime_config.toml", copied):
        outcome = workspace.run("train", "-c", file)
        assert is_refused(outcome, "payload.Net", result / "runtime_config.toml"), outcome.err


@pytest.mark.parametrize(
    ("verb", "stage", "key"),
    [("infer", "infer", "data_set/name"), ("sweep", "train", "model/name"), ("simulate", "train", None)],
)
def test_a_hidden_run_that_goes_on_imports_nothing(
    copy_of_chain: Copy, mark: Path, verb: str, stage: str, key: str | None
) -> None:
    workspace = copy_of_chain("preprocess", "train", "infer")
    result = next(workspace.results.glob(f"*-{stage}-*"))
    hidden = result.rename(result.with_name(f".partial-20200101-000000-{verb}-abcdef"))
    changes = {key or "data_set/name": "payload.Net", "infer/source": "data_set"}
    plant(hidden, "runtime_config.toml", {**changes, "payload_table": {"any": 1}})
    outcome = workspace.run(verb, f"{verb}.resume=latest")
    assert is_refused(outcome, "payload.Net", hidden / "runtime_config.toml"), outcome.err


def test_a_database_and_a_reducer_are_shipped_ones(copy_of_chain: Copy, mark: Path) -> None:
    workspace = copy_of_chain("preprocess", "train", "infer", "save_to_database", "umap")
    database = next(workspace.results.glob("*-save_to_database-*"))
    plant(database, RESULT_FILE, {"summary/database": "payload.Net"})
    outcome = workspace.run("lookup", "lookup.search=database", "--vector", "0.1,0.2,0.3")
    assert is_refused(outcome, "payload.Net", database / RESULT_FILE), outcome.err
    reduced = next(workspace.results.glob("*-umap-*"))
    plant(reduced, "reducer.json", {"reducer": "payload.Net"})
    with pytest.raises(UntrustedNameError, match=r"reducer\.json: reducer: .*'payload\.Net'"):
        UmapResult(ResultDirectory.open(reduced)).reducer()


class Pickled:
    """Leaves the mark when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (str(self.mark), "w")


@pytest.mark.parametrize("file", ["weights.safetensors", "stoichiometry.npy"])
def test_no_file_of_a_result_is_unpickled(copy_of_chain: Copy, mark: Path, file: str) -> None:
    workspace = copy_of_chain("preprocess", "train")
    result = next(workspace.results.glob("*-train-*"))
    if file.endswith(".npy"):
        np.save(result / file, np.array([Pickled(mark)], dtype=object), allow_pickle=True)
    else:
        (result / file).write_bytes(pickle.dumps(Pickled(mark)))
    plant(result, RESULT_FILE, {f"files/{file}": record_of(result / file)})
    outcome = workspace.run("infer")
    assert outcome.code == 2
    assert str(result / file) in outcome.err

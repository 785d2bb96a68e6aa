"""``model.toml``: what a trained model is and was trained on; enough to build it without its data."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chemnet.config import load_result_config
from chemnet.config.toml_text import read_toml_text, toml_text
from chemnet.errors import DataError, ModelError, ResultsError
from chemnet.models.contract import ChemModel, member_tables, own_table, rebuild_model
from chemnet.models.weights import BEST_WEIGHTS
from chemnet.results import ResultDirectory

if TYPE_CHECKING:
    from chemnet.data.preprocessed import DataDescription

MODEL_FILE = "model.toml"
# what the model was built from, and nothing else: a result stays readable when other keys of chemnet change
CONFIG_FILE = "model_config.toml"
# beside it: thousands of numbers would make the TOML slow to read for programs and people
STOICHIOMETRY_FILE = "stoichiometry.npy"


def write_model_file(folder: Path, model: ChemModel) -> None:
    """Write name, role, feed, own configuration, weight shapes and data description of a model.

    The stoichiometric matrix `(n_species, n_elements)` goes into a file of its own.
    """
    name, data = model.config["model"]["name"], model.data.to_dict()
    np.save(folder / STOICHIOMETRY_FILE, np.array(data.pop("stoichiometry")))
    content = {
        "name": name,
        "role": model.role,
        "feed": model.feed,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "table": own_table(model.config, name),
        "weights": {key: list(tensor.shape) for key, tensor in model.state_dict().items()},
        "data": data,
    }
    (folder / MODEL_FILE).write_text(toml_text(content), encoding="utf-8")
    (folder / CONFIG_FILE).write_text(toml_text(_built_from(model, folder)), encoding="utf-8")


def read_model_file(result: ResultDirectory) -> dict[str, Any]:
    """Return the content of a training result's ``model.toml``.

    Raises
    ------
    ResultsError
        When it is missing or damaged.
    """
    path = result.file(MODEL_FILE)
    try:
        return read_toml_text(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ResultsError(f"{path} is damaged: {error}", hint="train the model again") from error


def role_of(result: ResultDirectory) -> str:
    """Return the role of a trained model, one of `chemnet.models.contract.ROLES`."""
    return read_model_file(result)["role"]


def brings_autoencoder(result: ResultDirectory) -> bool:
    """Return whether a trained emulator encodes and decodes with an autoencoder among its own weights."""
    return bool(read_model_file(result)["table"].get("train_autoencoder", False))


def data_of(result: ResultDirectory) -> DataDescription:
    """Return what a trained model was fed: species, scalings, window."""
    from chemnet.data.npy_files import open_npy
    from chemnet.data.preprocessed import DataDescription

    stoichiometry = np.array(open_npy(result.file(STOICHIOMETRY_FILE)))
    return DataDescription.from_dict({**read_model_file(result)["data"], "stoichiometry": stoichiometry})


def load_trained(result: ResultDirectory, weights: str = BEST_WEIGHTS) -> ChemModel:
    """Return the model of a training result with its weights, in evaluation mode on the CPU.

    It has no criterion: predicting takes none. An emulator brings the very autoencoder that it was trained
    with, found by digest.

    Parameters
    ----------
    result
        A result of `chemnet train`.
    weights
        Which weights file of the result.

    Raises
    ------
    ResultsError
        When a file is missing, or the autoencoder is gone or was trained again.
    UntrustedNameError
        When the model is neither chemnet's own nor that of an installed plugin, and the user did not name it.
    ModelError
        When the weights do not fit.
    """
    if result.verb != "train":
        raise ModelError(f"{result.name} is a result of `{result.verb}`, not a trained model")
    autoencoder = load_trained(result.parent("autoencoder")) if "autoencoder" in result.parents else None
    model = rebuild_model(load_result_config(result.file(CONFIG_FILE)), data_of(result), autoencoder)
    model.load_weights(result.file(weights))
    return model.eval()


def _built_from(model: ChemModel, folder: Path) -> dict[str, Any]:
    """Return the part of a configuration that a model is built from; its files are put beside it."""
    config = model.config
    name = config["model"]["name"]
    tables = {name.rpartition(".")[2]: own_table(config, name), **member_tables(config, name)}
    with suppress(DataError):  # a format that cannot be written: the files stay where they are
        files = write_model_files(model, folder)
        next(reversed(tables.values())).update(files)
    return {"model": {"name": name, **tables}}


def write_model_files(model: Any, folder: Path) -> dict[str, Any]:
    """Write the files that a model needs into a folder, and return the keys of its table that name them.

    All members of an ensemble need the same ones: the keys are those of their table.
    """
    first = next(iter(getattr(model, "members", [model])))
    return dict(first.write_files(folder)) if hasattr(first, "write_files") else {}

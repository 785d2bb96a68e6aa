"""Which results fit one another: data that can feed a model, an autoencoder that an emulator may use."""

from __future__ import annotations

import json
from typing import Any

from chemnet.data.preprocessed import PreprocessedData
from chemnet.errors import ChemNetError
from chemnet.models.model_file import read_model_file
from chemnet.results import ResultDirectory

SPLITS_FILE = "splits.json"


def can_feed(result: ResultDirectory, model: Any) -> bool:
    """Return whether a preprocess result holds what the model class is fed with."""
    return model.feed == "rows" or PreprocessedData(result).window is not None


def is_autoencoder_for(result: ResultDirectory, data_result: ResultDirectory) -> bool:
    """Return whether a trained model is an autoencoder that an emulator of these data may use.

    It must encode the same species on the same scale, and must not have been trained on tracers that now
    validate or test.
    """
    try:
        description = read_model_file(result)
    except ChemNetError:
        return False
    if description["role"] != "autoencoder":
        return False
    data = PreprocessedData(data_result)
    same_species = tuple(description["data"]["species"]) == data.species
    same_scale = description["data"]["abundance_floor"] == data.abundance_scaling.floor
    return same_species and same_scale and not _leaks(result, data_result)


def _leaks(autoencoder: ResultDirectory, data_result: ResultDirectory) -> bool:
    """Return whether the autoencoder saw tracers in training that these data keep for validation or test."""
    trained_on = autoencoder.parents["preprocess"]
    if trained_on.digest == data_result.digest:
        return False
    try:
        seen = _tracers(autoencoder.parent("preprocess"), "train")
        kept = _tracers(data_result, "validate") | _tracers(data_result, "test")
    except (ChemNetError, OSError, ValueError):
        # its data are gone or were split by rows: nobody can tell
        return True
    return bool(seen & kept)


def _tracers(result: ResultDirectory, split: str) -> set[str]:
    return set(json.loads(result.file(SPLITS_FILE).read_text(encoding="utf-8")).get(split, []))

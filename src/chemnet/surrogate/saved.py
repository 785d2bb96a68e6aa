"""The saved form of a surrogate: a folder with `surrogate.toml` and `weights.safetensors`.

An emulator around an implicit step has its network there too. A key `weights` in `surrogate.toml` names
another file, relative to the folder: settings of one dial may share theirs.

It holds everything that is needed to predict and to judge predictions: weights of all networks, scalings,
species, stoichiometry, trained ranges, calibrated trust and provenance. Nothing in it is executed on loading.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from chemnet import plugins
from chemnet.config import load_result_config
from chemnet.config.manager import PACKAGED_DEFAULTS
from chemnet.config.overrides import join_key
from chemnet.config.toml_text import read_toml_text, toml_text
from chemnet.config.whole_file import is_as_written, with_checksum, write_whole
from chemnet.data.description import DataDescription
from chemnet.errors import ConfigError, ModelError, UntrustedNameError, suggest
from chemnet.models.contract import member_tables, own_table, rebuild_model
from chemnet.models.emulators.spaces.latent import TRAINED_AUTOENCODER
from chemnet.models.model_file import write_model_files
from chemnet.models.weights import BEST_WEIGHTS, fitted, read_tensors, write_tensors
from chemnet.registry import MODELS
from chemnet.results.digests import file_digest, record_files
from chemnet.surrogate.predictor import Parts
from chemnet.surrogate.trust.calibration import Judgement
from chemnet.surrogate.trust.expected_error import Calibration
from chemnet.surrogate.trust.novelty import ReferenceStates
from chemnet.surrogate.trust.trained_ranges import Domain

SURROGATE_FILE = "surrogate.toml"
WEIGHTS_FILE = BEST_WEIGHTS
FORMAT = 1
_AGAIN = "copy the folder again from where it was saved, or save the surrogate again"
# an emulator is built around its encoder, whose weights must be there by then
_ROLES = ("encoder", "decoder", "emulator")
# "familiar" is how files of before name the reference states
_STOICHIOMETRY, _REFERENCE, _TRUST = "stoichiometry", "familiar", "trust"
PRECISIONS = {name: getattr(torch, name) for name in ("float32", "float16", "bfloat16")}
"""What matrices of weights may be saved as; they are float32 again when they are used."""
Built = TypeVar("Built")
# of a network's description what may differ between the networks of one surrogate
_OWN_DATA = ("physical_min", "physical_max", "physical_names", "window", "horizon")


def write_surrogate(
    folder: Path,
    precision: str,
    parts: Parts,
    domain: Domain,
    name: str,
    provenance: dict[str, Any],
    judgement: Judgement | None,
) -> Path:
    """Write a surrogate into a new or empty folder, or over an older one; see `Surrogate.save`.

    Raises
    ------
    ModelError
        When the folder holds something else already, or there is no such precision.
    """
    if precision not in PRECISIONS:
        raise ModelError(f"weights cannot be saved as {precision!r}", hint=suggest(precision, PRECISIONS))
    if folder.is_dir() and any(folder.iterdir()) and not (folder / SURROGATE_FILE).is_file():
        raise ModelError(
            f"{folder} holds files that are no saved surrogate", hint="name a new or an empty folder"
        )
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        f"{role}.{key}": _shortened(tensor, PRECISIONS[precision])
        for role, network in parts.named.items()
        for key, tensor in _own_state(network).items()
    }
    tensors[_STOICHIOMETRY] = torch.from_numpy(parts.data.stoichiometry).double()
    if judgement is not None:
        tensors |= {f"{_REFERENCE}.{key}": tensor for key, tensor in judgement.reference.tensors().items()}
    write_tensors(folder / WEIGHTS_FILE, tensors)
    content = _description(folder, parts, domain, name, provenance, judgement)
    # last: whoever is killed before has weights that no description names
    files = record_files(folder, (SURROGATE_FILE,))
    content["files"] = {file: record.digest for file, record in files.items()}
    write_whole(folder / SURROGATE_FILE, with_checksum(toml_text(content)))
    return folder


def read_surrogate(folder: Path, build: Callable[..., Built]) -> Built:
    """Return what `build` makes of a folder that `write_surrogate` made; it is called like `Surrogate`.

    Raises
    ------
    ModelError
        When a file is missing or damaged, or the folder is of a later format.
    UntrustedNameError
        When it names a model that is neither chemnet's own nor that of an installed plugin.
    """
    content = _read_description(folder / SURROGATE_FILE)
    try:
        weights = folder / content.get("weights", WEIGHTS_FILE)
        _note_class_names(content["networks"], folder / SURROGATE_FILE)
        tensors = _read_weights(weights)
        shared = {**content["data"], _STOICHIOMETRY: tensors[_STOICHIOMETRY].numpy()}
        parts = _rebuild(content["networks"], shared, tensors, folder, str(weights))
        if "weights" not in content:  # a setting of a dial shares the files of another
            _check_files(folder, content.get("files", {}))
        domain, judgement = Domain.from_dict(content["domain"]), _read_judgement(content, tensors)
        return build(parts, domain, content["name"], content["provenance"], lambda predictor: judgement)
    except UntrustedNameError:
        raise
    except ConfigError as error:
        raise ModelError(f"{folder / SURROGATE_FILE}: {error.message}", hint=error.hint) from error
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        # a hand that edited the file can leave out or turn into something else whatever it likes
        raise ModelError(
            f"{folder / SURROGATE_FILE} describes no surrogate: {_in_words(error)}", hint=_AGAIN
        ) from error


def _check_files(folder: Path, digests: dict[str, str]) -> None:
    """Refuse a folder of which a file is missing or not what was saved; older ones tell no digests."""
    for name, digest in digests.items():
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()) or not path.is_file():
            raise ModelError(f"{path} is missing: the surrogate is not whole", hint=_AGAIN)
        if file_digest(path) != digest:
            raise ModelError(f"{path} changed after the surrogate was saved (other digest)", hint=_AGAIN)


def _note_class_names(networks: dict[str, Any], path: Path) -> None:
    """Remember where the classes of networks are named, for the message that refuses one."""
    for role, described in networks.items():
        for name in plugins.class_names("name", described.get("model")):
            plugins.named_by_result(name, f"{path}: networks.{role}.model")
        for name in plugins.class_names("table", described.get("table")):
            plugins.named_by_result(name, f"{path}: networks.{role}.table")


def _read_weights(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a saved surrogate, whose networks cannot be trained again from it."""
    try:
        return read_tensors(path)
    except ModelError as error:
        raise ModelError(error.message, hint=_AGAIN) from error


def _in_words(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)


def _shortened(tensor: Tensor, precision: torch.dtype) -> Tensor:
    """Return a matrix in the precision that it is saved in; vectors hold scales, and are small."""
    return tensor.to(precision) if tensor.ndim > 1 and tensor.is_floating_point() else tensor


def _read_judgement(content: dict[str, Any], tensors: dict[str, Tensor]) -> Judgement | None:
    """Return how a saved surrogate judges itself; None where it was never calibrated."""
    if _TRUST not in content:
        return None
    places = {
        key.removeprefix(f"{_REFERENCE}."): tensor
        for key, tensor in tensors.items()
        if key.startswith(f"{_REFERENCE}.")
    }
    return Judgement(ReferenceStates.from_tensors(places), Calibration.from_dict(content[_TRUST]))


def _own_state(network: nn.Module) -> dict[str, Tensor]:
    """Return a network's tensors without the autoencoder that an emulator was trained along with.

    That one is written as the encoder; an emulator that is built around it has a copy again.
    """
    return {
        key: tensor
        for key, tensor in network.state_dict().items()
        if not key.startswith(f"{TRAINED_AUTOENCODER}.")
    }


def _description(
    folder: Path,
    parts: Parts,
    domain: Domain,
    name: str,
    provenance: dict[str, Any],
    judgement: Judgement | None,
) -> dict[str, Any]:
    """Return what is not a tensor."""
    shared = parts.data.to_dict()
    content = {
        "format": FORMAT,
        "name": name,
        "domain": domain.to_dict(),
        "data": {key: value for key, value in shared.items() if key not in (*_OWN_DATA, _STOICHIOMETRY)},
        "networks": {role: _describe(network, folder) for role, network in parts.named.items()},
        "provenance": provenance,
    }
    return content if judgement is None else {**content, _TRUST: judgement.calibration.to_dict()}


def _describe(network: Any, folder: Path) -> dict[str, Any]:
    """Return what is needed to build a network again, but for what all networks share.

    Files that it needs are written into the folder, and the keys that name them are relative to that.
    """
    name, data = network.config["model"]["name"], network.data.to_dict()
    table, members = own_table(network.config, name), member_tables(network.config, name)
    next(iter(members.values()), table).update(write_model_files(network, folder))
    return {
        "model": name,
        "table": table,
        "members": members,
        "data": {key: data[key] for key in _OWN_DATA},
    }


def _read_description(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        content = read_toml_text(text)
        if not isinstance(content["format"], int) or content["format"] < 1:
            raise ModelError(f"{path}: format = {content['format']!r} is no number of a format", hint=_AGAIN)
        if content["format"] > FORMAT:
            raise ModelError(
                f"{path} has format {content['format']}; this chemnet reads up to {FORMAT}",
                hint="update chemnet",
            )
        if not is_as_written(text):
            raise ModelError(f"{path} changed after it was written (other checksum)", hint=_AGAIN)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{path} cannot be read: {_in_words(error)}", hint=_AGAIN) from error
    return content


def _rebuild(
    networks: dict[str, Any], shared: dict[str, Any], tensors: dict[str, Tensor], folder: Path, source: str
) -> Parts:
    built: dict[str, Any] = {}
    unknown = [role for role in networks if role not in _ROLES]
    if unknown:
        raise ValueError(f"'{unknown[0]}' is no role of a network ({', '.join(_ROLES)})")
    for role in sorted(networks, key=_ROLES.index):
        network = _build(networks[role], shared, folder, built.get("encoder"))
        state = {
            key.removeprefix(f"{role}."): tensor.float() if tensor.is_floating_point() else tensor
            for key, tensor in tensors.items()
            if key.startswith(f"{role}.")
        }
        state = fitted(state, _own_state(network), f"{source} ({role})")
        network.load_state_dict({**network.state_dict(), **state})
        built[role] = network.eval()
    encoder, emulator = built.get("encoder"), built["emulator"]
    return Parts(emulator, encoder, built.get("decoder", encoder), emulator.data)


def _build(
    described: dict[str, Any], shared: dict[str, Any], folder: Path, autoencoder: nn.Module | None
) -> Any:
    """Build a network from its description, with random weights."""
    # an unknown one is named as such, not by the first of its keys
    name, cls = described["model"], MODELS.get(described["model"])
    table = _with_files(described["table"], cls, folder)
    members = {
        model: _with_files(values, MODELS.get(table["member"]), folder)
        for model, values in described.get("members", {}).items()
    }
    config = load_result_config(PACKAGED_DEFAULTS, [f'model.name="{name}"'])
    own = name if name in config["model"] else name.rpartition(".")[2]
    for model, values in {own: table, **members}.items():
        config = config.replace({join_key(("model", model, key)): value for key, value in values.items()})
    return rebuild_model(config, DataDescription.from_dict({**shared, **described["data"]}), autoencoder)


def _with_files(table: dict[str, Any], cls: Any, folder: Path) -> dict[str, Any]:
    """Return a model's table with the full paths of files in a saved surrogate's folder."""
    names = {key: table[key] for key in getattr(cls, "file_keys", ()) if table[key]}
    found = {key: str(folder / name) for key, name in names.items() if (folder / name).exists()}
    return {**table, **found}

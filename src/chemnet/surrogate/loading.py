"""Surrogates by path, shipped name or component name, and composed from training results."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

from torch import nn

from chemnet.config import ConfigDict, load_config
from chemnet.data.preprocessed import PreprocessedData
from chemnet.errors import ConfigError, ModelError, ResultsError, suggest
from chemnet.models.model_file import brings_autoencoder, data_of, load_trained, role_of
from chemnet.progress import get_logger
from chemnet.results import ResultDirectory, list_results, resolve_input
from chemnet.surrogate.accuracy_setting import at_accuracy, settings_of
from chemnet.surrogate.predictor import Parts
from chemnet.surrogate.saved import SURROGATE_FILE, read_surrogate
from chemnet.surrogate.surrogate import Surrogate
from chemnet.surrogate.trust.calibration import judgement_of
from chemnet.surrogate.trust.trained_ranges import Domain
from chemnet.surrogate.wrappers.ensemble_of_trainings import joined_parts

SHIPPED = Path(__file__).parents[1] / "shipped_surrogates"
EMULATORS = ("emulator", "direct_emulator")
_log = get_logger(__name__)
Source = str | Path


def shipped_names() -> list[str]:
    """Return the names of the surrogates that come with the package."""
    return sorted({path.relative_to(SHIPPED).parts[0] for path in SHIPPED.rglob(SURROGATE_FILE)})


def shipped_with(species: Sequence[str]) -> list[str]:
    """Return the names of the surrogates that come with the package and have these species, in any order."""
    wanted = set(species)
    return [name for name in shipped_names() if _species_of(SHIPPED / name) == wanted]


def _species_of(folder: Path) -> set[str]:
    """Return the species of a shipped surrogate, the same at every setting of its dial."""
    file = next(folder.rglob(SURROGATE_FILE))
    return set(tomllib.loads(file.read_text(encoding="utf-8"))["data"]["species"])


def load_surrogate(
    source: Source | Sequence[Source], config: ConfigDict | None = None, accuracy: str | None = None
) -> Surrogate:
    """Return a surrogate by path, shipped name, or component or result name; see `Surrogate.load`."""
    return _as_configured(_found(source, config, accuracy), config)


def _as_configured(surrogate: Surrogate, config: ConfigDict | None) -> Surrogate:
    return surrogate.neutral() if config is not None and config["surrogate"]["neutral"] else surrogate


def _found(source: Source | Sequence[Source], config: ConfigDict | None, accuracy: str | None) -> Surrogate:
    if accuracy is None and config is not None and config["surrogate"]["accuracy"] != "auto":
        accuracy = config["surrogate"]["accuracy"]
    several = isinstance(source, Sequence) and not isinstance(source, str)
    if not several:
        _check_name(source)
        folder = _saved_folder(source, accuracy)
        if folder is not None:
            return read_surrogate(folder, Surrogate)
    if accuracy is not None:
        raise ModelError(
            f"{source!r} is trained, not saved, and has one accuracy, not {accuracy!r} among others",
            hint="leave accuracy out; [model.ImplicitEmulator] says what a training spends on a step",
        )
    if isinstance(source, (str, Path)):
        return compose(_trained_result(source, config))
    return compose_ensemble([_member(one, config) for one in source])


def accuracies_of(source: Source) -> list[str]:
    """Return the settings of the dial of a saved or shipped surrogate; empty where it has none."""
    return next(filter(None, (settings_of(place, SURROGATE_FILE) for place in _places(source))), [])


def _saved_folder(source: Any, accuracy: str | None = None) -> Path | None:
    """Return the folder of a saved or shipped surrogate; None where it is none."""
    folders = (at_accuracy(place, SURROGATE_FILE, accuracy) for place in _places(source))
    return next((folder for folder in folders if folder is not None), None)


def _places(source: Any) -> tuple[Path, Path]:
    """Return where a saved or a shipped surrogate of that name would be."""
    return Path(source), SHIPPED / str(source)


def _check_name(source: Any) -> None:
    if not isinstance(source, (str, PathLike)) or not str(source):
        raise ModelError(
            f"a surrogate is named by a text or a path, not by {source!r}",
            hint="name a folder, a component, a result or a surrogate that chemnet ships",
        )


def _member(source: Any, config: ConfigDict | None) -> ResultDirectory:
    _check_name(source)
    if _saved_folder(source) is not None:
        raise ModelError(
            f"'{source}' is a finished surrogate; the members of an ensemble are training results",
            hint="name the training results that it was made from, or components of yours",
        )
    return _trained_result(source, config)


def configured_surrogate(config: ConfigDict) -> Surrogate:
    """Return the surrogate that ``[surrogate]`` names: emulator, and other encoder or decoder where set."""
    table = config["surrogate"]
    if table["members"]:
        return _as_configured(_configured_ensemble(config), config)
    emulator = resolve_input(
        config,
        "surrogate.emulator",
        "train",
        is_emulator,
        "trained emulator",
        "chemnet train model.name=LatentEmulator train.component=emulator",
    )
    chosen = {
        role: resolve_input(config, f"surrogate.{role}", "train", _is_autoencoder, "trained autoencoder")
        for role in ("encoder", "decoder")
        if table[role] is not False
    }
    return _as_configured(compose(emulator, **chosen), config)


def _configured_ensemble(config: ConfigDict) -> Surrogate:
    for key in ("emulator", "encoder", "decoder"):
        if config["surrogate"][key] is not False:
            raise ConfigError(
                f"surrogate.members and surrogate.{key} are both set; members bring everything along",
                hint=f"set surrogate.{key}=false, or surrogate.members=[]",
            )
    return compose_ensemble([_member(name, config) for name in config["surrogate"]["members"]])


def is_emulator(result: ResultDirectory) -> bool:
    """Return whether a training result can advance cells."""
    return role_of(result) in EMULATORS


def compose(
    emulator: ResultDirectory, encoder: ResultDirectory | None = None, decoder: ResultDirectory | None = None
) -> Surrogate:
    """Return the surrogate of a trained emulator.

    Parameters
    ----------
    emulator
        A training result of an emulator or direct emulator.
    encoder, decoder
        Training results of autoencoders to use instead of the one that the emulator was trained with.

    Raises
    ------
    ModelError
        When a result is no emulator or autoencoder, an autoencoder has other species or latents, or one is
        named although the emulator brings its own.
    """
    if not is_emulator(emulator):
        raise ModelError(
            f"{emulator.name} has the role '{role_of(emulator)}'; a surrogate needs an emulator",
            hint="name the training result of an emulator; it brings its autoencoder along",
        )
    own = own_results(emulator)
    chosen = {"encoder": encoder, "decoder": decoder}
    results = own | {role: result for role, result in chosen.items() if result is not None}
    if "encoder" in own:
        for role in chosen:
            _check_fit(results[role], own[role], emulator)
    elif len(results) > 1:
        along = role_of(emulator) == "emulator"
        own_way = "with its own autoencoder, trained along with it" if along else "by itself"
        raise ModelError(
            f"{emulator.name} encodes and decodes {own_way}, not with {list(results.values())[1].name}",
            hint="leave surrogate.encoder and surrogate.decoder at false",
        )
    return _surrogate_of(parts_of(results, load_trained(emulator)), results)


def own_results(emulator: ResultDirectory) -> dict[str, ResultDirectory]:
    """Return the training results that an emulator consists of, by role: also its frozen autoencoder's."""
    if role_of(emulator) == "direct_emulator" or brings_autoencoder(emulator):
        return {"emulator": emulator}
    autoencoder = emulator.parent("autoencoder")
    return {"emulator": emulator, "encoder": autoencoder, "decoder": autoencoder}


def parts_of(results: Mapping[str, ResultDirectory], emulator: nn.Module) -> Parts:
    """Return the networks of training results by role, the emulator being loaded already."""
    if "encoder" not in results:
        trained_along: Any = getattr(emulator, "trained_autoencoder", None)
        return Parts(emulator, trained_along, trained_along, data_of(results["emulator"]))
    encoder = decoder = load_trained(results["encoder"])
    if results["decoder"].digest != results["encoder"].digest:
        decoder = load_trained(results["decoder"])
    return Parts(emulator, encoder, decoder, data_of(results["emulator"]))


def compose_ensemble(members: Sequence[ResultDirectory]) -> Surrogate:
    """Return the surrogate whose members, trained one by one, predict together: the mean of their logarithms.

    Parameters
    ----------
    members
        Training results of emulators of one kind, on the same data; the first one names the surrogate.

    Raises
    ------
    ModelError
        When there are none, or they cannot predict together.
    """
    if not members:
        raise ModelError("an ensemble needs at least one member", hint="name training results of emulators")
    named = {"emulator" if not i else f"emulator_{i + 1}": result for i, result in enumerate(members)}
    return _surrogate_of(joined_parts(members), named)


def _surrogate_of(parts: Parts, results: dict[str, ResultDirectory]) -> Surrogate:
    emulator = results["emulator"]
    preprocessed = PreprocessedData(emulator.parent("preprocess"))
    name = emulator.component or emulator.name
    return Surrogate(
        parts,
        Domain.of_training(preprocessed),
        name,
        _provenance(results, preprocessed),
        partial(judgement_of, data=preprocessed),
    )


def _check_fit(chosen: ResultDirectory, own: ResultDirectory, emulator: ResultDirectory) -> None:
    """Refuse an autoencoder of other species or scale; warn of one that the emulator was not trained with."""
    if chosen.digest == own.digest:
        return
    if not _is_autoencoder(chosen):
        raise ModelError(f"{chosen.name} is no autoencoder", hint="set surrogate.encoder and .decoder to one")
    theirs, wanted = data_of(chosen), data_of(own)
    if (theirs.species, theirs.abundance_scaling) != (wanted.species, wanted.abundance_scaling):
        raise ModelError(
            f"{chosen.name} has other species or another abundance floor than {emulator.name}",
            hint="use an autoencoder that was trained on the same preprocess result",
        )
    _log.warning("%s was trained with %s; %s has other latents unless it was made from that",
                 emulator.name, own.name, chosen.name)  # fmt: skip


def _is_autoencoder(result: ResultDirectory) -> bool:
    return role_of(result) == "autoencoder"


def _provenance(results: dict[str, ResultDirectory], data: PreprocessedData) -> dict[str, Any]:
    return {
        "components": {
            role: {"result": result.name, "digest": result.digest, "created": result.created}
            for role, result in results.items()
        },
        "data": {
            "preprocess": data.directory.name,
            "digest": data.digest,
            "training_tracers": len(data.split("train").tracer_ids),
            "training_rows": data.split("train").n_rows,
        },
        "versions": dict(results["emulator"].versions),
    }


def _trained_result(source: str | Path, config: ConfigDict | None) -> ResultDirectory:
    """Return a training result by path, or by its name or that of its component."""
    if not Path(source).is_dir():
        return _named_result(str(source), config or load_config())
    result = ResultDirectory.open(source)
    if result.verb != "train":
        raise ModelError(
            f"{source} is a result of `{result.verb}`, neither a saved surrogate nor a trained emulator",
            hint=f"a saved surrogate is a folder with {SURROGATE_FILE}",
        )
    return result


def _named_result(name: str, config: ConfigDict) -> ResultDirectory:
    """Return the training result with this name, or the newest with this component name."""
    try:
        return resolve_input(config.replace({"surrogate.emulator": name}), "surrogate.emulator", "train")
    except ResultsError as error:
        results_dir = config["general"]["results_dir"]
        known = [*shipped_names(), *(r.component for r in list_results(results_dir) if r.component)]
        raise ModelError(
            f"no surrogate is called '{name}': no folder, none that chemnet ships, and no training result in "
            f"{results_dir}",
            hint=suggest(name, known)
            if known
            else "train an emulator, or name the folder of a saved surrogate",
        ) from error

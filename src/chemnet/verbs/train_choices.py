"""What `chemnet train` decides where the configuration leaves it open: emulator, network and recipe.

``model.name = "emulator"`` is the emulator around an implicit step where the network that made the data is at
hand, and the relaxing one where it is not. ``train.start_from`` goes on with a surrogate. Both come with a
recipe, of which any key may be set.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from chemnet.config import ConfigDict
from chemnet.config.overrides import join_key, split_key
from chemnet.errors import DataError, ModelError
from chemnet.progress import get_logger
from chemnet.registry import ANY_EMULATOR
from chemnet.results import ResultDirectory

if TYPE_CHECKING:
    from torch import Tensor

    from chemnet.data.preprocessed import PreprocessedData
    from chemnet.surrogate.surrogate import Surrogate

_IMPLICIT, _RELAXATION = "ImplicitEmulator", "DirectRelaxation"
_COMPONENT = ("train", "component")
_log = get_logger(__name__)


def settled(
    config: ConfigDict, data_result: ResultDirectory
) -> tuple[ConfigDict, Mapping[str, Tensor] | None]:
    """Return a configuration in which emulator, network and recipe are settled, and weights to start from.

    Parameters
    ----------
    config
        What is asked for.
    data_result
        The preprocess result to train on.

    Raises
    ------
    DataError, ModelError
        When the surrogate to start from does not fit the data, or the network that is named did not make
        them.
    """
    if config["train"]["start_from"] is not False:
        return _going_on(config, data_result)
    suited = config["model"]["name"] == ANY_EMULATOR or _lacks_network(config)
    return (_suited(config, data_result) if suited else config), None


def _lacks_network(config: ConfigDict) -> bool:
    """Return whether the configured model is to have a network that nobody named."""
    name, table = config["model"]["name"], config["model"][_IMPLICIT]
    members = [config["model"][name]["member"]] if name == "DirectEnsemble" else []
    iterates = table["iterations"] is False or table["iterations"] > 0
    return _IMPLICIT in (name, *members) and iterates and table["network"] is False


def _suited(config: ConfigDict, data_result: ResultDirectory) -> ConfigDict:
    """Return a configuration with the network of the data, and with the emulator if that is open."""
    from chemnet.data.preprocessed import PreprocessedData
    from chemnet.evaluation.network_by_fit import find_network
    from chemnet.training.recipes import with_recipe

    found = find_network(data_result, config)
    if found is not None:
        _log.info("the network that made the data: %s", found)
        config = config.replace(
            {key: value for key, value in found.changes.items() if split_key(key) not in config.chosen}
        )
    if config["model"]["name"] != ANY_EMULATOR:
        return config
    if found is None:
        _log.warning(
            "no available chemical network made these tracers, so the emulator is trained without one; with "
            "data_set.network=FOLDER (UCLCHEM, UMIST, KIDA, KROME, ...) its error would be several times "
            "smaller"
        )
    name, recipe = (_RELAXATION, "relaxation") if found is None else (_IMPLICIT, "implicit")
    rows = PreprocessedData(data_result).split("train").n_rows
    return with_recipe(_named(config.replace({"model.name": name})), recipe, rows)


def _going_on(config: ConfigDict, data_result: ResultDirectory) -> tuple[ConfigDict, Mapping[str, Tensor]]:
    """Return a configuration with model and recipe for the surrogate to start from, and its weights."""
    from chemnet.data.preprocessed import PreprocessedData
    from chemnet.models.contract import member_tables, own_table
    from chemnet.training.recipes import with_recipe

    surrogate, data = start(config), PreprocessedData(data_result)
    emulator: Any = surrogate.parts.emulator
    name = emulator.config["model"]["name"]
    tables = {name: own_table(emulator.config, name), **member_tables(emulator.config, name)}
    keys = {("model", table, key): value for table, values in tables.items() for key, value in values.items()}
    taken = {join_key(key): value for key, value in keys.items() if key not in config.chosen}
    _log.info(
        "starting from %s (%s), with its %d species in its order and its abundance floor of %g; parameters "
        "are scaled by your own tracers",
        surrogate.name, name, len(data.species), data.abundance_scaling.floor,
    )  # fmt: skip
    _say_other_steps(surrogate, data)
    config = _named(config.replace({"model.name": name, **taken}))
    kind = "steps" if _IMPLICIT in tables else "rollouts"
    config = with_recipe(config, f"fine_tuning_{kind}", data.split("train").n_rows)
    return config, emulator.state_dict()


def _say_other_steps(surrogate: Surrogate, data: PreprocessedData) -> None:
    """Warn where the data's usual time step is none that a surrogate was trained with."""
    import numpy as np

    dt, domain = data.split("train").dt, surrogate.domain
    usual = float(np.median(dt[dt > 0])) if (dt > 0).any() else domain.dt_usual
    if not 0.9 * domain.dt_min <= usual <= 1.1 * domain.dt_max:
        _log.warning(
            "your time steps are %.4g yr, those of %s %.4g yr: it has to learn more than usual",
            usual, surrogate.name, domain.dt_usual,
        )  # fmt: skip


def _named(config: ConfigDict) -> ConfigDict:
    """Return a configuration that names the component, if nobody did."""
    return config if _COMPONENT in config.chosen else config.replace({join_key(_COMPONENT): ANY_EMULATOR})


def check_fit(surrogate: Surrogate, data: PreprocessedData) -> bool:
    """Return whether data are in the order and on the scale of a surrogate to start from.

    Raises
    ------
    DataError
        When they have other species or parameters.
    """
    theirs, wanted = set(data.species), set(surrogate.species)
    if theirs != wanted:
        parts = {"lack": sorted(wanted - theirs), "have besides": sorted(theirs - wanted)}
        words = [f"{verb} {', '.join(names[:4])}{' ...' * (len(names) > 4)} ({len(names)})"
                 for verb, names in parts.items() if names]  # fmt: skip
        raise DataError(
            f"{surrogate.name} cannot go on with these tracers: they {' and '.join(words)}",
            hint="start from a surrogate of the same network, or leave train.start_from out: "
            "model.name=emulator learns from nothing",
        )
    if data.physical_names != surrogate.physical_names:
        raise DataError(
            f"{surrogate.name} knows the parameters {', '.join(surrogate.physical_names)}, in this order; "
            f"the data have {', '.join(data.physical_names)}",
            hint=f"set data_set.physical = {list(surrogate.physical_names)}",
        )
    same_floor = data.abundance_scaling.floor == surrogate.data.abundance_scaling.floor
    return data.species == surrogate.species and same_floor


def order_of(surrogate: Surrogate) -> dict[str, Any]:
    """Return the keys that make `preprocess` put data in the order and on the scale of a surrogate."""
    return {
        "data_set.species": list(surrogate.species),
        "preprocess.abundance_floor": surrogate.data.abundance_scaling.floor,
    }


def start(config: ConfigDict) -> Surrogate:
    """Return the surrogate that ``train.start_from`` names.

    Raises
    ------
    ModelError
        When nothing has this name, or it works on the latents of an autoencoder.
    """
    from chemnet.surrogate.surrogate import Surrogate

    surrogate = Surrogate.load(config["train"]["start_from"], config)
    if not surrogate.is_direct:
        raise ModelError(
            f"{surrogate.name} works on the latents of an autoencoder, and train.start_from takes those that "
            "work on abundances themselves",
            hint="start from the weights of its training: train.model_weights_file",
        )
    return surrogate

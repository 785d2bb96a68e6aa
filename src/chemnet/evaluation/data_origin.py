"""Which network made the data: by their parent result, or by what their file says."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from chemnet.chemistry.formats.row_files import ReadingOptions
from chemnet.chemistry.network.network import Network
from chemnet.chemistry.network.rate_options import GrainModel, RateOptions
from chemnet.chemistry.simulation.plan import SOLVER_OPTIONS, network_digest
from chemnet.config import ConfigDict
from chemnet.data.simulated_set import SimulatedSet
from chemnet.errors import ChemNetError, ConfigError, DataError
from chemnet.models.emulators.implicit.network_step import ImplicitChemistry
from chemnet.results import ResultDirectory
from chemnet.surrogate.surrogate import Surrogate

# attributes of a simulated set with the grain model and the factors of rates, as JSON
_RATES = {"grain": "grain", "scale": "rate_scale"}


def network_of(
    data_result: ResultDirectory, species: Sequence[str], config: ConfigDict
) -> tuple[Network, Mapping[str, Any]] | str:
    """Return the network and the solver's options that made the data, or why there is none at hand.

    Data without a result of `simulate` as parent may come from a copy of its file, which names the network.

    Parameters
    ----------
    data_result
        A result of `preprocess`.
    species
        Those that the network must have, in any order.
    config
        See `named_network`, which counts instead, with the options of ``[simulate]``.
    """
    named = named_network(config, species)
    if named is not None:
        return named, {name: config["simulate"][name] for name in SOLVER_OPTIONS}
    try:
        if "simulate" in data_result.parents:
            network, options = _by_parent(data_result)
        else:
            network, options = _by_file(data_result)
    except ChemNetError as error:
        return f"no network at hand: {error.message}"
    if set(network.species_names) != set(species):
        return f"no network at hand: {network.name} has other species than the surrogate"
    return network, {name: options[name] for name in SOLVER_OPTIONS}


def network_for(
    data_result: ResultDirectory, surrogate: Surrogate, config: ConfigDict
) -> tuple[Network, Mapping[str, Any]] | str:
    """Return `network_of` data that a surrogate is scored on, or else the network that it brings along.

    An emulator around an implicit step brings one, with or without UCLCHEM's quirks.
    """
    found = network_of(data_result, surrogate.species, config)
    chemistry = getattr(surrogate.parts.emulator, "chemistry", None)
    if not isinstance(found, str) or not isinstance(chemistry, ImplicitChemistry):
        return found
    options = {name: config["simulate"][name] for name in SOLVER_OPTIONS}
    return chemistry.network, {**options, "uclchem_compatible": chemistry.uclchem_compatible}


def named_network(config: ConfigDict, species: Sequence[str]) -> Network | None:
    """Return the network that ``benchmark.solver_network`` names, if any.

    Raises
    ------
    ChemNetError
        When it cannot be read, or has other species than the surrogate.
    """
    name = config["benchmark"]["solver_network"]
    if not name:
        return None
    reading = ReadingOptions.of(config["network"])
    network = Network.read(name, reading).with_rates(RateOptions.of(config["simulate"]))
    if set(network.species_names) != set(species):
        raise ConfigError(
            f"benchmark.solver_network = {str(name)!r}: {network.name} has other species than the surrogate",
            hint="name the network that the surrogate stands for, or false",
        )
    return network


def _by_parent(data_result: ResultDirectory) -> tuple[Network, Mapping[str, Any]]:
    """Return what the configuration of the parent names."""
    config = data_result.parent("simulate").config
    options = config["simulate"]
    network = Network.read(options["network"], ReadingOptions.of(config["network"]))
    return network.with_rates(RateOptions.of(options)), options


def _by_file(data_result: ResultDirectory) -> tuple[Network, Mapping[str, Any]]:
    """Return what the attributes of the file with the tracers name."""
    path = Path(str(data_result.config["data_set"]["path"]))
    try:
        with SimulatedSet(path) as simulated:
            made_by = simulated.provenance
    except DataError:
        raise DataError(
            f"{data_result.name} has no result of `chemnet simulate` as its parent, and {path.name} is no "
            "file that it wrote"
        ) from None
    # older sets hold nothing but the name of their network
    reading = ReadingOptions.of(json.loads(made_by.get("network_options", "{}")))
    rates = {name: json.loads(made_by.get(key, "{}")) for name, key in _RATES.items()}
    network = Network.read(str(made_by.get("network_source", made_by["network"])), reading)
    network = network.with_rates(RateOptions(GrainModel(**rates["grain"]), rates["scale"]))
    if network_digest(network) != made_by["network_digest"]:
        raise DataError(f"the network {network.name} is not the one any more that made {path.name}")
    return network, json.loads(made_by["solver_options"])

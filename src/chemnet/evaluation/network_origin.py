"""Which network made the data: by their parent result, or by what their file says."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
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

_NETWORK_KEYS = ("benchmark.solver_network", "data_set.network")
# attributes of a simulated set with the grain model and the factors of rates, as JSON
_RATES = {"grain": "grain", "scale": "rate_scale"}


@dataclass(frozen=True)
class NetworkOrigin:
    """The network that made some data, and how it was read and used.

    Attributes
    ----------
    source
        Its name, or the path of its file or folder.
    reading, rates
        How it was read, its grains and the factors of its rates.
    options
        Of the solver, by the names of ``[simulate]``.
    """

    source: str
    reading: ReadingOptions
    rates: RateOptions
    options: Mapping[str, Any]

    @cached_property
    def network(self) -> Network:
        """The network, with its rates."""
        return Network.read(self.source, self.reading).with_rates(self.rates)


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
        origin = network_origin(data_result)
    except ChemNetError as error:
        return f"no network at hand: {error.message}"
    if set(origin.network.species_names) != set(species):
        return f"no network at hand: {origin.network.name} has other species than the surrogate"
    return origin.network, {name: origin.options[name] for name in SOLVER_OPTIONS}


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
    """Return the network that ``benchmark.solver_network`` names, or else ``data_set.network``, if any.

    Raises
    ------
    ChemNetError
        When it cannot be read, or has other species than the surrogate.
    """
    key = next((key for key in _NETWORK_KEYS if config.lookup(key)), None)
    if key is None:
        return None
    name = config.lookup(key)
    reading = ReadingOptions.of(config["network"])
    network = Network.read(name, reading).with_rates(RateOptions.of(config["simulate"]))
    if set(network.species_names) != set(species):
        raise ConfigError(
            f"{key} = {str(name)!r}: {network.name} has other species than the surrogate",
            hint="name the network that the surrogate stands for, or false",
        )
    return network


def network_origin(data_result: ResultDirectory) -> NetworkOrigin:
    """Return the network that `simulate` made the data with: by their parent, or by what their file says.

    Raises
    ------
    ChemNetError
        When neither names one, or it cannot be read, or is not the same any more.
    """
    return _by_parent(data_result) if "simulate" in data_result.parents else _by_file(data_result)


def _by_parent(data_result: ResultDirectory) -> NetworkOrigin:
    """Return what the configuration of the parent names."""
    config = data_result.parent("simulate").config
    options = config["simulate"]
    reading = ReadingOptions.of(config["network"])
    return NetworkOrigin(str(options["network"]), reading, RateOptions.of(options), options)


def _by_file(data_result: ResultDirectory) -> NetworkOrigin:
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
    origin = NetworkOrigin(
        str(made_by.get("network_source", made_by["network"])),
        reading,
        RateOptions(GrainModel(**rates["grain"]), rates["scale"]),
        json.loads(made_by["solver_options"]),
    )
    if network_digest(origin.network) != made_by["network_digest"]:
        raise DataError(f"the network {origin.network.name} is not the one any more that made {path.name}")
    return origin

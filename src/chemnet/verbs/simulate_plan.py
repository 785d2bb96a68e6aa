"""What `chemnet simulate` is to integrate: network, histories and initial state, read or made."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from chemnet.config import ConfigDict
from chemnet.errors import ConfigError

if TYPE_CHECKING:
    from chemnet.chemistry.clouds import Layers
    from chemnet.chemistry.simulation.plan import SimulationPlan
    from chemnet.chemistry.tracers import Tracer


class Histories(NamedTuple):
    """What is integrated along, what the set says of it, and for points of a cloud the gas of each."""

    tracers: Sequence[Tracer]
    origin: Mapping[str, str]
    layers: Layers | None = None


def make_plan(config: ConfigDict) -> SimulationPlan:
    """Read or generate all that the integration needs, so that bad input stops the run here.

    Raises
    ------
    ChemNetError
        A network, tracer, model or abundance that cannot be used.
    """
    from chemnet.chemistry.formats.row_files import ReadingOptions
    from chemnet.chemistry.network.initial_abundances import initial_abundances
    from chemnet.chemistry.network.network import Network
    from chemnet.chemistry.network.rate_options import RateOptions
    from chemnet.chemistry.simulation.plan import SOLVER_OPTIONS, SimulationPlan

    options = config["simulate"]
    _check_choice(config)
    reading = ReadingOptions.of(config["network"])
    network = Network.read(options["network"], reading).with_rates(RateOptions.of(options))
    initial = {reading.naming.described(name): value for name, value in options["initial"].to_dict().items()}
    histories = _histories(config)
    plan = SimulationPlan(
        network=network,
        tracers=histories.tracers,
        initial=initial_abundances(network, initial),
        options={name: options[name] for name in SOLVER_OPTIONS},
        layers=histories.layers,
        origin=histories.origin,
    )
    plan.check_temperatures()
    return plan


def provenance(config: ConfigDict, plan: SimulationPlan) -> dict[str, Any]:
    """Return what made the set, without anything that differs between equal runs."""
    from dataclasses import asdict
    from importlib.metadata import version

    from chemnet.chemistry.formats.row_files import ReadingOptions

    options = config["simulate"]
    return {
        "chemnet_version": version("chemnet"),
        "network": plan.network.name,
        "network_source": str(options["network"]),
        "network_options": json.dumps(asdict(ReadingOptions.of(config["network"]))),
        "seed": config["general"]["seed"],
        **plan.origin,
        "solver_options": json.dumps(dict(plan.options)),
        "grain": json.dumps(asdict(plan.network.rate_options.grain)),
        "rate_scale": json.dumps(dict(plan.network.rate_options.scale)),
        **{f"{part.replace(' ', '_')}_digest": digest for part, digest in plan.digests().items()},
    }


def _check_choice(config: ConfigDict) -> None:
    """Refuse parameters that the chosen model, or tracers of another kind, would pass over in silence."""
    from chemnet.chemistry.clouds import CLOUDS

    options = config["simulate"]
    model = options["cloud"]
    if model is not False and options["tracers"] is not False:
        raise ConfigError(
            f"simulate.cloud = {model!r} and simulate.tracers = {options['tracers']!r}: which of them?",
            hint="set one of them to false",
        )
    if model is not False and model not in CLOUDS:
        return  # refused with the near misses where it is made
    for name in options["uclchem"]:
        models = [one for one in CLOUDS if name in CLOUDS[one].parameters]
        if config.departs(("simulate", "uclchem", name)) and model not in models:
            what = f"simulate.cloud = {model!r}" if model else "tracers that are no cloud"
            raise ConfigError(
                f"simulate.uclchem.{name} means nothing to {what}",
                hint=f"it is a parameter of simulate.cloud = {' or '.join(map(repr, models))}",
            )


def _histories(config: ConfigDict) -> Histories:
    """Make a cloud, read the user's tracers, or generate some."""
    from chemnet.chemistry.clouds import build_cloud
    from chemnet.chemistry.tracers import generate_tracers
    from chemnet.data.readers.forcing_table import read_tracers

    options = config["simulate"]
    if options["cloud"] is not False:
        dust_to_gas = options["grain"]["dust_to_gas"]
        cloud = build_cloud(options["cloud"], options["uclchem"], options["n_steps"], dust_to_gas)
        parameters = json.dumps(options["uclchem"].to_dict())
        starts = json.dumps(cloud.starts)
        origin = {"tracers": options["cloud"], "uclchem": parameters, "phase_starts_yr": starts}
        return Histories(cloud.tracers, origin, cloud.layers)
    if options["tracers"] is not False:
        read = read_tracers(options["tracers"], config)
        return Histories(read, {"tracers": Path(options["tracers"]).name})
    tracers = generate_tracers(
        options["n_tracers"],
        config["general"]["seed"],
        n_steps=options["n_steps"],
        end_time=options["end_time"],
        weights=options["families"],
        pre_phase_share=options["pre_phase_share"],
        heating_share=options["heating_share"],
    )
    return Histories(tracers, {"tracers": "generated"})

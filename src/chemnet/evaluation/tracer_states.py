"""The states of one tracer out of a result, with the network that its chemistry follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chemnet.chemistry.formats.row_files import ReadingOptions
from chemnet.chemistry.network.network import Network
from chemnet.chemistry.network.rate_options import RateOptions
from chemnet.chemistry.solver.solve import COLUMNS, SHIELDING_COLUMNS
from chemnet.config import ConfigDict
from chemnet.data.infer_result.inference_dataset import InferenceDataset
from chemnet.data.simulated_set import SimulatedSet
from chemnet.errors import NotFoundError, ResultsError, suggest
from chemnet.evaluation.network_origin import network_of
from chemnet.progress import get_logger
from chemnet.results import ResultDirectory, VerbResult

Array = NDArray[np.float64]

_LEAST = 1e-20  # what tables of abundances end at
_log = get_logger(__name__)


@dataclass(frozen=True)
class TracerStates:
    """The states of one tracer.

    Parameters
    ----------
    tracer
        Its id.
    network, uclchem_compatible
        What its chemistry follows.
    history
        Time [yr] and conditions, as `Network.solve` takes them.
    abundances
        Shape (rows, n_species), in the network's order.
    truth
        The same of the truth, where `abundances` are a surrogate's; else None.
    """

    tracer: str
    network: Network
    uclchem_compatible: bool
    history: dict[str, Array]
    abundances: Array
    truth: Array | None = None


def states_of(result: ResultDirectory, tracer: str | None, config: ConfigDict) -> TracerStates:
    """Return the states of one tracer from a result of `simulate`, or of `infer` with predicted abundances.

    Parameters
    ----------
    result
        The result.
    tracer
        Id of the tracer; None: the first, which is said.
    config
        ``analyse.network`` names the network where the result does not.

    Raises
    ------
    ResultsError
        When the result holds no abundances, or its network is not at hand.
    NotFoundError
        When there is no such tracer.
    """
    readers = {"simulate": _simulated, "infer": _inferred}
    if result.verb not in readers:
        raise ResultsError(
            f"{result.name} is a result of `{result.verb}`; analyse needs states along tracers",
            hint="give a result of `simulate`, or of `infer` with an emulator",
        )
    return readers[result.verb](result, tracer, config)


def _simulated(result: ResultDirectory, tracer: str | None, config: ConfigDict) -> TracerStates:
    """Read a tracer that `simulate` integrated."""
    made_with = result.config
    simulated: SimulatedSet
    with VerbResult.load(result.path).open() as simulated:  # type: ignore[attr-defined]
        which = _position(tracer, simulated.tracer_ids, result)
        names, physical = simulated.physical_names, simulated.physical(which)
        history = _history(simulated.time(which), names, physical)
        abundances = np.asarray(simulated.abundances(which), np.float64)
        species, name = simulated.species, simulated.tracer_ids[which]
    network = _named(config)
    if network is None:
        network = Network.read(made_with["simulate"]["network"], ReadingOptions.of(made_with["network"]))
        network = network.with_rates(RateOptions.of(made_with["simulate"]))
    order = _order(network, species)
    return TracerStates(
        name, network, bool(made_with["simulate"]["uclchem_compatible"]), history, abundances[:, order]
    )


def _inferred(result: ResultDirectory, tracer: str | None, config: ConfigDict) -> TracerStates:
    """Read a tracer that a surrogate predicted, and its truth."""
    data = InferenceDataset(result)
    field = next((name for name in ("abundance", "reconstruction") if name in data.fields), None)
    if field is None:
        raise ResultsError(
            f"{result.name} holds latents alone, no abundances",
            hint="infer with an emulator, or an autoencoder with infer.reconstruction=true",
        )
    name = data.tracer_ids[_position(tracer, data.tracer_ids, result)]
    rows = data.tracer_rows(name)
    network, options = _network_behind(result, data.species, config)
    order = _order(network, data.species)
    history = _history(data.time[rows], data.physical_names, data.physical[rows])
    predicted = np.asarray(data.take(field, rows), np.float64)
    return TracerStates(
        name,
        network,
        bool(options["uclchem_compatible"]),
        history,
        predicted[:, order],
        np.maximum(data.truth(rows), _LEAST)[:, order],
    )


def _network_behind(
    result: ResultDirectory, species: Sequence[str], config: ConfigDict
) -> tuple[Network, Any]:
    """Return the network of predicted states: the one that is named, or the one that made the data."""
    named = _named(config)
    if named is not None:
        return named, config["simulate"]
    found = network_of(result.parent("preprocess"), species, config)
    if isinstance(found, str):
        raise ResultsError(found, hint="name it: analyse.network=FOLDER, with the options of [simulate]")
    return found


def _named(config: ConfigDict) -> Network | None:
    name = config["analyse"]["network"]
    if not name:
        return None
    return Network.read(name, ReadingOptions.of(config["network"])).with_rates(
        RateOptions.of(config["simulate"])
    )


def _order(network: Network, species: Sequence[str]) -> NDArray[np.int64]:
    different = sorted(set(network.species_names) ^ set(species))
    if different:
        raise ResultsError(
            f"network {network.name!r} and the states differ in {len(different)} species, {different[0]!r} "
            "for one",
            hint="name the network that made the tracers: analyse.network=FOLDER",
        )
    return np.array([list(species).index(name) for name in network.species_names], dtype=np.int64)


def _position(tracer: str | None, known: Sequence[str], result: ResultDirectory) -> int:
    """Return where a tracer stands among those of a result."""
    if tracer is None:
        _log.info("no --tracer given: %s, the first of %d", known[0], len(known))
        return 0
    if tracer not in known:
        raise NotFoundError(f"{result.name} has no tracer {tracer!r}", hint=suggest(tracer, known))
    return list(known).index(tracer)


def _history(time: Array, names: Sequence[str], physical: Array) -> dict[str, Array]:
    """Return time and those conditions that rates depend on, by name."""
    wanted = (*COLUMNS, *SHIELDING_COLUMNS)
    return {"time": time} | {name: physical[:, i] for i, name in enumerate(names) if name in wanted}

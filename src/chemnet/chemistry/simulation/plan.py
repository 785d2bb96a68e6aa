"""The plan of a simulation, and digests that tell whether an unfinished run may be resumed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chemnet.chemistry.clouds import SHIELDING_SPECIES, Layers
from chemnet.chemistry.network.rate_options import RateOptions
from chemnet.chemistry.rates.temperature_coverage import temperature_coverage
from chemnet.chemistry.tracers import PHYSICAL_NAMES, Tracer

if TYPE_CHECKING:
    from chemnet.chemistry.network.network import Network

# keys of [simulate] that Network.solve takes
SOLVER_OPTIONS = ("method", "interpolation", "rtol", "atol", "uclchem_compatible")
# where a row stood and who published it does not change what it does
_NOT_CHEMISTRY = ("source", "reference")


@dataclass(frozen=True)
class SimulationPlan:
    """A network, the tracers that it is integrated along, where it starts, and how.

    Attributes
    ----------
    network
        What reacts.
    tracers
        The histories, in the order of the set.
    initial
        Shape ``(n_species,)``: abundances before everything.
    options
        Keyword arguments of ``Network.solve``.
    layers
        The gas of each tracer where they are the points of a cloud, which shield one another; else None.
    origin
        What the set is to say of where its tracers come from.
    """

    network: Network
    tracers: Sequence[Tracer]
    initial: NDArray[np.float64]
    options: Mapping[str, Any]
    layers: Layers | None = None
    origin: Mapping[str, str] = field(default_factory=dict)

    def digests(self) -> dict[str, str]:
        """Return one digest per part; equal digests mean equal abundances."""
        digests = {
            "network": network_digest(self.network),
            "tracers": _tracers_digest(self.tracers),
            "initial abundances": _digest([self.initial.tobytes()]),
            "solver options": _digest([json.dumps(dict(self.options), sort_keys=True).encode()]),
        }
        if self.layers is not None:
            outside = repr((self.layers.base_av, self.layers.dust_to_gas)).encode()
            digests["layers"] = _digest([self.layers.nuclei.tobytes(), outside])
        return digests

    def check_temperatures(self) -> None:
        """Refuse tracers that leave the temperatures of the network, before any is integrated.

        Raises
        ------
        DataError
            Naming tracer, step, temperature and the range of the network.
        """
        names: list[str] = []
        temperatures: list[NDArray[np.float64]] = []
        for tracer in self.tracers:
            name = f"tracer {tracer.tracer_id!r}"
            if tracer.pre_phase is not None:
                names.append(f"{name}, in the static phase before step 0")
                temperatures.append(np.array([tracer.pre_phase.gas_temperature]))
            names += [f"{name}, step {step}" for step in range(len(tracer))]
            temperatures.append(tracer.physical[:, tracer.names.index("gasTemp")])
        temperature_coverage(self.network).check(np.concatenate(temperatures), names.__getitem__)

    @property
    def physical_names(self) -> tuple[str, ...]:
        """The physical columns, the same of all tracers."""
        shielding = () if self.layers is None else tuple(SHIELDING_SPECIES)
        return (*self.tracers[0].names, *shielding)

    @property
    def longest(self) -> int:
        """Steps of the longest tracer."""
        return max(len(tracer) for tracer in self.tracers)


def network_digest(network: Network) -> str:
    """Return a digest of the species and reactions of a network, whatever file they came from."""
    lines = [_row(part) for part in (*network.species, *network.reactions)]
    if network.rate_options != RateOptions():
        lines.append(repr(network.rate_options))
    return _digest(line.encode() for line in lines)


def _row(part: Any) -> str:
    """Write a species or reaction as text, with all that its chemistry depends on."""
    return repr({one.name: getattr(part, one.name) for one in fields(part) if one.name not in _NOT_CHEMISTRY})


def _tracers_digest(tracers: Sequence[Tracer]) -> str:
    """Return a digest of ids, times, parameters and phases before."""
    parts: list[bytes] = []
    for tracer in tracers:
        phase = asdict(tracer.pre_phase) if tracer.pre_phase else {}
        parts += [tracer.tracer_id.encode(), repr(phase).encode()]
        parts += [tracer.time.tobytes(), tracer.physical.tobytes()]
        if tracer.names != PHYSICAL_NAMES:
            parts.append(repr(tracer.names).encode())
    return _digest(parts)


def _digest(parts: Any) -> str:
    """Return the BLAKE2b digest (128 bit) of some bytes."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(part)
        digest.update(b"\n")
    return digest.hexdigest()

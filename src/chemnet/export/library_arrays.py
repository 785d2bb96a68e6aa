"""A surrogate as the arrays of the exported library: those of the fused engine, and its ranges.

Shapes: S species, P physical parameters, E elements, L latents of all members.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chemnet.chemistry.network.stoichiometry import charges
from chemnet.errors import ModelError
from chemnet.export.implicit_arrays import implicit_arrays
from chemnet.models.emulators.implicit.implicit_emulator import ImplicitEmulator
from chemnet.surrogate.engine.fused_codec import FusedMap
from chemnet.surrogate.engine.fused_rollouts import PerceptronRollout, RecurrentRollout
from chemnet.surrogate.engine.perceptron_arrays import Layer, Packed, pack
from chemnet.surrogate.surrogate import Surrogate

# as `emulator_kind` of emulator.h; the first two are those of the engine
_RECURRENT = 2
_EXPORTED = (
    "exported are residual, relaxing and recurrent emulators and their ensembles, and those around an "
    "implicit step; see docs/how-to/couple.md"
)
# as `indicator_kind` of trust.h; physical parameters follow, and then what an emulator shows of itself
_INDICATORS = ("distance", "imbalance", "start_error", "age", "spread")


def packed_surrogate(surrogate: Surrogate) -> dict[str, Any]:
    """Return the arrays of a surrogate's weight file, by name.

    Raises
    ------
    ModelError
        When its emulator or autoencoder has no fused form, which is what the library computes.
    """
    members = getattr(surrogate.components, "members", [surrogate.components])
    if len(members) > 1 and isinstance(members[0].emulator, ImplicitEmulator):
        raise ModelError(
            "an ensemble of emulators around an implicit step cannot be exported", hint=_EXPORTED
        )
    arrays: dict[str, Any] = _shared(surrogate, len(members))
    for number, member in enumerate(members):
        prefix = f"member{number}"
        arrays |= _emulator(member, prefix)
        if not surrogate.is_direct:
            arrays |= _coders(member, prefix)
    return arrays | _trust(surrogate)


def _shared(surrogate: Surrogate, n_members: int) -> dict[str, Any]:
    """Return names, ranges and stoichiometry."""
    data, domain = surrogate.data, surrogate.domain
    low, width = data.physical_scaling.offset_and_width
    atoms = {"atoms": np.ascontiguousarray(data.stoichiometry.T, np.float64)}
    if surrogate.is_neutral:
        atoms = {"atoms_and_charges": np.vstack([data.stoichiometry.T, charges(data.species)])}
    general = [data.abundance_scaling.decades, domain.dt_usual, domain.dt_min, domain.dt_max]
    return {
        "species": "\n".join(data.species),
        "elements": "\n".join(data.elements),
        "physical": "\n".join(data.physical_names),
        "form": np.array([n_members, surrogate.is_direct], np.int64),
        "general": np.array(general, np.float64),
        **atoms,
        "domain.physical": np.array([domain.physical_min, domain.physical_max], np.float64),
        "domain.totals": np.array([domain.total_min, domain.total_max], np.float64),
        "scaling.physical": np.stack([low, width]),
    }


def _emulator(member: Any, prefix: str) -> dict[str, Any]:
    """Return what advances the latents of one member."""
    if isinstance(member.emulator, ImplicitEmulator):
        return implicit_arrays(member.emulator, prefix)
    rollout = member.fused
    if isinstance(rollout, PerceptronRollout):
        kind, n_memory, networks = rollout.kind, 0, {"change": rollout.network}
    elif isinstance(rollout, RecurrentRollout):
        first = pack([Layer.of(member.emulator.step.first_memory)])
        networks = {"look": rollout.look, "new": rollout.new, "old": rollout.old, "change": rollout.head}
        networks["memory"] = first
        kind, n_memory = _RECURRENT, int(first.layout[2])
    else:
        raise ModelError(
            f"{type(member.emulator).__name__} has no form that the C library computes",
            hint=_EXPORTED,
        )
    forcing, ranges = rollout.forcing, rollout.ranges
    return {
        f"{prefix}.form": np.array([kind, ranges.shape[1], n_memory], np.int64),
        f"{prefix}.usual_dt": np.array([forcing.usual], np.float64),
        f"{prefix}.terms": forcing.terms,
        f"{prefix}.limits": forcing.limits,
        f"{prefix}.ranges": ranges,
        **_networks(prefix, networks),
    }


def _coders(member: Any, prefix: str) -> dict[str, Any]:
    encoder, decoder = member.encoder, member.decoder
    if not isinstance(encoder, FusedMap) or not isinstance(decoder, FusedMap):
        raise ModelError(
            "the autoencoder of this surrogate has no form that the C library computes",
            hint=_EXPORTED,
        )
    return _networks(prefix, {"encoder": encoder.network, "decoder": decoder.network})


def _networks(prefix: str, networks: dict[str, Packed]) -> dict[str, Any]:
    return {
        f"{prefix}.{name}.{part}": values
        for name, network in networks.items()
        for part, values in network._asdict().items()
    }


def _trust(surrogate: Surrogate) -> dict[str, Any]:
    """Return what the expected error is computed from; nothing where it was never calibrated."""
    if not surrogate.is_calibrated:
        return {}
    known = surrogate.judgement
    calibration, reference = known.calibration, known.reference
    order: Sequence[str] = (*_INDICATORS, *surrogate.physical_names, *ImplicitEmulator.signs)
    return {
        "trust.kinds": np.array([order.index(name) for name in calibration.indicators], np.int64),
        "trust.weights": np.array(list(calibration.weights.values()), np.float64),
        "trust.knots": np.array(calibration.knots, np.float64),
        "trust.errors": np.array(calibration.errors, np.float64),
        "trust.places": reference.places.float().numpy(),
        "trust.centre": reference.centre.float().numpy(),
        "trust.spread": reference.spread.float().numpy(),
    }

"""Small surrogates around an implicit step, of networks of every kind, and random cells for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from solver_oracles import ATOMIC_START, tracer

from chemnet.chemistry.formats import native_writer
from chemnet.chemistry.network.network import Network
from chemnet.config import load_config
from chemnet.data.description import DataDescription
from chemnet.data.scaling import AbundanceScaling, PhysicalScaling
from chemnet.models.contract import build_model
from chemnet.surrogate.predictor import Parts
from chemnet.surrogate.surrogate import Surrogate
from chemnet.surrogate.trust.calibration import Judgement
from chemnet.surrogate.trust.expected_error import Calibration
from chemnet.surrogate.trust.novelty import ReferenceStates
from chemnet.surrogate.trust.trained_ranges import Domain
from chemnet.surrogate.wrappers.conservation import conserve_elements

NAMES = ("Density", "Radfield", "Av", "gasTemp")
LOW, HIGH = (1e4, 1e-3, 0.3, 10.0), (1e6, 10.0, 100.0, 100.0)
DT = 3000.0


def write_gas(folder: Path) -> Path:
    """Write the gas of the shipped network into a folder and return it."""
    whole = Network.read("collapse")
    gas = [one for one in whole.species if one.phase == "gas"]
    names = {one.name for one in gas}
    inside = [one for one in whole.reactions if names.issuperset((*one.reactants, *one.products))]
    native_writer.write(folder, gas, inside, name="gas", abundances=ATOMIC_START)
    return folder


def make_surrogate(network: str, further: tuple[str, ...] = (), **table: Any) -> Surrogate:
    """Return a surrogate with random networks that move, calibrated by hand.

    Parameters
    ----------
    network
        Name or folder.
    further
        Parameters beside the usual four; their ranges are 1 to 2.
    **table
        Changes to the emulator's table.
    """
    known = Network.read(network)
    low, high = (*LOW, *(1.0 for _ in further)), (*HIGH, *(2.0 for _ in further))
    data = DataDescription(
        known.species_names[::-1],
        known.elements,
        known.stoichiometry[::-1].copy(),
        (*NAMES, *further),
        AbundanceScaling(1e-20),
        PhysicalScaling(low, high),
        window=2,
        horizon=1,
    )
    keys = {"network": network, "hidden": 24, **table}
    config = load_config().replace(
        {
            "model.name": "ImplicitEmulator",
            **{f"model.ImplicitEmulator.{name}": one for name, one in keys.items()},
        }
    )
    torch.manual_seed(3)
    model: Any = build_model(config, data)
    with torch.no_grad():
        model.time_step.usual.fill_(DT)
        model.correction.centre.fill_(0.4).add_(0.1 * torch.rand(data.n_species))
        model.correction.width.fill_(0.1)
        model.features.centre.normal_(std=0.3)
        model.features.width.fill_(1.5)
        torch.nn.init.normal_(model.correction.error.weight, std=0.2)
    atoms = sum(amount * known.stoichiometry[known.index(name)] for name, amount in ATOMIC_START.items())
    totals = tuple(np.asarray(atoms).tolist())
    domain = Domain(low, high, totals, totals, 0.1 * DT, 10.0 * DT, DT)
    return Surrogate(
        Parts(model, None, None, model.data), domain, "made", {}, lambda _: _judgement(model, known)
    )


def _judgement(model: Any, network: Network) -> Judgement:
    """Return a calibration by hand, and the states of one cloud as those that are known."""
    data, names = model.data, model.data.physical_names
    way = tracer([0.0, *np.geomspace(1e3, 1e6, 30)], Density=2e5, Av=8.0, gasTemp=20.0)
    aged = network.solve(way, ATOMIC_START, rtol=1e-3).abundances[
        1:, [network.index(name) for name in data.species]
    ]
    latents = torch.from_numpy(data.abundance_scaling.scale(aged)).float()
    torch.manual_seed(4)
    reference = ReferenceStates.of(latents, 0.5 + 0.1 * torch.rand(len(latents), len(names)))
    signs = ("distance", "imbalance", "start_error", "age", *model.signs, *names)
    weights = dict(zip(signs, np.linspace(0.05, 0.3, len(signs)).tolist(), strict=True))
    return Judgement(reference, Calibration(weights, (-3.0, -1.0, 0.5, 1.5), (0.01, 0.1, 0.3, 1.0)))


def random_cells(surrogate: Surrogate, network: Network, count: int) -> tuple[Any, Any, Any]:
    """Return abundances `(B, S)`, parameters `(B, P)` and time steps `(B,)`: aged gas, disturbed by 5 %;
    without the cold start where there is bulk ice, which a kink in the equations follows."""
    rng = np.random.default_rng(8)
    conditions, states = _between(rng, 12, LOW, HIGH), []
    for one in conditions:
        way = tracer([0.0, 1e3, 1e5, 1e6], **dict(zip(NAMES, one, strict=True)))
        states.append(network.solve(way, ATOMIC_START, rtol=1e-3).abundances)
    which = rng.integers(0, len(states), count)
    order = [network.index(name) for name in surrogate.species]
    aged = np.stack(states)[which, rng.integers(int(network.has_bulk), 4, count)][:, order]
    moved = torch.from_numpy(np.maximum(aged, 1e-20) * 10.0 ** rng.normal(0.0, 0.02, aged.shape))
    totals = torch.from_numpy(np.repeat([surrogate.domain.total_min], count, axis=0))
    start = conserve_elements(moved, totals, torch.from_numpy(surrogate.data.stoichiometry)).numpy()
    low, high = (
        np.array(limits) for limits in (surrogate.domain.physical_min, surrogate.domain.physical_max)
    )
    physical = _between(rng, count, low, high)
    physical[:, : len(NAMES)] = conditions[which] * 10.0 ** rng.normal(0.0, 0.1, (count, len(NAMES)))
    return start, np.clip(physical, low, high), DT * 10.0 ** rng.uniform(-1.0, 1.0, count)


def _between(rng: Any, count: int, low: Any, high: Any) -> Any:
    logs = rng.uniform(np.log10(low), np.log10(high), (count, len(low)))
    return 10.0**logs

"""An emulator around an implicit step as the arrays of the exported library, its network among them.

Shapes: S species, F features of the physical parameters, H hidden.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chemnet.chemistry.solver.implicit_step import ImplicitStep
from chemnet.chemistry.tracers import FURTHER_CONDITIONS, PHYSICAL_NAMES
from chemnet.models.emulators.implicit.correction import N_SIGNS
from chemnet.models.emulators.implicit.implicit_emulator import DIVIDED_ERROR, ImplicitEmulator
from chemnet.surrogate.engine.forcing_features import bounded, physical_limits
from chemnet.surrogate.engine.perceptron_arrays import Layer, as_float64, pack

# as `emulator_kind` of emulator.h
_IMPLICIT = 3
# as the columns of reaction_network.h
_CONDITIONS = (*PHYSICAL_NAMES, *FURTHER_CONDITIONS)

# what stands elsewhere too, and what only the elimination of a single matrix in Python uses
_OF_ONE = ("first_wide", "lower_wide", "upper_start", "upper_column")
_UNUSED = ("species", "switches.electron", "switches.surface", *(f"problem.plan.{name}" for name in _OF_ONE))


def implicit_arrays(emulator: ImplicitEmulator, prefix: str) -> dict[str, Any]:
    """Return the arrays of an emulator, by name; those that every kind has begin with the prefix.

    Raises
    ------
    ModelError
        When its network holds rates that are expressions (KROME), which no array can carry.
    """
    n_species, features = emulator.data.n_species, emulator.features
    terms = np.array([tuple(map(float, term)) for term in features.terms])
    unit = np.ones(n_species)
    return {
        f"{prefix}.form": np.array([_IMPLICIT, n_species, 0], np.int64),
        f"{prefix}.usual_dt": np.array([float(emulator.time_step.usual)]),
        f"{prefix}.terms": bounded(np.column_stack([terms, as_float64(features.centre)])),
        f"{prefix}.limits": physical_limits(emulator.data),
        # scaled abundances are their own latents
        f"{prefix}.ranges": np.stack([0.0 * unit, unit, 0.0 * unit, unit]).astype(np.float32),
        **_settings(emulator),
        **_correction(emulator),
        **_network(emulator),
    }


def _settings(emulator: ImplicitEmulator) -> dict[str, Any]:
    """Return when iterations end, and which steps are integrated."""
    table, names = emulator.table, list(emulator.data.physical_names)
    fixed, most = table["iterations"], table["most_iterations"]
    least, most = (min(table["least_iterations"], most), most) if fixed is False else (fixed, fixed)
    limit = math.inf if table["solver_error"] is False else table["solver_error"]
    usual = ImplicitStep.sub_step.__kwdefaults__ or {}
    growth = usual["span"] ** (1.0 / max(1, table["sub_steps"]))
    of_sub_steps = (growth, usual["update_tolerance"], DIVIDED_ERROR)
    numbers = (table["update_tolerance"], limit, table["solver_rtol"], *of_sub_steps)
    places = [names.index(name) if name in names else -1 for name in _CONDITIONS]
    return {
        "implicit.form": np.array(
            [emulator.chemistry is not None, least, most, table["sub_steps"]], np.int64
        ),
        "implicit.numbers": np.array(numbers, np.float64),
        "implicit.columns": np.array(places, np.int64),
    }


def _correction(emulator: ImplicitEmulator) -> dict[str, Any]:
    """Return the networks that correct the iterate; the error's output stands behind those of the species."""
    net, n_species = emulator.correction, emulator.data.n_species
    gains = np.ones(3 * n_species + len(emulator.features.names) + N_SIGNS)
    gains[3 * n_species : -N_SIGNS] = 1.0 / as_float64(emulator.features.width)
    first, second, last, error = (Layer.of(one) for one in (net.first, net.second, net.last, net.error))
    both = Layer(np.hstack([last.matrix, error.matrix]), np.concatenate([last.bias, error.bias]))
    layers = {
        "first": Layer(first.matrix * gains[:, None], first.bias, "silu"),
        "second": Layer(second.matrix, second.bias, "silu"),
        "last": both,
    }
    packed = {f"implicit.{name}": pack([layer]) for name, layer in layers.items()}
    return {
        "implicit.centre": net.centre.float().numpy(),
        "implicit.width": net.width.float().numpy(),
        **{
            f"{name}.{part}": values for name, one in packed.items() for part, values in one._asdict().items()
        },
    }


def _network(emulator: ImplicitEmulator) -> dict[str, Any]:
    """Return the network's step; whole numbers of every kind as int64, which the weight file holds."""
    if emulator.chemistry is None:
        return {}
    arrays = emulator.chemistry.step.to_arrays()
    plain = {
        f"step.{name}": np.atleast_1d(values if values.dtype.kind == "f" else values.astype(np.int64))
        for name, values in arrays.items()
        if name not in _UNUSED
    }
    return {**plain, "implicit.order": emulator.chemistry.order}

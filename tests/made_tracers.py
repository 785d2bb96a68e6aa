"""Small made tracers: twelve species that relax smoothly towards what the physical parameters favour.

Not chemistry, but shaped like it: elements are conserved by construction, row 0 of every tracer is a cold
start with 1e-30 for what has not formed yet, and the parameters of row i drive the step from row i to i + 1.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

SPECIES = ("H", "H2", "HE", "C+", "C", "CO", "#CO", "O", "OH", "H2O", "#H2O", "E-")
PHYSICAL_NAMES = ("Density", "Radfield", "Av", "gasTemp")
CARBON, OXYGEN, HELIUM = 1.77e-4, 3.34e-4, 0.1
UNFORMED = 1e-30
STEP_YEARS = 3367.0


@dataclass(frozen=True)
class MadeTracers:
    """Raw units: `time` [yr] (tracers, steps), `physical` and `abundance` (tracers, steps, columns)."""

    time: np.ndarray
    physical: np.ndarray
    abundance: np.ndarray
    species: tuple[str, ...] = SPECIES

    @property
    def rows(self) -> np.ndarray:
        """The abundances as one table, (tracers * steps, species)."""
        return self.abundance.reshape(-1, len(self.species))


def make_tracers(n_tracers: int = 12, n_steps: int = 30, seed: int = 0) -> MadeTracers:
    """Return `n_tracers` collapsing tracers of `n_steps` steps each; the same seed gives the same tracers."""
    rng = np.random.default_rng(seed)
    time = np.broadcast_to(np.arange(n_steps) * STEP_YEARS, (n_tracers, n_steps)).copy()
    physical = _physical(rng, np.linspace(0.0, 1.0, n_steps), n_tracers)
    return MadeTracers(time, physical, _abundances(_relax(physical)))


def write_uclchem_table(path: Path, tracers: MadeTracers, key: str = "df") -> Path:
    """Write the pandas-HDF5 layout of UCLCHEM users: one row per (tracer, step), key `df`."""
    import pandas as pd

    n_tracers, n_steps, _ = tracers.physical.shape
    columns: dict[str, np.ndarray] = {
        "Index": np.arange(n_tracers * n_steps),
        "Model": np.repeat(np.arange(n_tracers), n_steps),
        "Time": tracers.time.ravel(),
        **dict(zip(PHYSICAL_NAMES, tracers.physical.reshape(-1, 4).T, strict=True)),
        "dustTemp": tracers.physical[..., 3].ravel(),
        "dstep": np.tile(np.arange(n_steps), n_tracers),
        "zeta": np.ones(n_tracers * n_steps),
        **dict(zip(tracers.species, tracers.rows.T.astype(np.float32), strict=True)),
        "SURFACE": _sum_of(tracers, "#"),
        "BULK": _sum_of(tracers, "@"),
    }
    pd.DataFrame(columns).to_hdf(path, key=key, mode="w")
    return path


def write_plain_hdf5(path: Path, tracers: MadeTracers) -> Path:
    """Write the plain HDF5 layout: datasets `physical`, `abundances`, `time`, `species`, `model`."""
    with h5py.File(path, "w") as file:
        file["physical"] = tracers.physical
        file["physical"].attrs["names"] = list(PHYSICAL_NAMES)
        file["abundances"] = tracers.abundance.astype(np.float32)
        file["time"] = tracers.time
        file["species"] = list(tracers.species)
        file["model"] = np.arange(len(tracers.time))
    return path


def write_npy(path: Path, tracers: MadeTracers) -> Path:
    """Write one array and, beside it, `columns.json`: Index, Model, Time, four parameters, species."""
    n_tracers, n_steps, _ = tracers.physical.shape
    table = np.column_stack(
        [
            np.tile(np.arange(n_steps), n_tracers),
            np.repeat(np.arange(n_tracers), n_steps),
            tracers.time.ravel(),
            tracers.physical.reshape(-1, 4),
            tracers.rows,
        ]
    )
    names = ["Index", "Model", "Time", *PHYSICAL_NAMES, *tracers.species]
    np.save(path, table)
    (path.parent / "columns.json").write_text(json.dumps({str(i): name for i, name in enumerate(names)}))
    return path


def _physical(rng: np.random.Generator, phase: np.ndarray, n_tracers: int) -> np.ndarray:
    """Collapse from diffuse to dense, (tracers, steps, 4), with a bump of heating in some tracers."""
    start, end = rng.uniform(4.0, 4.5, (n_tracers, 1)), rng.uniform(6.0, 7.5, (n_tracers, 1))
    log_density = start + (end - start) * phase**2
    log_av = -0.5 + 0.6 * (log_density - 4.0) + rng.uniform(-0.1, 0.1, (n_tracers, 1))
    log_radfield = np.clip(0.7 - 0.9 * log_av, -4.0, 1.4)
    heating = 40.0 * rng.integers(0, 2, (n_tracers, 1)) * np.exp(-(((phase - 0.6) / 0.1) ** 2))
    temperature = 12.0 + 20.0 * np.exp(-3.0 * phase) + heating
    return np.stack([10**log_density, 10**log_radfield, 10**log_av, temperature], axis=-1)


def _relax(physical: np.ndarray) -> np.ndarray:
    """Integrate five log ratios, (tracers, steps, 5), towards the equilibrium of each row's parameters."""
    log_density, log_radfield, log_av = np.log(physical[..., :3]).transpose(2, 0, 1)
    cold = 30.0 - physical[..., 3]
    target = np.stack(
        [
            2.0 + 2.0 * log_av,  # H2 over H
            1.0 - 2.0 * log_radfield,  # C over C+
            1.5 * log_av - 0.5,  # CO over C
            0.4 * cold + 0.2 * (log_density - 12.0),  # ice over gas
            0.5 * log_av - 1.0,  # OH and water over O
        ],
        axis=-1,
    )
    state = np.empty_like(target)
    state[:, 0] = (0.0, -6.0, -6.0, -8.0, -6.0)
    for step in range(target.shape[1] - 1):
        state[:, step + 1] = state[:, step] + 0.2 * (target[:, step] - state[:, step])
    return np.clip(state, -25.0, 25.0)


def _abundances(ratios: np.ndarray) -> np.ndarray:
    """Turn log ratios into abundances that hold the totals of H, HE, C and O exactly."""
    molecular, atomic, bound, frozen, wet = 1.0 / (1.0 + np.exp(-ratios.transpose(2, 0, 1)))
    ionised = CARBON * (1.0 - atomic)
    neutral, in_co = CARBON * atomic * (1.0 - bound), CARBON * atomic * bound
    oxygen = OXYGEN - in_co
    hydroxyl, water = oxygen * wet * 0.1, oxygen * wet * 0.9
    hydrogen = 1.0 - hydroxyl - 2.0 * water
    abundance = {
        "H": hydrogen * (1.0 - molecular),
        "H2": 0.5 * hydrogen * molecular,
        "HE": np.full_like(hydrogen, HELIUM),
        "C+": ionised,
        "C": neutral,
        "CO": in_co * (1.0 - frozen),
        "#CO": in_co * frozen,
        "O": oxygen * (1.0 - wet),
        "OH": hydroxyl,
        "H2O": water * (1.0 - frozen),
        "#H2O": water * frozen,
        "E-": ionised,
    }
    table = np.stack([abundance[name] for name in SPECIES], axis=-1)
    table[:, 0] = _cold_start()
    return table


def _cold_start() -> np.ndarray:
    """The initial state: atoms, half of the hydrogen in H2, carbon ionised."""
    initial = {"H": 0.5, "H2": 0.25, "HE": HELIUM, "C+": CARBON, "O": OXYGEN, "E-": CARBON}
    return np.array([initial.get(name, UNFORMED) for name in SPECIES])


def _sum_of(tracers: MadeTracers, phase: str) -> np.ndarray:
    """The sum over the species of one phase, as UCLCHEM appends it; not a state."""
    chosen = [name.startswith(phase) for name in tracers.species]
    return tracers.rows[:, chosen].sum(axis=1).astype(np.float32)

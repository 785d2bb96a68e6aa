"""A tiny network in UCLCHEM's format, and a stand-in for the solver that integrates it in closed form.

H forms H2 on grains and C+ recombines to C, both at rates in proportion to the density, so that each step is
an exponential: no compiler, no tolerance, and elements and charge are conserved exactly.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from chemnet.chemistry.solver.outcome_codes import N_COUNTS, SolverCode, Statistics

SPECIES = ("H", "H2", "HE", "C", "C+", "E-")
_MASSES = (1, 2, 4, 12, 12, 0)
_H2_RATE, _C_RATE = 1e-10, 3e-10  # [cm^3 yr^-1]


def write_made_network(folder: Path) -> Path:
    """Write `species.csv` and `reactions.csv`; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    species = "NAME,MASS,BINDING ENERGY,SOLID FRACTION,MONO FRACTION,VOLCANO FRACTION,ENTHALPY\n"
    species += "".join(f"{name},{mass},0,0,0,0,0\n" for name, mass in zip(SPECIES, _MASSES, strict=True))
    (folder / "species.csv").write_text(species, encoding="utf-8")
    columns = "Reactant 1,Reactant 2,Reactant 3,Product 1,Product 2,Product 3,Product 4"
    columns += ",Alpha,Beta,Gamma,T_min,T_max"
    rows = [
        "H,H,H2FORM,H2,NAN,NAN,NAN,1,0,0,0,10000",
        "C+,E-,NAN,C,NAN,NAN,NAN,4.4e-12,-0.6,0,0,10000",
    ]
    (folder / "reactions.csv").write_text("\n".join([columns, *rows]) + "\n", encoding="utf-8")
    return folder


def closed_form_solve(
    network: Any, tracer: Mapping[str, np.ndarray], initial: np.ndarray, delay: float = 0.0, **options: Any
) -> SimpleNamespace:
    """Stand in for `Network.solve`; gas hotter than 60 K makes it fail, as a solver may."""
    time.sleep(delay)
    years, density = np.asarray(tracer["time"]), np.asarray(tracer["Density"])
    exposure = np.concatenate([[0.0], np.cumsum(np.diff(years) * density[:-1])])
    h, c_plus = (network.index(name) for name in ("H", "C+"))
    abundances = np.tile(np.asarray(initial, dtype=float), (len(years), 1))
    hydrogen = abundances[0, h] * np.exp(-_H2_RATE * exposure)
    carbon = abundances[0, c_plus] * np.exp(-_C_RATE * exposure)
    abundances[:, network.index("H2")] += 0.5 * (abundances[:, h] - hydrogen)
    change = abundances[:, c_plus] - carbon
    abundances[:, network.index("C")] += change
    electrons = abundances[:, network.index("E-")]
    electrons[:] = np.maximum(electrons - change, 0.0)
    abundances[:, h], abundances[:, c_plus] = hydrogen, carbon
    hot = np.asarray(tracer["gasTemp"]).max() > 60.0
    return SimpleNamespace(
        abundances=abundances,
        code=SolverCode.STEP_TOO_SMALL if hot else SolverCode.SUCCESS,
        statistics=Statistics.from_counts(np.full(N_COUNTS, len(years))),
    )

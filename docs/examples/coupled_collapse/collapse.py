"""A prestellar core collapses: hydrodynamics by pyro, chemistry by a surrogate, and by its solver in places.

pip install chemnet pyro-hydro
python collapse.py OUT.npz                        # the surrogate, and the solver where it is not trusted
python collapse.py OUT.npz --tolerance inf        # the surrogate alone
python collapse.py OUT.npz --tolerance 0          # the solver in every cell
python collapse.py OUT.npz --fresh                # gas that flows in is atomic, as all gas was at the start
python collapse.py OUT.npz --restart OUT.npz      # goes on where the file ends, bit for bit

Units: pc, km/s and H nuclei per cm^3; so a time is 0.978 Myr, and what pyro calls density is n_H.
Shapes: C cells, F = C + 1 faces, S species, E elements, P physical parameters.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pyro
from numpy.typing import NDArray
from pyro.compressible import Simulation
from pyro.util.profile_pyro import TimerCollection
from pyro.util.runparams import RuntimeParameters

import chemnet

Array = NDArray[np.float64]

YEARS = 977_792.2  # of a pc / (km/s)
CM = 3.0857e18  # of a pc
# pc (km/s)^2 per solar mass, times the solar masses of a pc^3 with one H nucleus per cm^3, and its helium
GRAVITY = 4.30091e-3 * 0.03461
RADIUS, CORE, CENTRAL_DENSITY = 0.1, 0.06, 1e5  # n_H = CENTRAL_DENSITY / (1 + (r / CORE)^2)
FREE_FALL_TIME = 4.35e7 / np.sqrt(4.1e4)  # yr, of the mean density at the start: 64 steps of the surrogate
AV_OUTSIDE, FIELD_OUTSIDE = 1.0, 1.0  # mag, Habing
MIXING = 2e-3  # pc km/s: turbulent diffusion
GAMMA = 1.0001  # nearly isothermal; each step brings the gas back to its temperature
START = {
    "H": 0.5, "H2": 0.25, "HE": 0.1, "C+": 1.77e-4, "N": 6.18e-5, "O": 3.34e-4, "S+": 3.51e-6, "MG": 2.256e-6,
    "E-": 1.77e-4 + 3.51e-6,
}  # fmt: skip
_SEEN = ("abundances", "physical", "mass", "by_solver", "expected_error", "broken", "inflow")


def temperature(density: Array) -> Array:
    """Return the gas temperature [K] of densities: warm outside, cold inside."""
    return 13.5 + 11.5 * (density / 1e4) ** -0.5


def sound_speed_squared(density: Array) -> Array:
    """Return it in (km/s)^2, for molecular gas."""
    return 1.380649e-16 * temperature(density) / (2.33 * 1.6735e-24) / 1e10


class Core:
    """The gas on a spherical grid, and how much of it each step moves across each face."""

    def __init__(self, cells: int) -> None:
        parameters, home = RuntimeParameters(), Path(pyro.__file__).parent
        parameters.load_params(str(home / "_defaults"))
        parameters.load_params(str(home / "compressible" / "_defaults"))
        inner = 4 * RADIUS / cells  # room for pyro's ghost cells
        chosen = {
            "mesh.grid_type": "SphericalPolar", "mesh.nx": cells, "mesh.ny": 1, "mesh.xmin": inner,
            "mesh.xmax": inner + RADIUS, "mesh.ymin": 0.5 * np.pi - 0.1, "mesh.ymax": 0.5 * np.pi + 0.1,
            "mesh.xlboundary": "reflect", "mesh.xrboundary": "outflow", "eos.gamma": GAMMA,
            "compressible.riemann": "CGF", "driver.cfl": 0.6, "driver.verbose": 0,
        }  # fmt: skip
        for key, value in chosen.items():
            parameters.set_param(key, value)
        self.pyro = Simulation(
            "compressible", "collapse", _at_rest, parameters,
            problem_source_func=_gravity, timers=TimerCollection(),
        )  # fmt: skip
        self.pyro.initialize()
        self.gas, grid = self.pyro.cc_data, self.pyro.cc_data.grid
        self.gas.t = 0.0
        self.volume = np.array(grid.V.v()[:, 0])
        self.area = np.array(grid.Ax[grid.ilo : grid.ihi + 2, grid.jlo])
        self.width = float(grid.dx)

    @property
    def density(self) -> Array:
        """Of each cell, `(C,)`."""
        return np.array(self.gas.get_var("density").v()[:, 0])

    def step(self, until: float) -> tuple[Array, Array, Array]:
        """Make one step, at most `until`; return masses before `(C,)`, moved outwards and mixed `(F,)`."""
        before = self.density * self.volume
        self.gas.fill_BC_all()
        self.pyro.method_compute_timestep()
        is_last = self.gas.t + self.pyro.dt >= until
        self.pyro.dt = min(self.pyro.dt, until - self.gas.t)
        self.pyro.evolve()
        self.gas.t = until if is_last else self.gas.t
        self._restore_temperature()
        # the inner face is a wall, so that what a step moved follows from what the cells hold
        moved = np.concatenate([[0.0], -np.cumsum(self.density * self.volume - before)])
        between = np.minimum(self.density[:-1], self.density[1:])
        mixed = np.zeros_like(moved)
        mixed[1:-1] = MIXING * between * self.area[1:-1] / self.width * self.pyro.dt
        return before, moved, mixed

    def _restore_temperature(self) -> None:
        density, momentum = self.gas.get_var("density"), self.gas.get_var("x-momentum")
        self.gas.get_var("y-momentum")[:] = 0.0
        inner = density * sound_speed_squared(density) / (GAMMA - 1.0)
        self.gas.get_var("energy")[:] = inner + 0.5 * momentum**2 / density

    def physical(self) -> Array:
        """Return density, radiation field, extinction and temperature of the cells, `(C, P)`."""
        density = self.density
        outwards = np.cumsum(density[::-1])[::-1] - 0.5 * density
        extinction = AV_OUTSIDE + 5.348e-22 * outwards * self.width * CM
        field = FIELD_OUTSIDE * (1.0 + extinction - AV_OUTSIDE) ** -1.5
        return np.stack([density, field, extinction, temperature(density)], axis=1)


def _at_rest(gas: Any, parameters: Any) -> None:
    density = CENTRAL_DENSITY / (1.0 + (np.asarray(gas.grid.x2d) / CORE) ** 2)
    gas.get_var("density")[:] = density
    gas.get_var("energy")[:] = density * sound_speed_squared(density) / (GAMMA - 1.0)
    for name in ("x-momentum", "y-momentum"):
        gas.get_var(name)[:] = 0.0


def _gravity(grid: Any, conserved: Any, variables: Any, parameters: Any) -> Any:
    """Return pyro's source terms of the gas' own gravity."""
    source, density = grid.scratch_array(nvar=variables.nvar), np.asarray(conserved[:, :, variables.idens])
    shells = density * 4.0 / 3.0 * np.pi * (grid.xr2d**3 - grid.xl2d**3)
    hole = density[grid.ilo] * 4.0 / 3.0 * np.pi * grid.xl2d[grid.ilo] ** 3  # as dense as the first cell
    shells[: grid.ilo] = 0.0
    acceleration = -GRAVITY * (hole + np.cumsum(shells, axis=0) - 0.5 * shells) / grid.x2d**2
    source[:, :, variables.ixmom] = density * acceleration
    source[:, :, variables.iener] = conserved[:, :, variables.ixmom] * acceleration
    return source


def advect(abundances: Array, envelope: Array, before: Array, moved: Array, mixed: Array) -> Array:
    """Return abundances `(C, S)` after one step of the gas; they ride on its mass, as passive scalars.

    Second order with minmod's slopes, which are limited species by species: the totals of elements break, and
    `Surrogate.conserve` mends them. Gas that flows in has the abundances of the envelope, `(S,)`.
    """
    padded = np.concatenate([abundances[:1], abundances, envelope[None]])
    left, right = np.diff(padded, axis=0)[:-1], np.diff(padded, axis=0)[1:]
    slope = np.where(left * right > 0.0, np.sign(left) * np.minimum(np.abs(left), np.abs(right)), 0.0)
    outwards = abundances + 0.5 * (1.0 - np.abs(moved[1:]) / before)[:, None] * slope
    inwards = abundances - 0.5 * (1.0 - np.abs(moved[:-1]) / before)[:, None] * slope
    from_below, from_above = np.vstack([envelope, outwards]), np.vstack([inwards, envelope])
    carried = moved[:, None] * np.where(moved[:, None] > 0.0, from_below, from_above)
    carried -= mixed[:, None] * np.diff(padded, axis=0)
    after = before + moved[:-1] - moved[1:]
    return (before[:, None] * abundances + carried[:-1] - carried[1:]) / after[:, None]


class Run:
    """Core and abundances, step by step of the surrogate, and what was seen on the way."""

    def __init__(self, cells: int, tolerance: float, fresh: bool) -> None:
        self.fresh = fresh
        # the solver keeps every charge that it is given: a surrogate's imbalance would eat up the electrons
        self.core, self.surrogate = Core(cells), chemnet.Surrogate.load("collapse").neutral()
        self.chemistry = chemnet.Fallback(self.surrogate, "collapse", tolerance)
        self.start = np.array([START.get(name, 0.0) for name in self.surrogate.species])
        self.totals = self.start @ self.surrogate.data.stoichiometry  # the same in every cell
        self.abundances = np.repeat(self.start[None], cells, axis=0)
        self.inflow = 0.0
        self.seen: dict[str, list[Any]] = {name: [] for name in _SEEN}

    def step(self) -> None:
        """Advance everything by the time step that the surrogate was trained with."""
        years = self.surrogate.domain.dt_usual
        until = (len(self.seen["mass"]) + 1) * years / YEARS
        while self.core.gas.t < until:  # the gas takes as many steps as it needs
            before, moved, mixed = self.core.step(until)
            envelope = self.start if self.fresh else self.abundances[-1]
            self.abundances = advect(self.abundances, envelope, before, moved, mixed)
            self.inflow -= moved[-1]
        totals = self.abundances @ self.surrogate.data.stoichiometry
        self.abundances = self.surrogate.conserve(self.abundances, self.totals)
        physical = np.repeat(self.core.physical()[:, None], 2, axis=1)
        trust = self.surrogate.trust(physical, self.abundances, years, rows=[-1])
        run = self.chemistry.emulate(physical, self.abundances, years, rows=[-1])
        if run.failed.any():
            raise SystemExit(f"neither surrogate nor solver is good for {run.failed.sum()} cells")
        self.abundances = run.abundances[:, 0]
        self._note(physical[:, 0], trust.expected_error[:, 0], run.by_solver[:, 1], totals)

    def _note(self, physical: Array, expected_error: Array, by_solver: Any, totals: Array) -> None:
        seen = (self.abundances, physical, self.core.density * self.core.volume, by_solver, expected_error,
                np.abs(totals / self.totals - 1.0).max(), self.inflow)  # fmt: skip
        for name, value in zip(self.seen, seen, strict=True):
            self.seen[name].append(value)

    def save(self, path: Path) -> None:
        """Write all that a restart needs, and what was seen."""
        seen = {name: np.array(values) for name, values in self.seen.items()}
        np.savez(path, gas=np.asarray(self.core.gas.data), time=self.core.gas.t, **seen)

    def restore(self, path: Path) -> None:
        """Go on where a file ends."""
        with np.load(path) as file:
            self.core.gas.data[:] = file["gas"]
            self.core.gas.t = float(file["time"])
            self.seen = {name: list(file[name]) for name in self.seen}
        self.abundances, self.inflow = self.seen["abundances"][-1], float(self.seen["inflow"][-1])


def main() -> None:
    """Collapse, and write what was seen."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("output", type=Path)
    parser.add_argument("--cells", type=int, default=32)
    parser.add_argument("--steps", type=int, default=64, help="of 3,367 yr, in all")
    parser.add_argument(
        "--tolerance", type=float, default=0.15, help="expected error [dex] that goes to the solver"
    )
    parser.add_argument(
        "--fresh", action="store_true", help="atomic gas flows in, not gas like the outermost cell's"
    )
    parser.add_argument("--restart", type=Path, help="a file that was written before")
    chosen = parser.parse_args()
    run = Run(chosen.cells, chosen.tolerance, chosen.fresh)
    if chosen.restart:
        run.restore(chosen.restart)
    while len(run.seen["mass"]) < chosen.steps:
        run.step()
        run.save(chosen.output)  # every step is a checkpoint
    share = np.mean(run.seen["by_solver"])
    mass = run.seen["mass"]
    held = mass[-1] @ (run.abundances @ run.surrogate.data.stoichiometry)
    drift = np.abs(held / (mass[-1].sum() * run.totals) - 1.0).max()
    print(
        f"{len(mass)} steps: central density {run.core.density[0]:.2e}, solver {100 * share:.1f} %, "
        f"totals over the grid off by {drift:.1e}, broken by advection by up to {max(run.seen['broken']):.1e}"
    )


if __name__ == "__main__":
    main()

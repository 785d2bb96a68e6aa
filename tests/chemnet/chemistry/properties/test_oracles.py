"""The solver against closed forms, against other solvers at tight tolerance, and against UCLCHEM itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from chemnet.chemistry.network.network import Network
from chemnet.chemistry.network.species_and_reactions import Reaction
from chemnet.chemistry.units import SECONDS_PER_YEAR

Array = NDArray[np.float64]
MakeNetwork = Callable[[list[str], list[Reaction]], Network]
VISIBLE = 1e-12
"""Abundance relative to H nuclei below which a difference does not count."""


def static_tracer(time: Array, density: float) -> dict[str, Array]:
    """Return constant conditions at the given times [yr]."""
    values = {"Density": density, "Radfield": 1.0, "Av": 1.0, "gasTemp": 300.0}
    return {"time": time, **{name: np.full(time.size, value) for name, value in values.items()}}


def dex(found: Array, expected: Array) -> Array:
    """Return the differences of the visible abundances after the first row, in decades."""
    seen = (expected > VISIBLE) & (np.arange(len(expected)) > 0)[:, None]
    return np.abs(np.log10(np.maximum(found[seen], 1e-30)) - np.log10(expected[seen]))


@pytest.mark.parametrize("method", ["bdf", "rodas3"])
def test_a_decay_chain_follows_bateman(make_network: MakeNetwork, method: str) -> None:
    chain, rates = ["CH4", "CH3", "CH2", "CH"], np.array([2e-12, 5e-13, 7e-12])
    reactions = [
        Reaction((before,), (after, "H"), "CRP", rate)
        for before, after, rate in zip(chain, chain[1:], rates, strict=False)
    ]
    network = make_network([*chain, "H"], reactions)
    time = np.linspace(0.0, 1e5, 11)
    solution = network.solve(static_tracer(time, 1e4), {"CH4": 1e-4}, rtol=1e-8, atol=1e-20, method=method)
    decays = np.exp(-np.outer(time * SECONDS_PER_YEAR, rates))
    for member in range(3):
        involved = rates[: member + 1]
        weights = [
            np.prod(involved[:-1]) / np.prod(np.delete(involved, one) - involved[one])
            for one in range(member + 1)
        ]
        expected = 1e-4 * decays[:, : member + 1] @ weights
        np.testing.assert_allclose(solution.abundances[1:, member], expected[1:], rtol=3e-6)


def test_robertson_agrees_with_radau(make_network: MakeNetwork) -> None:
    # Robertson (1966) with one time unit per year; the isomers stand for its three species, HE for the unit
    scale = 1.0 / (SECONDS_PER_YEAR * 1e4)
    reactions = [
        Reaction(("H2CO", "HE"), ("HCOH", "HE"), "TWOBODY", 0.04 * scale),
        Reaction(("HCOH", "HCOH"), ("COH2", "HCOH"), "TWOBODY", 3e7 * scale),
        Reaction(("HCOH", "COH2"), ("H2CO", "COH2"), "TWOBODY", 1e4 * scale),
    ]
    network = make_network(["H2CO", "HCOH", "COH2", "HE"], reactions)
    time = np.concatenate([[0.0], np.geomspace(0.4, 4e6, 8)])

    def rates(_: float, y: Array) -> Array:
        first, second, third = 0.04 * y[0], 3e7 * y[1] ** 2, 1e4 * y[1] * y[2]
        return np.array([third - first, first - second - third, second])

    expected = solve_ivp(
        rates, (0.0, time[-1]), [1.0, 0.0, 0.0], "Radau", t_eval=time, rtol=1e-10, atol=1e-16
    ).y.T
    tracer, initial = static_tracer(time, 1e4), {"H2CO": 1.0, "HE": 1.0}
    accurate = network.solve(tracer, initial, rtol=1e-7)
    default = network.solve(tracer, initial)
    np.testing.assert_allclose(accurate.abundances[1:, :3], expected[1:], rtol=1e-5)
    np.testing.assert_allclose(default.abundances[1:, :3], expected[1:], rtol=1e-3)


def test_rodas3_agrees_with_bdf(
    collapse: Network, tracer: dict[str, Array], initial: dict[str, float]
) -> None:
    bdf = collapse.solve(tracer, initial)
    rodas3 = collapse.solve(tracer, initial, method="rodas3")
    difference = dex(rodas3.abundances, bdf.abundances)
    assert difference.size > 300
    assert np.median(difference) < 1e-3
    assert difference.max() < 1e-2


def test_linear_conditions_agree_with_many_short_steps(
    collapse: Network, tracer: dict[str, Array], initial: dict[str, float]
) -> None:
    two = {name: values[:2] for name, values in tracer.items()}
    share = np.linspace(0.0, 1.0, 201)
    # each short step takes the conditions at its middle
    middle = share + 0.5 * share[1]
    fine = {name: ends[0] + middle * (ends[1] - ends[0]) for name, ends in two.items()}
    fine["time"] = share * two["time"][1]
    linear = collapse.solve(two, initial, interpolation="linear").abundances[-1:]
    expected = collapse.solve(fine, initial).abundances[-1:]
    seen = expected > VISIBLE
    np.testing.assert_allclose(linear[seen], expected[seen], rtol=1e-2)


def cvode_row(system: Any, y: Array, duration: float) -> Array:
    """Return the abundances after `duration` [s] by CVODE at rtol 1e-8."""
    cvode = pytest.importorskip("sksundae.cvode")

    def rates(_: float, state: Array, out: Array) -> None:
        out[:] = system.rates(state)

    def jacobian(_: float, state: Array, __: Array, out: Array) -> None:
        out[:] = system.jacobian(state)

    solver = cvode.CVODE(
        rates, jacfn=jacobian, method="BDF", rtol=1e-8, atol=1e-20, linsolver="dense", max_num_steps=500_000
    )
    solution = solver.solve(np.array([0.0, duration]), y)
    assert solution.success, solution.message
    return np.asarray(solution.y[-1])


@pytest.mark.slow  # CVODE calls back into Python for every right-hand side
def test_default_tolerances_agree_with_cvode(
    collapse: Network,
    right_hand_side: Callable[..., Any],
    tracer: dict[str, Array],
    initial: dict[str, float],
) -> None:
    ours = collapse.solve(tracer, initial)
    expected = np.empty_like(ours.abundances)
    expected[0] = ours.abundances[0]
    carbon = collapse.index("C")
    for row in range(len(expected) - 1):
        density, radfield, av, t = (
            tracer[column][row] for column in ("Density", "Radfield", "Av", "gasTemp")
        )
        system = right_hand_side(
            collapse, np.array([density, radfield, av, t, t, 1.0]), c_abundance=expected[row, carbon]
        )
        duration = (tracer["time"][row + 1] - tracer["time"][row]) * SECONDS_PER_YEAR
        expected[row + 1] = np.maximum(cvode_row(system, expected[row], duration), 1e-30)
    difference = dex(ours.abundances, expected)
    assert difference.size > 300
    assert np.median(difference) <= 1e-4
    assert difference.max() <= 1e-2


def first_uclchem_tracer(path: Path) -> tuple[dict[str, Array], list[str], Array]:
    """Return one tracer of a pandas table: conditions by column, names of species, and their abundances."""
    with h5py.File(path) as file:
        group = file["df"]
        columns: dict[str, Array] = {}
        model = np.asarray(group["block0_values"])[:, list(group["block0_items"]).index(b"Model")]
        rows = np.flatnonzero(model == model[0])
        part = slice(rows[0], rows[-1] + 1)
        for block in ("block0", "block1", "block2"):
            names = [name.decode() for name in group[f"{block}_items"]]
            values = np.asarray(group[f"{block}_values"][part], dtype=np.float64)
            columns |= dict(zip(names, values.T, strict=True))
            if block == "block2":
                species = [name for name in names if name not in ("SURFACE", "BULK")]
    tracer = {name: columns[name] for name in ("Density", "Radfield", "Av", "gasTemp")}
    return tracer | {"time": columns["Time"]}, species, np.column_stack([columns[name] for name in species])


@pytest.mark.slow
def test_compatible_rates_agree_with_uclchem(shared_data: Path) -> None:
    network = Network.read(shared_data / "network")
    tracer, species, expected = first_uclchem_tracer(shared_data / "uclchem_tracers.h5")
    columns = [network.index(name) for name in species]
    initial = np.zeros(len(network.species))
    initial[columns] = expected[0]
    solution = network.solve(tracer, initial, uclchem_compatible=True)
    assert solution.succeeded, solution.message
    difference = dex(solution.abundances[:, columns], expected)
    assert difference.size > 10_000
    assert np.median(difference) <= 0.003
    assert np.quantile(difference, 0.95) <= 0.05

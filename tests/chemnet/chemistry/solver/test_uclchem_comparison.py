"""With its quirks switched on, the full network reproduces what UCLCHEM itself computed."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from solver_oracles import dex

from chemnet.chemistry.network.network import Network

COLUMNS = ("Density", "Radfield", "Av", "gasTemp", "dustTemp", "zeta")


@pytest.fixture(scope="module")
def network(shared_data: Path) -> Network:
    """UCLCHEM's default network."""
    return Network.read(shared_data / "network")


def uclchem_tracer(
    shared_data: Path, network: Network, which: int
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return the columns and the abundances (steps, n_species) of one tracer."""
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("tables")
    table = pandas.read_hdf(shared_data / "uclchem_tracers.h5", "df")
    models = table["Model"].drop_duplicates().to_numpy()
    rows = table[table["Model"] == models[which]]
    columns = {name: rows[name].to_numpy(float) for name in COLUMNS}
    return {"time": rows["Time"].to_numpy(float), **columns}, rows[list(network.species_names)].to_numpy(
        float
    )


def test_the_first_steps_from_bare_grains_match_uclchem(shared_data: Path, network: Network) -> None:
    way, expected = uclchem_tracer(shared_data, network, 0)
    first = {name: values[:11] for name, values in way.items()}
    ours = network.solve(first, expected[0], uclchem_compatible=True)
    error = dex(ours.abundances[1:], expected[1:11])
    assert np.median(error) < 0.003
    assert np.percentile(error, 95) < 0.05


def test_the_right_physics_differs_from_uclchem(shared_data: Path, network: Network) -> None:
    way, expected = uclchem_tracer(shared_data, network, 0)
    first = {name: values[:6] for name, values in way.items()}
    ours = network.solve(first, expected[0])
    totals = ours.abundances @ network.stoichiometry
    assert np.percentile(dex(ours.abundances[1:], expected[1:6]), 95) > 0.05
    np.testing.assert_allclose(totals, np.broadcast_to(totals[0], totals.shape), rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("which", [1, 5, 20, 40])
def test_whole_tracers_match_uclchem(shared_data: Path, network: Network, which: int) -> None:
    way, expected = uclchem_tracer(shared_data, network, which)
    ours = network.solve(way, expected[0], uclchem_compatible=True)
    error = dex(ours.abundances[1:], expected[1:])
    assert ours.succeeded
    assert np.median(error) <= 0.003
    assert np.percentile(error, 95) <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize("which", [10, 120])
def test_whole_tracers_match_the_independent_integration(
    shared_data: Path, network: Network, which: int
) -> None:
    with h5py.File(shared_data / "network_tracers_plain.h5") as file:
        names = [name.decode() for name in file["species"][:]]
        expected = file["abundances"][which].astype(float)[
            :, [names.index(one) for one in network.species_names]
        ]
        physical, time = file["physical"][which].astype(float), file["time"][which]
    way = {"time": time, **dict(zip(COLUMNS[:4], physical.T, strict=True))}
    ours = network.solve(way, expected[0], uclchem_compatible=True)
    error = dex(ours.abundances[1:], expected[1:])
    assert np.median(error) <= 0.003
    assert np.percentile(error, 95) <= 0.05

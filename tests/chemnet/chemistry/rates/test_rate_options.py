"""Other grains and scaled rates: what changes with them, and that nothing changes without."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path

import h5py
import numpy as np
import pytest
from command_line import chemnet

from chemnet.chemistry.network.network import Network
from chemnet.chemistry.network.rate_options import STANDARD_GRAIN, GrainModel, RateOptions
from chemnet.chemistry.rates import compile_reactions, rate_coefficients
from chemnet.chemistry.rates.photo import columns
from chemnet.config import load_config
from chemnet.errors import DataError

COLLAPSE = Network.read("collapse")
INITIAL = {"H": 0.5, "H2": 0.25, "HE": 0.1, "C+": 1.77e-4, "O": 3.34e-4, "E-": 1.77e-4}
WAY = {"time": [0.0, 1e5], "Density": 1e5, "Radfield": 1.0, "Av": 3.0, "gasTemp": 15.0}


def with_grain(**changes: float) -> Network:
    return COLLAPSE.with_rates(RateOptions(GrainModel(**changes)))


def ratios(network: Network) -> dict[str, set[float]]:
    """The ratios of rates to those of the standard network, to six figures, by type."""
    results = []
    for one in (network, COLLAPSE):
        table = compile_reactions(one)
        k = np.empty(len(table.sources))
        rate_coefficients(table.rates, np.array([1e5, 1.0, 3.0, 15.0, 12.0, 2.0]), 1e-5, 1e5, np.zeros(0), k)
        results.append((table, k))
    (table, changed), (_, standard) = results
    found: dict[str, set[float]] = {}
    for source, new, old in zip(table.sources, changed, standard, strict=True):
        if old > 0.0:
            found.setdefault(network.reactions[source].kind, set()).add(float(f"{new / old:.6g}"))
    return found


def test_the_defaults_are_those_of_the_configuration_and_change_nothing() -> None:
    assert load_config()["simulate"]["grain"].to_dict() == asdict(STANDARD_GRAIN)
    assert {ratio for kind in ratios(with_grain()).values() for ratio in kind} == {1.0}


def test_less_dust_means_slower_freeze_out_h2_formation_and_desorption() -> None:
    found = ratios(with_grain(dust_to_gas=0.001))
    for kind in ("FREEZE", "H2FORM", "DESCR", "DEUVCR", "DESOH2"):
        assert found[kind] == {0.1}, kind
    # less surface per H nucleus: the same ice meets more often
    assert found["LH"] == {10.0}
    for kind in ("TWOBODY", "CRP", "PHOTON", "THERM", "CRPHOT"):
        assert found[kind] == {1.0}, kind


@pytest.mark.parametrize(
    ("changes", "kind", "ratio"),
    [
        ({"albedo": 0.75}, "CRPHOT", 2.0),
        ({"h2_yield": 0.02}, "DESOH2", 2.0),
        ({"cr_yield": 5e4}, "DESCR", 0.5),
        ({"uv_yield": 0.003}, "DEUVCR", 0.1),
        ({"site_density": 6e15}, "THERM", 2.0),
        ({"radius": 2e-5}, "H2FORM", 0.5),
        ({"density": 1.5}, "H2FORM", 2.0),
    ],
)
def test_each_constant_changes_its_rates(changes: dict[str, float], kind: str, ratio: float) -> None:
    found = ratios(with_grain(**changes))[kind]
    assert found == {ratio}


def test_a_lower_barrier_speeds_up_diffusion() -> None:
    assert min(ratios(with_grain(diffusion_ratio=0.3))["LH"]) >= 1.0
    assert max(ratios(with_grain(diffusion_ratio=0.3))["LH"]) > 100.0


def test_less_dust_lets_more_gas_shield_behind_a_magnitude() -> None:
    thin = with_grain(dust_to_gas=0.005)
    nuclei, _, _ = columns(3.0)
    by_itself = thin.solve(WAY, INITIAL).abundances
    np.testing.assert_array_equal(by_itself, thin.solve({**WAY, "N_total": 2.0 * nuclei}, INITIAL).abundances)
    assert not np.array_equal(by_itself, thin.solve({**WAY, "N_total": nuclei}, INITIAL).abundances)


def test_rates_are_scaled_by_type_and_by_row() -> None:
    row = next(one for one in COLLAPSE.reactions if one.kind == "TWOBODY")
    key = f"{' + '.join(reversed(row.reactants))} -> {' + '.join(row.products)}"
    network = COLLAPSE.with_rates(RateOptions(scale={"freeze": 0.5, key: 3.0, f"{key} (TWOBODY)": 2.0}))
    found = ratios(network)
    assert found["FREEZE"] == {0.5}
    assert found["TWOBODY"] == {1.0, 6.0}
    assert found["LH"] == {1.0}


@pytest.mark.parametrize(
    ("scale", "told", "hinted"),
    [
        ({"FREZE": 2.0}, "no reaction of the network is 'FREZE'", "FREEZE"),
        ({"H + H -> CO": 2.0}, "no reaction of the network is 'H", ""),
        ({"LH": -1.0}, "rate of 'LH' times -1.0", ""),
        ({"LH": math.nan}, "times nan", ""),
    ],
)
def test_factors_of_nothing_are_refused(scale: dict[str, float], told: str, hinted: str) -> None:
    with pytest.raises(DataError, match=told) as caught:
        COLLAPSE.with_rates(RateOptions(scale=scale))
    assert hinted in str(caught.value.hint)


@pytest.mark.parametrize(
    "changes", [{"radius": 0.0}, {"albedo": 1.0}, {"uv_yield": -1.0}, {"density": math.inf}]
)
def test_impossible_grains_are_refused(changes: dict[str, float]) -> None:
    with pytest.raises(DataError, match="grain model"):
        GrainModel(**changes)


def test_grain_and_factors_are_recorded_in_the_set(tmp_path: Path) -> None:
    words = ("simulate.grain.dust_to_gas=0.003", "simulate.rates.scale={CRP=2.0}", "simulate.n_steps=3")
    outcome = chemnet("simulate", f"general.results_dir={tmp_path}", "simulate.n_tracers=1", *words)
    assert outcome.code == 0, outcome.err
    (result,) = tmp_path.iterdir()
    with h5py.File(result / "tracers.h5") as file:
        assert json.loads(file.attrs["grain"])["dust_to_gas"] == 0.003
        assert json.loads(file.attrs["rate_scale"]) == {"CRP": 2.0}

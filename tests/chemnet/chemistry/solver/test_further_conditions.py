"""Cosmic rays, dust temperature and column densities along a tracer: read, used, stored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from command_line import chemnet

from chemnet.chemistry.network.network import Network
from chemnet.chemistry.rates import compile_reactions, rate_coefficients
from chemnet.chemistry.rates.photo import columns, h2_dissociation
from chemnet.chemistry.rates.table import Formula
from chemnet.data.simulated_set import SimulatedSet
from chemnet.errors import DataError

COLLAPSE = Network.read("collapse")
WAY = {"time": [0.0, 1e4], "Density": 1e4, "Radfield": 1.0, "Av": 2.0, "gasTemp": 20.0}
INITIAL = {"H": 0.5, "H2": 0.25, "HE": 0.1, "C+": 1.77e-4, "O": 3.34e-4, "E-": 1.77e-4}


def coefficients(conditions: list[float]) -> np.ndarray:
    table = compile_reactions(COLLAPSE)
    k = np.empty(len(table.sources))
    rate_coefficients(table.rates, np.array(conditions), 1e-5, 1e5, np.zeros(0), k)
    return k


def rate_of(formula: Formula, conditions: list[float]) -> float:
    (row,) = np.flatnonzero(compile_reactions(COLLAPSE).formulae == formula)
    return float(coefficients(conditions)[row])


BASE = [1e4, 1.0, 2.0, 20.0, 20.0, 1.0]


def test_columns_that_are_not_given_follow_from_the_extinction() -> None:
    np.testing.assert_array_equal(coefficients(BASE), coefficients([*BASE, *[np.nan] * 4]))
    nuclei, h2, co = columns(2.0)
    np.testing.assert_allclose(coefficients(BASE), coefficients([*BASE, nuclei, h2, co, nuclei * 1e-5]))
    np.testing.assert_allclose(coefficients(BASE), coefficients([*BASE, nuclei, *[np.nan] * 3]))


def test_a_column_along_the_tracer_shields() -> None:
    free = rate_of(Formula.H2_PHOTON, [*BASE, np.nan, 0.0, np.nan, np.nan])
    assert free == pytest.approx(h2_dissociation(0.0, 1.0, 2.0))
    assert free > 100 * rate_of(Formula.H2_PHOTON, BASE)
    thick = [*BASE, np.nan, np.nan, 1e20, np.nan]
    assert rate_of(Formula.CO_PHOTON, thick) < 0.1 * rate_of(Formula.CO_PHOTON, BASE)
    assert rate_of(Formula.H2_PHOTON, thick) == rate_of(Formula.H2_PHOTON, BASE)
    assert rate_of(Formula.C_PHOTON, [*BASE, *[np.nan] * 3, 0.0]) > rate_of(Formula.C_PHOTON, BASE)


def test_the_solver_takes_column_densities_and_refuses_other_spellings() -> None:
    usual = COLLAPSE.solve(WAY, INITIAL).abundances[-1]
    bare = COLLAPSE.solve({**WAY, "N_H2": 0.0}, INITIAL).abundances[-1]
    h2 = COLLAPSE.index("H2")
    assert bare[h2] < 0.995 * usual[h2]
    with pytest.raises(DataError, match="N_H2 is -1"):
        COLLAPSE.solve({**WAY, "N_H2": -1.0}, INITIAL)
    with pytest.raises(DataError, match="unknown column 'Zeta'") as caught:
        COLLAPSE.solve({**WAY, "Zeta": 10.0}, INITIAL)
    assert caught.value.hint == "did you mean 'zeta'?"


def write_tracers(path: Path) -> Path:
    rows = ["Tracer,Time,Density,Radfield,Av,gasTemp,dustTemp,zeta,N(H2),dstep"]
    for name, dust, zeta, column in (("a", 20, 1, 1e21), ("b", 20, 1000, 1e21), ("c", 35, 1, 1e21)):
        rows += [f"{name},{time},1e5,1,5,20,{dust},{zeta},{column},1" for time in (0, 1e4, 2e4)]
    path.write_text("\n".join(rows))
    return path


def test_simulate_reads_uses_and_stores_every_condition(tmp_path: Path) -> None:
    folder = f"general.results_dir={tmp_path / 'results'}"
    outcome = chemnet("simulate", folder, f"simulate.tracers={write_tracers(tmp_path / 'own.csv')}")
    assert outcome.code == 0, outcome.err
    assert "dustTemp in place of gasTemp" in outcome.err
    assert "N_H2 for self-shielding, in place of the column that follows from Av" in outcome.err
    assert "not used by simulate: dstep" in outcome.err
    (result,) = (tmp_path / "results").iterdir()
    with SimulatedSet(result / "tracers.h5") as simulated:
        assert simulated.physical_names[4:] == ("dustTemp", "zeta", "N_H2")
        np.testing.assert_allclose(simulated.physical(1)[:, 4:], [[20, 1000, 1e21]] * 3)
        usual, ionised, warm = (simulated.abundances(i)[-1] for i in simulated)
        for other, name in ((ionised, "HCO+"), (warm, "#CO")):
            place = simulated.species.index(name)
            assert abs(np.log10(other[place] / usual[place])) > 0.3, name
    words = ('data_set.physical=["Density", "Av", "zeta", "dustTemp"]', "preprocess.train_size=1.0")
    outcome = chemnet("preprocess", folder, *words, "preprocess.validate_size=0", "preprocess.test_size=0")
    assert outcome.code == 0, outcome.err
    assert "1 .. 1e+03 1.3e-17 s^-1" in outcome.out


def test_rates_per_second_are_no_zeta(tmp_path: Path) -> None:
    text = write_tracers(tmp_path / "own.csv").read_text().replace(",1000,", ",1.3e-17,")
    (tmp_path / "own.csv").write_text(text.replace(",20,1,", ",20,2e-17,").replace(",35,1,", ",35,2e-17,"))
    outcome = chemnet("simulate", f"simulate.tracers={tmp_path / 'own.csv'}")
    assert outcome.code == 2
    assert "like a rate in s^-1" in outcome.err

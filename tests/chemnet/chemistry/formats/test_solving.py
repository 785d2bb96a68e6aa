"""Networks in foreign formats can be solved, and the format makes no difference to the answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chemnet.chemistry.network.network import Network
from chemnet.errors import DataError

STEPS = 12
TRACER = {
    "time": np.linspace(0.0, 1e5, STEPS),
    "Density": np.full(STEPS, 1e4),
    "Radfield": np.full(STEPS, 1.7),
    "Av": np.linspace(1.0, 2.0, STEPS),
    "gasTemp": np.linspace(20.0, 200.0, STEPS),
}
INITIAL = {"H": 1.0, "C": 1e-4, "OH": 2e-4}
SPECIES = ("H", "C", "OH", "CO", "O")


def kida_row(reactants: str, products: str, a: float, b: float, c: float, formula: int) -> str:
    left = "".join(f"{name:<11}" for name in (reactants.split() + [""] * 3)[:3])
    right = "".join(f"{name:<11}" for name in (products.split() + [""] * 5)[:5])
    return f"{left} {right} {a:>10.3e} {b:>10.3e} {c:>10.3e} {'':26}  -9999   9999 {formula:>2}"


FILES = {
    "umist": [
        "1:NN:C:OH:CO:H:::1:1.00e-10:0.50:0.0:0:41000:L:C::",
        "2:PH:OH:PHOTON:O:H:::1:2.00e-10:0.00:3.0:0:41000:L:C::",
        "3:CP:CO:CRP:C:O:::1:1.30e-14:0.00:0.0:0:41000:L:C::",
        "4:RA:O:H:OH::::1:9.90e-17:-0.38:0.0:0:41000:L:C::",
    ],
    "kida": [
        kida_row("C OH", "CO H", 1e-10, 0.5, 0.0, 3),
        kida_row("OH Photon", "O H", 2e-10, 0.0, 3.0, 2),
        kida_row("CO CRP", "C O", 1e3, 0.0, 0.0, 1),
        kida_row("O H", "OH", 9.9e-17, -0.38, 0.0, 3),
    ],
    "krome": [
        "@format:idx,R,R,P,P,rate",
        "1,C,OH,CO,H,1d-10*sqrt(T32)",
        "@format:idx,R,P,P,rate",
        "2,OH,O,H,user_G0/1.7d0*2d-10*exp(-3d0*user_Av)",
        "3,CO,C,O,1d3*user_crate",
        "@format:idx,R,R,P,Tmin,Tmax,rate",
        "4,O,H,OH,NONE,1d3,9.9d-17*T32**(-.38)*get_Hnuclei(n(:))/1d4",
        # valid nowhere on this tracer, and infinite there
        "5,O,H,OH,1d4,NONE,exp(1d5*invT)",
    ],
}


def solved(folder: Path, name: str) -> np.ndarray:
    path = folder / name
    path.write_text("\n".join(FILES[name]) + "\n", encoding="utf-8")
    network = Network.read(path)
    solution = network.solve(TRACER, INITIAL)
    return solution.abundances[:, [network.index(species) for species in SPECIES]]


@pytest.mark.slow  # compiles the solver first
@pytest.mark.parametrize("name", ["kida", "krome"])
def test_same_reactions_in_another_format_give_the_same_answer(tmp_path: Path, name: str):
    expected = solved(tmp_path, "umist")
    np.testing.assert_allclose(solved(tmp_path, name), expected, rtol=1e-3, atol=1e-14)
    # the chemistry did something, and carbon is where it was
    assert expected[-1, SPECIES.index("CO")] > 1e-6
    np.testing.assert_allclose(expected[:, [1, 3]].sum(axis=1), 1e-4, rtol=1e-9)


@pytest.mark.slow  # compiles the solver first
def test_a_rate_that_depends_on_a_density_follows_the_abundance_from_row_to_row(tmp_path: Path):
    path = tmp_path / "react_dust"
    path.write_text("@format:idx,R,R,P,rate\n1,H,H,H2,1d-17/n(idx_H)*get_Hnuclei(n(:))\n", encoding="utf-8")
    network = Network.read(path)
    years = np.linspace(0.0, 2e5, 401)
    tracer = {"time": years, "Density": 1e4, "Radfield": 1.0, "Av": 1.0, "gasTemp": 20.0}
    h = network.solve(tracer, {"H": 1.0}).abundances[:, network.index("H")]
    # with the density itself the rate is linear in H; held over each of the short rows it is nearly so
    np.testing.assert_allclose(h, np.exp(-2.0 * 1e-17 * 1e4 * years * 3.16e7), rtol=0.02)


@pytest.mark.slow  # compiles the solver first
def test_a_rate_of_a_species_that_is_not_there_is_refused_by_its_row(tmp_path: Path):
    path = tmp_path / "react_dust"
    path.write_text("@format:idx,R,R,P,rate\n1,H,H,H2,1d-17*n(idx_Ej)\n", encoding="utf-8")
    network = Network.read(path)
    tracer = {"time": [0.0, 1.0], "Density": 1e4, "Radfield": 1.0, "Av": 1.0, "gasTemp": 20.0}
    with pytest.raises(DataError, match=r"react_dust:2: the rate depends on the density of 'E\+'"):
        network.solve(tracer, {"H": 1.0})

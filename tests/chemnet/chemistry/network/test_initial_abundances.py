"""Initial abundances: UCLCHEM's standard as far as a network goes, or the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chemnet.chemistry.network.initial_abundances import STANDARD_ABUNDANCES, initial_abundances
from chemnet.chemistry.network.network import Network
from chemnet.chemistry.network.species_and_reactions import NetworkSpecies
from chemnet.errors import DataError


def network_of(*names: str) -> Network:
    return Network.from_parts([NetworkSpecies(name, mass=1.0) for name in names], [], name="made")


def test_standard_abundances_are_taken_where_the_network_has_the_species() -> None:
    network = network_of("E-", "C+", "H", "H2", "CO")
    expected = [1.77e-4, 1.77e-4, 0.5, 0.25, 0.0]
    np.testing.assert_allclose(initial_abundances(network), expected)


def test_an_element_starts_neutral_where_the_network_has_no_ion_and_the_other_way_round() -> None:
    named = dict(zip(("S", "MG+", "E-"), initial_abundances(network_of("S", "MG+", "E-")), strict=True))
    assert named == pytest.approx({"S": 3.51e-6, "MG+": 2.256e-6, "E-": 2.256e-6})


def test_the_shipped_network_starts_neutral_with_all_its_elements() -> None:
    network = Network.read("collapse")
    abundance = initial_abundances(network)
    assert abundance @ network.charges == pytest.approx(0.0, abs=1e-18)
    assert (abundance @ network.stoichiometry > 0.0).all()


def test_a_network_that_brings_abundances_starts_with_them() -> None:
    species = [NetworkSpecies(name, mass=1.0) for name in ("H", "H2")]
    network = Network.from_parts(species, [], name="made", standard_abundances={"H2": 0.4, "H": 0.2})
    np.testing.assert_allclose(initial_abundances(network), [0.2, 0.4])
    np.testing.assert_allclose(initial_abundances(network, {"H": 1.0}), [1.0, 0.0])


def test_uclchems_own_network_starts_as_its_tables_do(shared_data: Path) -> None:
    network = Network.read(shared_data / "network")
    abundance = dict(zip(network.species_names, initial_abundances(network), strict=True))
    assert {name: abundance[name] for name in STANDARD_ABUNDANCES} == dict(STANDARD_ABUNDANCES)


def test_own_abundances_replace_all_standard_ones() -> None:
    network = network_of("H", "H2", "C+", "E-")
    np.testing.assert_allclose(initial_abundances(network, {"H2": 0.5}), [0.0, 0.5, 0.0, 0.0])


def test_named_electrons_are_left_alone() -> None:
    network = network_of("H", "C+", "E-")
    np.testing.assert_allclose(initial_abundances(network, {"C+": 1e-4, "E-": 3e-4}), [0.0, 1e-4, 3e-4])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"CO": 1e-4}, "name 'CO', which network 'made' does not have"),
        ({"H": -1.0}, "initial abundance of 'H' is -1.0"),
        ({"H": float("nan")}, "initial abundance of 'H' is nan"),
        ({"H": "half"}, "initial abundance of 'H' is 'half'"),
        ({"H": True}, "initial abundance of 'H' is True"),
        ({"H": [0.5]}, r"initial abundance of 'H' is \[0.5\]"),
        ({"H": 0.0}, "all initial abundances are 0"),
        ({"H-": 1e-3}, "carry a charge of -0.001"),
    ],
)
def test_impossible_abundances_are_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        initial_abundances(network_of("H", "H-", "E-"), given)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("given", "warned"),
    [({"H2": 0.5, "H": 0.5}, "contain 1.5 H nuclei"), ({"H2": 0.5}, ""), ({"H": 0.5, "H2": 0.25}, "")],
)
def test_hydrogen_that_does_not_add_up_is_warned_of(
    given: dict[str, float], warned: str, caplog: pytest.LogCaptureFixture
) -> None:
    initial_abundances(network_of("H", "H2", "C+", "E-"), given)
    assert warned in caplog.text
    assert bool(caplog.records) == bool(warned)

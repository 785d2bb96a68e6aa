"""Names that are asked for: any spelling of a species, `$` for all its ice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from command_line import chemnet
from made_tracers import SPECIES

from chemnet.chemistry import summed_abundances
from chemnet.chemistry.network.species_sums import positions_of
from chemnet.errors import DataError
from chemnet.evaluation.report_examples import check_species
from chemnet.search.queries import read_abundances

ICES = ["CO", "#CO", "@CO", "#H2O", "H2O", "SIO"]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("$CO", (1, 2)),
        ("$H2O", (3,)),
        ("CO", (0,)),
        ("co", (0,)),
        ("CO_ice", (1,)),
        ("SiO", (5,)),
        ("$co", (1, 2)),
    ],
)
def test_a_name_finds_its_species(name: str, found: tuple[int, ...]) -> None:
    assert positions_of(name, ICES) == found


@pytest.mark.parametrize(
    ("name", "told"), [("$NH3", "no ice of 'NH3'"), ("CH4", "no species 'CH4'"), ("$", "no ice of ''")]
)
def test_what_is_not_there_is_refused(name: str, told: str) -> None:
    with pytest.raises(DataError, match=told):
        positions_of(name, ICES)


def test_sums_are_taken_along_the_last_axis() -> None:
    values = np.arange(12.0).reshape(2, 6)
    np.testing.assert_array_equal(summed_abundances(values, ["$CO", "H2O"], ICES), [[3, 4], [15, 10]])
    assert summed_abundances(values, [], ICES).shape == (2, 0)


def test_benchmark_takes_sums_and_lookup_says_why_it_cannot() -> None:
    check_species(["$H2O", "CO"], SPECIES)
    with pytest.raises(DataError, match="is a sum") as caught:
        read_abundances({"$CO": 1e-5}, ICES)
    assert caught.value.hint == "give #CO and @CO"


def test_network_draws_the_ice_of_a_molecule(tmp_path: Path) -> None:
    words = ("network", "collapse_bulk", "--species", "$H2O", f"general.results_dir={tmp_path}")
    outcome = chemnet(*words)
    assert outcome.code == 0, outcome.err
    (result,) = tmp_path.iterdir()
    assert len(list(result.glob("*H2O*.png"))) == 2

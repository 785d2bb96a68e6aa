"""The network of the data is found by their parent or by their file, or it is said why not."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from made_network import SPECIES, closed_form_solve, write_made_network

from chemnet import ChemNet
from chemnet.chemistry.network.network import Network
from chemnet.errors import ChemNetError
from chemnet.evaluation.network_origin import network_of


@pytest.fixture
def chem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ChemNet:
    """Tracers of the made network, simulated, and a copy of their file outside the results."""
    monkeypatch.setattr(Network, "solve", closed_form_solve)
    words = [
        f"general.results_dir={tmp_path / 'results'}",
        f"simulate.network={write_made_network(tmp_path / 'made')}",
        "simulate.n_tracers=12",
        "simulate.n_steps=9",
        "simulate.rtol=1e-3",
        "simulate.grain.dust_to_gas=0.005",
        "preprocess.window=4",
    ]
    chem = ChemNet(overrides=words)
    shutil.copy(chem.simulate().tracers_file, tmp_path / "copied.h5")
    return chem


def preprocessed(chem: ChemNet, *words: Any) -> Any:
    if words:
        chem.set_config(*words)
    return chem.preprocess().directory


def test_parent_and_copied_file_name_the_same_network_and_options(chem: ChemNet, tmp_path: Path) -> None:
    by_parent = preprocessed(chem)
    by_copy = preprocessed(chem, "data_set.path", str(tmp_path / "copied.h5"))
    assert "simulate" in by_parent.parents
    assert "simulate" not in by_copy.parents
    for result in (by_parent, by_copy):
        network, options = network_of(result, SPECIES, chem.config)
        assert network.name == "made"
        assert options["rtol"] == 1e-3
        assert network.rate_options.grain.dust_to_gas == 0.005


def test_a_network_that_changed_since_the_copy_was_made_does_not_count(chem: ChemNet, tmp_path: Path) -> None:
    reactions = tmp_path / "made" / "reactions.csv"
    reactions.write_text(reactions.read_text().replace("4.4e-12", "5e-12"))
    reason = network_of(
        preprocessed(chem, "data_set.path", str(tmp_path / "copied.h5")), SPECIES, chem.config
    )
    assert "the network made is not the one any more that made" in reason
    shutil.rmtree(tmp_path / "made")
    reason = network_of(
        preprocessed(chem, "data_set.path", str(tmp_path / "copied.h5")), SPECIES, chem.config
    )
    assert "no network at hand" in reason


def test_a_network_of_other_species_does_not_count(chem: ChemNet, surrogate: Any) -> None:
    assert "made has other species than the surrogate" in network_of(
        preprocessed(chem), surrogate.species, chem.config
    )


def test_a_network_that_the_configuration_names_counts_with_the_options_of_the_configuration(
    chem: ChemNet, tmp_path: Path
) -> None:
    data = preprocessed(chem)
    chem.set_config("simulate.rtol", 1e-5)
    chem.set_config("benchmark.solver_network", str(tmp_path / "made"))
    found = network_of(data, SPECIES, chem.config)
    assert not isinstance(found, str)
    assert (found[0].name, found[1]["rtol"]) == ("made", 1e-5)
    chem.set_config("benchmark.solver_network", str(tmp_path / "nowhere"))
    with pytest.raises(ChemNetError, match="nowhere"):
        network_of(data, SPECIES, chem.config)


def test_a_named_network_of_other_species_is_refused(chem: ChemNet, surrogate: Any) -> None:
    chem.set_config("benchmark.solver_network", "collapse")
    with pytest.raises(ChemNetError, match="collapse has other species than the surrogate"):
        network_of(preprocessed(chem), surrogate.species, chem.config)


def test_tracers_that_were_not_simulated_have_no_network_and_the_reason_is_told(
    tiny_data: Any, surrogate: Any, tiny: Any
) -> None:
    reason = network_of(tiny_data.directory, surrogate.species, tiny())
    assert f"{tiny_data.directory.name} has no result of `chemnet simulate` as its parent, and" in reason
    assert "is no file that it wrote" in reason

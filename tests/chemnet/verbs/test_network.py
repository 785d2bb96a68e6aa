"""`chemnet network`: what it prints and writes, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import chemnet, entries

from chemnet import ChemNet
from chemnet.errors import ResultsError
from chemnet.results import VerbResult
from chemnet.verbs.network import NetworkResult

UMIST = """\
1:NN:C:OH:CO:H:::1:1.00e-10:0.00:0.0:10:300:L:C:"":"":
2:PH:CO:PHOTON:C:O:::1:2.00e-10:0.00:3.5:10:41000:L:C:"":"":
3:RR:Si+:e-:Si:PHOTON:::1:4.26e-12:-0.62:0.0:10:41000:L:C:"":"":
"""
PNG = b"\x89PNG"


@pytest.fixture
def network(tmp_path: Path) -> Path:
    path = tmp_path / "small.txt"
    path.write_text(UMIST, encoding="utf-8")
    return path


def results(tmp_path: Path) -> str:
    return f"general.results_dir={tmp_path / 'results'}"


def test_summary_is_printed_and_the_pictures_are_written(tmp_path, network):
    outcome = chemnet("network", network, "--species", "CO", results(tmp_path))
    assert outcome.code == 0, outcome.err
    for words in (
        "small: 8 species, 3 reactions",
        "H C O SI",
        "never formed",
        "SI+ E-",
        "imbalances       none",
    ):
        assert words in outcome.out
    (result,) = (tmp_path / "results").iterdir()
    assert (result / "graph_CO.png").read_bytes().startswith(PNG)
    assert (result / "overview.png").read_bytes().startswith(PNG)
    assert str(result) in outcome.out


def test_json_holds_survey_and_neighbourhood(tmp_path, network):
    answer = chemnet("network", network, "--species", "CO", "--json", results(tmp_path)).answer
    assert answer["survey"]["kinds"] == {"TWOBODY": 2, "PHOTON": 1}
    (around,) = answer["neighbourhoods"]
    assert around["species"] == "CO"
    assert [one["name"] for one in around["sinks"]] == ["C", "O"]
    assert answer["summary"]["species"] == 8


def test_result_reloads_and_plots(tmp_path, network):
    made = ChemNet(overrides=(results(tmp_path),)).network(path=str(network), species=["si+", "CO"])
    again = VerbResult.load(made.path)
    assert isinstance(again, NetworkResult)
    assert again.survey == made.survey
    assert list(again.neighbourhoods) == ["SI+", "CO"]
    assert again.plot("CO").get_suptitle() == "Reactions around CO"
    assert again.plot().get_suptitle() == "Reactions around SI$^{+}$"
    assert str(again) == str(made)
    with pytest.raises(ResultsError, match="no graph around 'OH'"):
        again.plot("OH")


CHANGED = """\
1:NN:C:OH:CO:H:::2:1.00e-10:0.00:0.0:10:100:L:C:"":"":1.00e-10:0.00:0.0:101:300:L:C:"":"":
2:PH:CO:PHOTON:C:O:::1:4.00e-10:0.00:3.5:10:41000:L:C:"":"":
4:NN:C:NO:CO:N:::1:1.00e-10:0.00:0.0:10:300:L:C:"":"":
"""


def test_comparison_lists_what_another_network_changes(tmp_path, network):
    other = tmp_path / "other.txt"
    other.write_text(CHANGED, encoding="utf-8")
    answer = chemnet("network", network, "--compare", other, "--json", results(tmp_path)).answer
    found = answer["comparison"]
    assert found["added"] == ["other.txt:3: C + NO -> CO + N (TWOBODY)"]
    assert found["missing"] == ["small.txt:3: SI+ + E- -> SI (TWOBODY)"]
    assert [one["reaction"] for one in found["changed"]] == []  # CO shields itself, whatever its alpha
    assert found["n_same"] == 2
    assert (found["new_species"], found["lost_species"]) == (["NO", "N"], ["SI+", "E-", "SI"])
    other.write_text(CHANGED.replace("2:1.00e-10", "2:3.00e-10"), encoding="utf-8")
    made = ChemNet(overrides=(results(tmp_path),)).network(path=str(network), compare=str(other))
    (change,) = made.comparison.changed
    assert (change.ratio, change.temperature) == (pytest.approx(3.0), 10.0)
    assert "x 3 at 10 K" in str(made)
    assert VerbResult.load(made.path).comparison == made.comparison


def test_keys_say_how_a_network_is_read(tmp_path):
    path = tmp_path / "net.txt"
    path.write_text(
        UMIST.replace("CO", "C18O") + '5:NN:Qx:OH:CO:H:::1:1e-10:0:0:10:300:L:C:"":"":\n', encoding="utf-8"
    )
    outcome = chemnet("network", path, results(tmp_path))
    assert outcome.code == 2
    assert "'C18O' is not a species name" in outcome.err
    assert "network.skip_unreadable=true" in outcome.err
    words = ("network.composition.C18O='C[18O]'", "network.skip_unreadable=true")
    answer = chemnet("network", path, *words, "--species", "C18O", "--json", results(tmp_path)).answer
    assert answer["neighbourhoods"][0]["species"] == "C[18O]"
    assert "18O" in answer["survey"]["elements"]
    assert len(answer["survey"]["skipped"]) == answer["summary"]["skipped"] == 3


def test_without_a_species_the_overview_is_the_figure(tmp_path, network):
    made = ChemNet(overrides=(results(tmp_path),)).network(path=str(network))
    assert made.graphs == {}
    assert made.plot().get_suptitle() == "small: 8 species, 3 reactions"


def test_the_shipped_network_is_the_default_and_names_of_ice_make_safe_file_names(tmp_path):
    made = ChemNet(overrides=(results(tmp_path),)).network(species="CO_ice")
    assert made.survey.name == "collapse"
    assert made.survey.refused == ()
    assert [path.name for path in made.graphs.values()] == ["graph_surface_CO.png"]


def test_configuration_names_network_and_species_too(tmp_path, network):
    outcome = chemnet(
        "network",
        f"network.path={network}",
        'network.species=["CO"]',
        "network.neighbours=1",
        results(tmp_path),
    )
    assert outcome.code == 0, outcome.err
    assert "graph_CO.png" in outcome.out


def test_unbalanced_rows_are_reported_and_do_not_stop_the_report(tmp_path, network):
    network.write_text(UMIST.replace("CO:H:::", "CO::::"), encoding="utf-8")
    outcome = chemnet("network", network, results(tmp_path))
    assert outcome.code == 0
    assert "imbalances       1\n    small.txt:1: C + OH -> CO (TWOBODY): H -1" in outcome.out
    assert "refused          1\n    small.txt:1: C + OH -> CO (TWOBODY) is not balanced" in outcome.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--species", "QO"], "network 'small' has no species 'QO'"),
        (["--species", "C0"], "did you mean 'C' or 'CO'"),
    ],
)
def test_unknown_species_is_refused_with_near_ones_and_leaves_no_result(tmp_path, network, words, message):
    outcome = chemnet("network", network, *words, results(tmp_path))
    assert outcome.code == 2
    assert message in outcome.err
    assert entries(tmp_path / "results") == []


def test_file_that_is_no_network_is_refused_and_leaves_no_result(tmp_path):
    path = tmp_path / "letter.txt"
    path.write_text("Dear reader,\n", encoding="utf-8")
    outcome = chemnet("network", path, results(tmp_path))
    assert outcome.code == 2
    assert "not a network that chemnet can read" in outcome.err
    assert "UMIST" in outcome.err
    assert "Traceback" not in outcome.err
    assert entries(tmp_path / "results") == []


def test_every_wrong_row_of_a_file_is_named(tmp_path, network):
    network.write_text(UMIST + "4:XX:C:OH:CO:H:::1:1:0:0:1:3:L:C::\n5:NN:C:OH\n", encoding="utf-8")
    outcome = chemnet("network", network, results(tmp_path))
    assert outcome.code == 2
    assert "2 rows are refused" in outcome.err
    assert "small.txt:4: unknown reaction type 'XX'" in outcome.err
    assert "small.txt:5: 4 columns" in outcome.err


@pytest.fixture(scope="module")
def tracers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tracers of the shipped network, twelve rows each."""
    folder = tmp_path_factory.mktemp("made")
    words = ("simulate.n_tracers=2", "simulate.n_steps=12", "simulate.end_time=4e4", "simulate.rtol=1e-2")
    outcome = chemnet("simulate", *words, "simulate.pre_phase_share=1.0", results(folder))
    assert outcome.code == 0, outcome.err
    return next((folder / "results").glob("*/tracers.h5"))


def test_a_network_is_found_to_have_made_tracers_and_it_is_said_with_which_quirks(tmp_path, tracers):
    outcome = chemnet("network", "collapse", "--against", tracers, results(tmp_path))
    assert outcome.code == 0, outcome.err
    assert "the rates of collapse made this set, with simulate.uclchem_compatible=false" in outcome.out
    against = ChemNet(overrides=(results(tmp_path),)).network(against=str(tracers)).against
    assert against.quirks is False
    assert against.steps == 22


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["collapse", "simulate.rates.scale={CRP = 5.0}"], "the rates of collapse did not make"),
        (["collapse_bulk"], "an implicit step needs all of them"),
    ],
)
def test_rates_and_species_of_another_network_are_told(tmp_path, tracers, words, message):
    outcome = chemnet("network", words[0], "--against", tracers, *words[1:], results(tmp_path))
    assert outcome.code == 2
    assert message in outcome.err
    assert not (tmp_path / "results").exists() or not list((tmp_path / "results").iterdir())

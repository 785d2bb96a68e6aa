"""`lookup` finds the known states nearest to a query and says how they differ."""

from __future__ import annotations

import json

import numpy as np
import pytest
from command_line import chemnet
from known_states import LATENT_DIM, write_infer_result
from workspace import make_workspace

from chemnet.config import load_config
from chemnet.core import ChemNet
from chemnet.data.infer_result.inference_dataset import InferenceDataset
from chemnet.errors import ChemNetError, NotFoundError


@pytest.fixture(scope="module")
def known(tiny_preprocessed, tmp_path_factory):
    """A workspace with a database, and the states in it."""
    import shutil

    workspace = make_workspace(tmp_path_factory.mktemp("known"))
    shutil.copytree(tiny_preprocessed.path, workspace.results / tiny_preprocessed.name)
    infer = write_infer_result(load_config([workspace.config]))
    assert workspace.run("save_to_database").code == 0
    return workspace, InferenceDataset(infer.path)


def chem(known) -> ChemNet:
    """Return chemnet configured for the workspace."""
    return ChemNet(known[0].config)


def true_neighbours(data: InferenceDataset, vector: np.ndarray, k: int) -> list[str]:
    """Return the ids of the k nearest states by a full sort."""
    order = np.argsort(np.linalg.norm(data.latents - vector, axis=1), kind="stable")[:k]
    return data.ids()[order].tolist()


@pytest.mark.parametrize("search", ["exact", "database"])
def test_an_id_finds_itself_and_then_its_nearest(known, search):
    data, chemnet_object = known[1], chem(known)
    chemnet_object.set_config("lookup.search", search)
    answer = chemnet_object.lookup(id=str(data.ids()[40]), k=4)
    assert [near.state.id for near in answer.neighbours] == true_neighbours(data, data.latents[40], 4)
    assert answer.neighbours[0].distance == 0.0
    nearest = answer.neighbours[1]
    expected = np.linalg.norm(data.latents[nearest.state.index] - data.latents[40])
    assert nearest.distance == pytest.approx(expected, rel=1e-4)


def test_neighbours_carry_tracer_step_time_and_physical_parameters(known):
    data = known[1]
    near = chem(known).lookup(id=str(data.ids()[40]), k=3).neighbours[2].state
    row = data.rows[near.index]
    assert (near.tracer, near.step, near.time) == (data.tracer_ids[row["tracer"]], row["step"], row["time"])
    assert near.physical == {name: row[name] for name in data.physical_names}


def test_the_species_that_differ_most_are_those_of_the_true_abundances(known):
    data = known[1]
    answer = chem(known).lookup(id=str(data.ids()[40]), k=3)
    states = [near.state.index for near in answer.neighbours]
    query, other = np.log10(np.clip(data.truth([40, states[2]]), 1e-20, None))
    worst = int(np.argmax(np.abs(other - query)))
    found = answer.differences[2][0]
    assert found.species == data.species[worst]
    assert found.dex == pytest.approx((other - query)[worst])
    assert answer.differences[0] == []
    assert f"{found.species} {found.dex:+.2f}" in str(answer)


def test_outliers_are_farthest_from_their_kth_neighbour(known):
    data = known[1]
    answer = chem(known).lookup(outliers=2, k=3)
    distances = np.sort(np.linalg.norm(data.latents[:, None] - data.latents[None], axis=2), axis=1)[:, 3]
    expected = np.argsort(-distances, kind="stable")[:2]
    assert [near.state.index for near in answer.neighbours] == expected.tolist()
    assert answer.neighbours[0].distance == pytest.approx(distances.max(), rel=1e-5)


def test_the_command_line_prints_a_table_or_json(known):
    workspace, data = known
    sample = str(data.ids()[40])
    table = chemnet("lookup", "-c", workspace.config, "--id", sample, "lookup.k=3")
    assert table.code == 0, table.err
    header = table.out.splitlines()[2]
    for word in (
        "id",
        "tracer",
        "step",
        "time [yr]",
        "Density [cm^-3]",
        "gasTemp [K]",
        "distance",
        "differs most",
    ):
        assert word in header
    answer = workspace.run("lookup", "--id", sample, "--k", "3").answer
    assert answer["query"] == {"kind": "id", "id": sample}
    assert [state["id"] for state in answer["neighbours"]] == true_neighbours(data, data.latents[40], 3)
    assert set(answer["neighbours"][1]["differs"][0]) == {"species", "dex", "query", "other"}


def test_a_missing_id_exits_with_one_and_names_near_ids(known):
    outcome = known[0].run("lookup", "--id", "0-999")
    assert outcome.code == 1
    assert "'0-0' to '0-29'" in outcome.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "given: none"),
        (("--id", "0-1", "--outliers", "3"), "given: id, outliers"),
        (("--vector", "0.1,0.2"), f"length {LATENT_DIM}"),
        (("--vector", "0.1,nan,0.2"), "not finite"),
        (("--vector", "a,b,c"), "no number"),
        (("--abundances", "missing.json"), "missing.json"),
        (("--id", "0-1", "--k", "0"), "lookup.k = 0 is out of range"),
        (("--outliers", "0"), "at least 1"),
        (("--outliers", "many"), "invalid int"),
    ],
)
def test_wrong_use_exits_with_two(known, words, message):
    outcome = known[0].run("lookup", *words)
    assert outcome.code == 2
    assert message in outcome.err
    assert "Traceback" not in outcome.err


def test_an_unknown_species_is_named(known, tmp_path):
    (tmp_path / "cell.json").write_text(json.dumps({"H2": 0.5, "C0": 1e-5}))
    outcome = known[0].run("lookup", "--abundances", tmp_path / "cell.json")
    assert outcome.code == 2
    assert "unknown species 'C0'" in outcome.err


def test_abundances_need_the_autoencoder_that_made_the_database(known):
    with pytest.raises(ChemNetError, match="made without an autoencoder"):
        chem(known).lookup(abundances={"H2": 0.5})


def test_the_connection_searches_by_id_and_vector(known):
    data = known[1]
    with chem(known).database_connection() as connection:
        by_id = connection.search_by_id(str(data.ids()[7]), k=3)
        by_vector = connection.search_by_vector(data.latents[7], k=3)
        assert [near.state.id for near in by_id] == [near.state.id for near in by_vector]
        np.testing.assert_array_equal(connection.get_by_id(str(data.ids()[7])).vector, data.latents[7])
        with pytest.raises(NotFoundError):
            connection.get_by_id("nobody-1")


def test_the_connection_tells_what_it_holds_on_the_command_line(known):
    answer = known[0].run("database_connection").answer
    assert (answer["states"], answer["tracers"], answer["latent_dim"]) == (360, 12, LATENT_DIM)

"""`chemnet results`: what there is, and what was made from what."""

import command_line
import pytest

from chemnet import ChemNet
from chemnet.errors import ConfigError, NotFoundError, ResultsError
from chemnet.results import ResultWriter
from chemnet.results.unfinished_runs import RUNNING_FILE


@pytest.fixture
def chem(tmp_path):
    return ChemNet(overrides=[f"general.results_dir={tmp_path / 'results'}"])


@pytest.fixture
def make(chem):
    def _make(verb, content="x", component=None, parents=None):
        with ResultWriter(chem.config, verb, component=component, parents=parents) as writer:
            (writer.path / "file.txt").write_text(content)
        return writer.result

    return _make


def test_an_empty_folder_says_what_to_do(chem):
    with pytest.raises(NotFoundError, match=r"no results in .*\n.*chemnet demo") as caught:
        chem.results()
    assert caught.value.exit_code == 1


def test_the_table_names_verb_component_status_and_parents(chem, make):
    data = make("preprocess")
    make("train", component="ae", parents={"preprocess": data})
    header, first, second = str(chem.results()).splitlines()
    assert header.split()[:4] == ["name", "verb", "component", "status"]
    assert first.split()[:3] == [data.name, "preprocess", "done"]
    assert second.split()[1:4] == ["train", "ae", "done"]
    assert second.endswith(data.name)


def test_the_tree_draws_each_result_once_under_its_youngest_parent(chem, make):
    data = make("preprocess")
    again = make("preprocess")  # the same content, so the same digest
    trained = make("train", component="ae", parents={"preprocess": data})
    inferred = make("infer", parents={"preprocess": data, "train": trained})
    lines = str(chem.results(tree=True)).splitlines()
    assert lines == [data.name, f"    {trained.name} (ae)", f"        {inferred.name}", again.name]


def test_a_run_that_broke_off_is_listed_as_unfinished_and_a_living_one_as_running(chem, make):
    with pytest.raises(ValueError, match="boom"), ResultWriter(chem.config, "train", keep_on_error=True):
        raise ValueError("boom")
    with ResultWriter(chem.config, "simulate"):
        rows = chem.results().to_dict()["results"]
    assert {(row["verb"], row["status"]) for row in rows} == {
        ("train", "unfinished"),
        ("simulate", "running"),
    }


@pytest.fixture
def broken_off(chem):
    """Return the hidden directory of a run that failed and kept what it had."""
    with (
        pytest.raises(ValueError, match="boom"),
        ResultWriter(chem.config, "train", keep_on_error=True) as run,
    ):
        raise ValueError("boom")
    return run.path


def test_a_run_of_another_machine_is_neither_running_nor_unfinished(chem, broken_off):
    (broken_off / RUNNING_FILE).write_text('verb = "train"\npid = 1\nhost = "node-17"\n')
    [row] = chem.results().to_dict()["results"]
    assert row["status"] == "unknown (host node-17)"


def test_cleaning_removes_what_ended_and_nothing_that_runs_or_is_whole(chem, make, broken_off):
    whole = make("preprocess")
    elsewhere = broken_off.with_name(".partial-20260101-000000-train-abcdef")
    elsewhere.mkdir()
    (elsewhere / RUNNING_FILE).write_text('verb = "train"\npid = 1\nhost = "node-17"\n')
    with ResultWriter(chem.config, "simulate") as running:
        removed = chem.results(clean=True).to_dict()["removed"]
        assert running.path.is_dir()
    assert removed == [broken_off.name]
    assert not broken_off.exists()
    assert elsewhere.is_dir()
    assert whole.path.is_dir()


def test_cleaning_where_nothing_broke_off_says_so(chem, make):
    make("preprocess")
    assert "no unfinished runs" in str(chem.results(clean=True))


def test_verify_reads_every_byte_and_names_what_is_broken(chem, make, monkeypatch):
    whole, changed, gone, renamed, undescribed = (
        make(verb) for verb in ("train", "infer", "umap", "lookup", "train")
    )
    monkeypatch.setattr("chemnet.results.directory._QUICK_DIGEST_LIMIT", 0)
    assert chem.results(verify=True).exit_code == 0
    (changed.path / "file.txt").write_text("y")
    (gone.path / "file.txt").unlink()
    (renamed.path / "runtime_config.toml").write_text("")
    (undescribed.path / "result.toml").unlink()
    answer = chem.results(verify=True)
    assert answer.exit_code == 2
    faults = {row["name"]: "".join(row["faults"]) for row in answer.to_dict()["results"]}
    assert not faults[whole.name]
    for result, words in (
        (changed, "file.txt changed after `infer` wrote it"),
        (gone, "has no file 'file.txt'"),
        (renamed, "runtime_config.toml changed"),
        (undescribed, "no result.toml"),
    ):
        assert words in faults[result.name]
        assert words in str(answer)
    assert "4 of 5 are broken" in str(answer)


def test_verify_ends_the_command_line_with_2(chem, make):
    folder = make("train").path
    words = ("results", "--verify", f"general.results_dir={folder.parent}")
    assert command_line.chemnet(*words).code == 0
    with (folder / "result.toml").open("a") as file:
        file.write("[further]\n")
    outcome = command_line.chemnet(*words)
    assert (outcome.code, "broken" in outcome.out) == (2, True)


@pytest.fixture
def generations(make):
    """Two trainings of one component from one data set, a training of another, and data that nothing used."""
    unused = make("preprocess", content="unused")
    data = make("preprocess", content="data")
    first = make("train", content="1", component="ae", parents={"preprocess": data})
    second = make("train", content="2", component="ae", parents={"preprocess": data})
    other = make("train", content="3", component="em", parents={"preprocess": data, "autoencoder": first})
    newest = make("preprocess", content="newest")
    return {
        "unused": unused,
        "data": data,
        "first": first,
        "second": second,
        "other": other,
        "newest": newest,
    }


def test_pruning_lists_what_newer_ones_replaced_and_keeps_what_others_were_made_from(chem, generations):
    told = chem.results(prune=True).to_dict()["would_remove"]
    assert told == [generations["unused"].name]
    assert all(result.path.is_dir() for result in generations.values())


def test_pruning_deletes_when_it_is_confirmed(chem, generations):
    assert chem.results(prune=True, yes=True).to_dict()["removed"] == [generations["unused"].name]
    assert not generations["unused"].path.exists()
    assert generations["data"].path.is_dir()
    assert "has been replaced" in str(chem.results(prune=True))


def test_a_kind_keeps_as_many_as_are_asked_for(chem, generations):
    assert chem.results(prune=True, keep=3).to_dict()["would_remove"] == []
    with pytest.raises(ConfigError, match="at least 1"):
        chem.results(prune=True, keep=0)


def test_open_shows_the_page_before_the_pictures(chem, make, monkeypatch):
    shown = []
    monkeypatch.setattr("webbrowser.open", lambda address: shown.append(address) or True)
    result = make("benchmark")
    for name in ("page.html", "a.png"):
        (result.path / name).write_text("x")
    assert "opened" in str(chem.results(open=result.name))
    assert [address.rpartition("/")[2] for address in shown] == ["page.html"]
    with pytest.raises(ResultsError, match="no result 'nothing'"):
        chem.results(open="nothing")

"""``--dry-run`` tells what a verb would read and make, and writes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import chemnet
from workspace import Workspace, make_workspace

from chemnet.registry import VERBS
from chemnet.results import ResultDirectory

#: verbs that answer, and make nothing
ANSWERS = {
    "config", "results", "lookup", "database_connection", "model", "doctor", "explain", "cite", "completion",
    "verify",
}  # fmt: skip


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace with a result of most verbs."""
    made = make_workspace(tmp_path_factory.mktemp("dry_run"))
    made.result("preprocess")
    made.result("train", "train.epochs=1")
    made.result("train", "train.epochs=1", "model.name=LatentEmulator", "train.component=emulator")
    made.result("infer", "infer.model_dir=autoencoder")
    made.result("umap")
    return made


def listed(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in sorted(folder.rglob("*"))}


def newest(chain: Workspace, verb: str) -> ResultDirectory:
    (*_, last) = sorted(name for name in chain.made if f"-{verb}-" in name)
    return ResultDirectory.open(chain.results / last)


def test_every_verb_that_makes_something_has_a_dry_run_and_no_other() -> None:
    assert {name for name in VERBS.names() if not VERBS.get(name).has_plan()} == ANSWERS


@pytest.mark.parametrize(
    ("words", "reads"),
    [
        ("preprocess", {"data_set.path": "12 tracers, 360 rows, 12 species"}),
        ("train train.epochs=2", {"train.preprocess_dir": "-preprocess-"}),
        ("train model.name=emulator", {"train.preprocess_dir": "-preprocess-"}),
        (
            "train model.name=LatentEmulator",
            {"train.preprocess_dir": "-preprocess-", "train.autoencoder_dir": "-train-"},
        ),
        ("sweep optimizer.lr=1e-3,5e-4", {"varied: optimizer.lr": "0.001,0.0005"}),
        ("infer infer.model_dir=emulator", {"infer.model_dir": "-train-", "infer.preprocess_dir": "-pre"}),
        ("umap", {"umap.infer_dir": "-infer-"}),
        ("visualize", {"umap": "-umap-"}),
        ("study sparse model.name=emulator", {"train.preprocess_dir": "-preprocess-"}),
        ("save_to_database", {"vector_db.infer_dir": "-infer-"}),
        ("benchmark", {"benchmark.surrogate": "emulator", "benchmark.preprocess_dir": "tracers of the test"}),
        ("network", {"network.path": "collapse"}),
        ("export emulator --output bundle", {"export.surrogate": "emulator"}),
        ("simulate simulate.n_tracers=2", {"simulate.network": "collapse: 89 species, 668 reactions"}),
        ("demo", {}),
    ],
)
def test_it_tells_what_would_be_read_and_writes_nothing(
    chain: Workspace, monkeypatch: pytest.MonkeyPatch, words: str, reads: dict[str, str]
) -> None:
    monkeypatch.chdir(chain.folder)
    before = listed(chain.folder)
    verb, *rest = words.split()
    outcome = chain.run(verb, "--dry-run", *rest)
    assert outcome.code == 0, outcome.err
    told = outcome.answer
    for name, what in reads.items():
        assert what in told["reads"][name]
    assert told["makes"]
    assert told["takes"]
    assert listed(chain.folder) == before


def test_what_it_reads_is_what_the_verb_then_reads(chain: Workspace) -> None:
    told = chain.run("umap", "--dry-run").answer["reads"]["umap.infer_dir"]
    assert told == str(newest(chain, "umap").parent("infer").path)


def test_an_earlier_result_of_its_kind_gives_the_pace(chain: Workspace) -> None:
    earlier = newest(chain, "preprocess")
    takes = chain.run("preprocess", "--dry-run").answer["takes"]
    assert takes.startswith("about ")
    assert f"360 rows: {earlier.name} took" in takes
    other = chain.run("train", "--dry-run", "model.name=PCAAutoencoder").answer["takes"]
    assert other.startswith("not known")


def test_a_training_that_would_preprocess_first_says_so(chain: Workspace, tmp_path: Path) -> None:
    words = ["--dry-run", "train.mode=both", f"general.results_dir={tmp_path / 'none'}"]
    told = chain.run("train", *words).answer
    assert "which `preprocess` would read first" in told["reads"]["data_set.path"]
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("verb", ["train", "umap", "compare"])
def test_what_the_verb_would_refuse_is_refused(verb: str, tmp_path: Path) -> None:
    outcome = chemnet(verb, "--dry-run", f"general.results_dir={tmp_path}")
    assert outcome.code == 2
    assert "hint: " in outcome.err


def test_what_goes_on_with_an_old_run_is_not_foretold(chain: Workspace) -> None:
    outcome = chain.run("train", "--dry-run", "train.resume=latest")
    assert outcome.code == 2
    assert "--dry-run tells what a new run would do" in outcome.err


def test_new_and_download_say_where_their_files_would_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = chemnet("new", "plugin", "plugin_of_mine", "--dry-run").out
    assert f"{tmp_path / 'plugin_of_mine'}: " in told
    assert "pyproject.toml" in told
    told = chemnet("download", "https://example.org/tracers.h5", "--output", "sets", "--dry-run").out
    assert "sets/tracers.h5" in told
    assert list(tmp_path.iterdir()) == []

"""Result directories: hidden until whole, found by fit, never stale."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from planted_results import plant

from chemnet.config import load_config
from chemnet.config.whole_file import with_checksum
from chemnet.errors import ResultsError, RunFailedError
from chemnet.results import (
    ResultDirectory,
    ResultWriter,
    VerbResult,
    digests,
    find_most_recent_results_dir,
    list_results,
    resolve_input,
)
from chemnet.results.directory import broken_results
from chemnet.results.unfinished_runs import list_partial, unfinished


@pytest.fixture
def config(tmp_path):
    return load_config(overrides=[f"general.results_dir={tmp_path / 'results'}"])


@pytest.fixture
def make(config):
    def _make(verb="train", content="weights", component=None, parents=None, status="done"):
        with ResultWriter(config, verb, component=component, parents=parents) as writer:
            (writer.path / "file.txt").write_text(content)
            writer.summary["length"] = len(content)
            writer.finish(status)
        return writer.result

    return _make


def test_a_result_is_hidden_until_it_is_whole(config):
    with ResultWriter(config, "train") as writer:
        assert writer.path.name.startswith(".partial-")
        assert list_results(writer.path.parent) == []
        assert find_most_recent_results_dir(config, "train") is None
    assert writer.path.name == writer.result.name
    assert not writer.path.name.startswith(".")
    assert [result.path for result in list_results(writer.path.parent)] == [writer.path]


def test_a_failed_run_leaves_nothing(config):
    with pytest.raises(ValueError, match="boom"), ResultWriter(config, "train"):
        raise ValueError("boom")
    assert list(Path(config["general"]["results_dir"]).iterdir()) == []


def test_a_run_that_can_be_resumed_stays_hidden(config):
    with pytest.raises(ValueError, match="boom"), ResultWriter(config, "train", keep_on_error=True) as writer:
        raise ValueError("boom")
    run = unfinished(config, "train", "latest")
    assert run.path == writer.path
    assert find_most_recent_results_dir(config, "train") is None
    with ResultWriter(config, "train", resume=run) as again:
        pass
    assert again.path.name == writer.path.name.removeprefix(".partial-")
    assert list(list_partial(again.path.parent)) == []


def test_a_killed_process_leaves_no_result_to_chain_onto(config):
    code = (
        "import sys; from chemnet.config import load_config; from chemnet.results import ResultWriter\n"
        "with ResultWriter(load_config(overrides=[sys.argv[1]]), 'train'):\n"
        "    print('writing', flush=True); sys.stdin.read()\n"
    )
    word = f"general.results_dir={config['general']['results_dir']}"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code, word], **pipes) as process:
        assert process.stdout.readline() == b"writing\n"
        process.send_signal(signal.SIGKILL)
    assert find_most_recent_results_dir(config, "train") is None
    assert len(list(list_partial(config["general"]["results_dir"]))) == 1


def test_result_toml_tells_how_the_result_came_to_be(make):
    parent = make("preprocess")
    child = make("train", component="ae", parents={"preprocess": parent})
    info = tomllib.loads(child.file("result.toml").read_text())
    assert (info["status"], info["verb"], info["component"]) == ("done", "train", "ae")
    assert info["parents"]["preprocess"] == {"path": str(parent.path), "digest": parent.digest}
    assert info["versions"]["chemnet"]
    assert info["wall_time_s"] >= 0
    assert info["summary"] == {"length": 7}


def test_the_newest_that_fits_is_found(config, make):
    small, large = make(content="abc"), make(content="a" * 50)
    assert resolve_input(config, "general.dask", "train").path == large.path
    fitting = resolve_input(
        config, "general.dask", "train", fits=lambda result: result.summary["length"] < 10
    )
    assert fitting.path == small.path


def test_interrupted_results_are_used_only_by_name(config, make):
    whole, broken = make(), make(content="half", status="interrupted")
    assert resolve_input(config, "general.dask", "train").path == whole.path
    named = config.replace({"general.dask": broken.name})
    assert resolve_input(named, "general.dask", "train").path == broken.path


@pytest.mark.parametrize("name_it", [lambda r: str(r.path), lambda r: r.name, lambda r: r.component])
def test_an_input_is_named_by_path_name_or_component(config, make, name_it):
    wanted = make(component="first")
    make(component="second")
    named = config.replace({"general.dask": name_it(wanted)})
    assert resolve_input(named, "general.dask", "train").path == wanted.path


def test_without_a_result_the_error_says_what_to_run(config):
    with pytest.raises(ResultsError, match=r"found no train result in .*\n.*run `chemnet train` first"):
        resolve_input(config, "general.dask", "train")


def test_an_unknown_name_suggests_what_there_is(config, make):
    make(component="autoencoder")
    with pytest.raises(ResultsError, match="did you mean 'autoencoder'"):
        resolve_input(config.replace({"general.dask": "autoencodr"}), "general.dask", "train")


@pytest.mark.parametrize(
    ("what", "told"),
    [("autoencoder", "is not an autoencoder"), ("trained emulator", "is not a trained emulator")],
)
def test_a_result_that_does_not_fit_is_refused_in_good_english(config, make, what, told):
    asked = config.replace({"general.dask": make().name})
    with pytest.raises(ResultsError, match=told):
        resolve_input(asked, "general.dask", make().verb, fits=lambda result: False, what=what)


def test_a_result_of_another_verb_is_refused(config, make):
    other = make("infer")
    with pytest.raises(ResultsError, match="is a result of `infer`; a result of `train` is needed"):
        resolve_input(config.replace({"general.dask": other.name}), "general.dask", "train")


def test_a_result_edited_in_place_is_refused(config, make):
    result = make()
    (result.path / "file.txt").write_text("WEIGHTS")
    with pytest.raises(ResultsError, match=r"file\.txt changed after `train` wrote it"):
        resolve_input(config, "general.dask", "train")
    with pytest.raises(ResultsError, match="changed"):
        result.verify()


def test_a_parent_is_found_by_digest_after_the_results_have_moved(make, tmp_path):
    parent = make("preprocess")
    child = make("train", parents={"preprocess": parent})
    shutil.move(parent.path.parent, tmp_path / "moved")
    moved = ResultDirectory.open(tmp_path / "moved" / child.name)
    assert moved.parent("preprocess").digest == parent.digest


def test_a_parent_made_again_with_other_content_is_not_taken(make):
    parent = make("train", content="first")
    child = make("infer", parents={"train": parent})
    shutil.rmtree(parent.path)
    again = make("train", content="second")
    again.path.rename(parent.path)
    with pytest.raises(ResultsError, match="gone or has changed"):
        child.parent("train")


def test_the_same_content_made_again_serves_as_the_parent(make):
    parent = make("train", content="same")
    child = make("infer", parents={"train": parent})
    shutil.rmtree(parent.path)
    again = make("train", content="same")
    assert child.parent("train").path == again.path


def test_unfinished_and_damaged_directories_are_refused(config, make):
    result = make()
    (result.path / "result.toml").write_text("not = [toml")
    with pytest.raises(ResultsError, match="damaged"):
        ResultDirectory.open(result.path)
    (result.path / "result.toml").unlink()
    with pytest.raises(ResultsError, match="not a finished result"):
        ResultDirectory.open(result.path)
    with pytest.raises(ResultsError, match="no such result directory"):
        ResultDirectory.open(result.path / "absent")
    assert list_results(result.path.parent) == []


def test_a_missing_file_lists_what_there_is(make):
    with pytest.raises(ResultsError, match=r"has no file 'weights'\n.*file\.txt"):
        make().file("weights")


def test_a_results_dir_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    config = load_config(overrides=[f"general.results_dir={tmp_path / 'file' / 'results'}"])
    with pytest.raises(ResultsError, match="cannot make a result directory"):
        ResultWriter(config, "train")


def test_a_result_reloads_and_prints_itself(make):
    result = make(component="ae")
    loaded = VerbResult.load(result.path)
    assert loaded.summary == {"length": 7}
    assert str(result.path) in str(loaded)
    assert json.loads(json.dumps(loaded.to_dict()))["component"] == "ae"


def test_the_configuration_of_a_result_is_the_one_that_made_it(config, make):
    assert make().config == config


def test_the_configuration_of_an_old_result_is_read_though_keys_have_changed(make):
    result = make()
    plant(result.path, "runtime_config.toml", {"bygone/key": 1})
    assert ResultDirectory.open(result.path).config["bygone"]["key"] == 1


def test_a_result_of_another_format_says_so(make):
    result = make()
    file = result.path / "result.toml"
    file.write_text(file.read_text().replace("format = 1", "format = 999"))
    with pytest.raises(ResultsError, match="has format 999; this chemnet reads format 1"):
        ResultDirectory.open(result.path)


def test_finding_the_newest_result_of_a_verb_opens_no_other(config, make, monkeypatch):
    wanted = make("train")
    make("infer")
    opened = []
    whole = ResultDirectory.open.__func__
    monkeypatch.setattr(
        ResultDirectory, "open", classmethod(lambda cls, path: opened.append(path.name) or whole(cls, path))
    )
    assert find_most_recent_results_dir(config, "train").path == wanted.path
    assert opened == [wanted.name]


def test_a_parent_in_its_place_is_found_without_a_look_at_other_results(make, monkeypatch):
    parent = make("preprocess")
    child = make("train", parents={"preprocess": parent})
    monkeypatch.setattr("chemnet.results.directory.list_results", None)
    assert child.parent("preprocess").path == parent.path


@pytest.mark.parametrize("name", ["../../precious", "/etc/passwd"])
def test_a_file_that_lies_outside_of_the_result_is_refused(make, name):
    result = make()
    description = result.path / "result.toml"
    description.write_text(with_checksum(description.read_text().replace("file.txt", name)))
    with pytest.raises(ResultsError, match="lies outside of the result"):
        ResultDirectory.open(result.path)


def damaged(result, old, new):
    description = result.path / "result.toml"
    content = description.read_bytes()
    assert old in content
    description.write_bytes(content.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"train", b"tr\xffin"),
        (b'verb = "train"', b"verb = 3"),
        (b"created = ", b"created = 1979-05-27\nold = "),
        (b"wall_time_s = ", b"wall_time_s = [1]\nold = "),
        (b"wall_time_s = ", b"wall_time_s = 1" + b"0" * 400 + b"\nold = "),
        (b"[versions]", b"[version]"),
        (b"[summary]", b'summary = "x"\n[old]'),
        (b"size = 7", b'size = "7"'),
        (b"format = 1", b"format = 1\ndeep = " + b"[" * 5000 + b"]" * 5000),
    ],
)
def test_one_damaged_result_is_left_out_and_named_and_hides_no_other(config, make, caplog, old, new):
    good, bad = make(), make()
    damaged(bad, old, new)
    with pytest.raises(ResultsError, match=r"result\.toml"):
        ResultDirectory.open(bad.path)
    for _ in range(2):
        assert [result.path for result in list_results(good.path.parent)] == [good.path]
    assert caplog.text.count("left out: ") == 1
    assert bad.name in caplog.text
    assert resolve_input(config, "infer.model_dir", "train").path == good.path


def test_a_folder_that_is_no_result_is_no_damaged_one(make, caplog):
    result = make()
    (result.path.parent / "notes").mkdir()
    (result.path.parent / "20260102-030405-train-abcdef").touch()
    assert len(list_results(result.path.parent)) == 1
    assert list(broken_results(result.path.parent)) == []
    assert not caplog.text


class LibraryError(Exception):
    """An error of a library that says in its own words that the disk is full."""


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(
            "Can't write data (file write failed: errno = 28, error message = 'No space left on device')"
        ),
        LibraryError("I/O error: No space left on device (os error 28)"),
        LibraryError("(sqlite3.OperationalError) database or disk is full"),
        OSError("4096 requested and 512 written"),
    ],
)
@pytest.mark.parametrize("keep", [True, False])
def test_a_full_disk_is_named_with_the_folder(config, error, keep):
    writer = ResultWriter(config, "train", keep_on_error=keep)

    def save():
        with writer:
            try:
                raise error
            except Exception as caught:
                raise ValueError("could not save") from caught

    with pytest.raises(RunFailedError, match=r"cannot write in .*-train-.*: No space left on device"):
        save()
    assert writer.path.exists() == keep


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
from chemnet.cli import main
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.parametrize("limit", [10, 5_000, 20_000])
def test_a_disk_that_takes_no_more_ends_a_verb_in_one_line_and_leaves_nothing(
    tiny_preprocessed, tmp_path, limit
):
    data = Path(str(tiny_preprocessed.config["data_set"]["path"]))
    words = ["preprocess", f"data_set.path={data}", f"general.results_dir={tmp_path}", "preprocess.window=8"]
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(limit), *words, "--quiet"], capture_output=True, text=True
    )
    assert done.returncode == 3, done.stderr
    assert f"cannot write in {tmp_path}" in done.stderr
    assert "File too large" in done.stderr
    assert "defect" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("verify", "refused"), [(True, True), (False, False)])
def test_a_large_input_is_compared_with_its_digest_unless_a_key_says_no(
    config, make, monkeypatch, verify, refused
):
    monkeypatch.setattr("chemnet.results.directory._QUICK_DIGEST_LIMIT", 0)
    made = make()
    path = made.path / "file.txt"
    path.write_text("y" * len(path.read_text()))
    child = make("infer", parents={"train": made})
    words = config.replace({"general.verify_inputs": verify, "infer.model_dir": made.name})
    found = resolve_input(words, "infer.model_dir", "train")
    above = replace(child, verify_inputs=verify).parent("train")
    for one in (found, above):
        if refused:
            with pytest.raises(ResultsError, match=r"file\.txt changed after"):
                one.file("file.txt")
        else:
            assert one.file("file.txt") == path


def test_a_file_that_was_read_whole_is_read_again_once_it_may_have_changed(make, monkeypatch):
    result = make()
    path = result.file("file.txt")
    long_ago = time.time() - 9
    monkeypatch.setattr("chemnet.results.digests.time.time", lambda: long_ago + 99)
    reads = []
    digest = digests.file_digest
    monkeypatch.setattr(digests, "file_digest", lambda *words: reads.append(1) or digest(*words))
    for _ in range(3):
        result.file("file.txt")
    assert len(reads) == 1
    state = path.stat()
    path.write_text("y" * state.st_size)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    with pytest.raises(ResultsError, match=r"file\.txt changed"):
        result.file("file.txt")


def test_a_quick_look_reads_neither_large_files_nor_the_configuration(make, monkeypatch):
    monkeypatch.setattr("chemnet.results.directory._QUICK_DIGEST_LIMIT", 0)
    for name in ("file.txt", "runtime_config.toml"):
        result = make()
        changed = result.path / name
        changed.write_text("y" * changed.stat().st_size)
        result.verify(every_byte=False)
        with pytest.raises(ResultsError, match=f"{name} changed after"):
            result.verify()
    small = make(content="weights")
    (small.path / "file.txt").write_text("another")
    monkeypatch.setattr("chemnet.results.directory._QUICK_DIGEST_LIMIT", len("weights"))
    with pytest.raises(ResultsError, match=r"file\.txt changed after"):
        small.verify(every_byte=False)


def test_an_older_result_that_has_no_digest_of_its_configuration_is_whole_without_it(make):
    result = make()
    description = result.path / "result.toml"
    lines = description.read_text().splitlines(keepends=True)
    description.write_text(with_checksum("".join(line for line in lines if "config_digest" not in line)))
    older = ResultDirectory.open(result.path)
    (result.path / "runtime_config.toml").write_text("[train]\nepochs = 3\n")
    assert older.config["train"]["epochs"] == 3
    (result.path / "runtime_config.toml").unlink()
    older.verify()

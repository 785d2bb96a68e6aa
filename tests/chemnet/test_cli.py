"""The command line: words, exit codes, messages."""

import importlib.metadata
import io
import json
import os
import re
import signal
import subprocess
import sys

import pytest

from chemnet.cli import main
from chemnet.config import ConfigManager
from chemnet.errors import DataError, NotFoundError, RunFailedError
from chemnet.registry import VERBS
from chemnet.results import Answer
from chemnet.verbs.verb import Verb


@pytest.fixture
def throw(monkeypatch):
    """Register a verb that raises, or returns, what it is given."""

    def _throw(what):
        class Throw(Verb):
            cli_name = "throw"
            description = "throw something"

            def run(self):
                if isinstance(what, BaseException):
                    raise what
                return what

        monkeypatch.setitem(VERBS._classes, "throw", Throw)
        return main(["throw"])

    return _throw


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (Answer({}, "fine"), 0),
        (NotFoundError("nothing there"), 1),
        (DataError("bad row"), 2),
        (RunFailedError("diverged"), 3),
        (ZeroDivisionError("oops"), 3),
        (KeyboardInterrupt(), 130),
    ],
)
def test_exit_codes_mean_something(throw, outcome, code):
    assert throw(outcome) == code


def test_an_error_is_one_clear_message_with_a_hint(throw, capsys):
    throw(DataError("tracers.h5: row 3, column CO: NaN", hint="set data_set.nan_mode"))
    error = capsys.readouterr().err
    assert error == "chemnet: error: tracers.h5: row 3, column CO: NaN\n  hint: set data_set.nan_mode\n"


def test_a_defect_shows_no_traceback_unless_asked(throw, capsys):
    throw(ZeroDivisionError("oops"))
    error = capsys.readouterr().err
    assert "unexpected ZeroDivisionError: oops" in error
    assert "Traceback" not in error


def test_debug_shows_the_traceback(capsys):
    assert main(["config", "general.seeed=1", "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_help_lists_every_verb_with_a_description(capsys):
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out
    for name in VERBS.names():
        assert f"\n  {name} " in printed


def test_no_words_print_the_help_and_count_as_wrong_use(capsys):
    assert main([]) == 2
    assert "usage: chemnet VERB" in capsys.readouterr().out


def test_an_unknown_verb_suggests_the_nearest(capsys):
    assert main(["preproces"]) == 2
    assert "did you mean preprocess?" in capsys.readouterr().err


def test_an_unknown_option_is_wrong_use(capsys):
    assert main(["config", "--colour"]) == 2
    assert "--colour" in capsys.readouterr().err


def test_words_override_files_wherever_they_stand(tmp_path, capsys):
    (tmp_path / "run.toml").write_text("[general]\nseed = 5\n")
    assert (
        main(
            [
                "config",
                "general.log_level=error",
                "-c",
                str(tmp_path / "run.toml"),
                "--json",
                "general.seed=6",
            ]
        )
        == 0
    )
    printed = json.loads(capsys.readouterr().out)["general"]
    assert (printed["seed"], printed["log_level"]) == (6, "error")


def test_explain_prints_one_key(capsys):
    assert main(["config", "--explain", "general.seed"]) == 0
    assert "seed of every random choice" in capsys.readouterr().out
    assert main(["config", "--explain", "general.sed"]) == 2
    assert "general.seed" in capsys.readouterr().err


def test_explain_prints_every_key_of_a_table(capsys):
    assert main(["config", "--explain", "simulate", "simulate.end_time=5"]) == 0
    printed = capsys.readouterr().out
    assert "simulate.end_time = 5.0  (float > 0) [yr]\n    default 1000000.0; set by command line" in printed
    assert "simulate.n_steps = 298  (int >= 2)\n    rows per generated tracer" in printed
    assert "simulate.families, simulate.uclchem, simulate.grain, simulate.rates" in printed
    assert "simulate.grain.radius" not in printed
    assert main(["config", "--explain", "model.LatentEmulator", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    schema = ConfigManager().schema.keys
    assert [one["key"] for one in content["keys"]] == [
        ".".join(key) for key in schema if key[:2] == ("model", "LatentEmulator")
    ]


@pytest.mark.parametrize(
    ("name", "near"), [("trian", "'train'"), ("model.LatentEmulatr", "'model.LatentEmulator'")]
)
def test_an_unknown_table_has_near_misses(capsys, name, near):
    assert main(["config", "--explain", name]) == 2
    assert f"did you mean {near}" in capsys.readouterr().err


def test_quiet_prints_no_result(capsys):
    assert main(["config", "--quiet"]) == 0
    assert capsys.readouterr().out == ""


def test_results_that_finds_nothing_exits_with_one(tmp_path, capsys):
    assert main(["results", f"general.results_dir={tmp_path / 'nope'}"]) == 1
    told = capsys.readouterr().err
    assert "no results in" in told
    assert "hint:" in told
    assert not (tmp_path / "nope").exists()


def test_the_module_runs_as_the_command_does():
    done = subprocess.run([sys.executable, "-m", "chemnet", "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout[:8]) == (0, "chemnet ")


def test_a_reader_that_leaves_early_causes_no_traceback():
    command = f"{sys.executable} -m chemnet config | head -n 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.stderr == ""


def test_a_log_file_that_cannot_be_written_is_named(capsys):
    assert main(["config", "general.log_destination=/nowhere/run.log"]) == 2
    assert "'/nowhere/run.log' cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["-c", "run.toml", "config"], ["general.seed=3", "config"]])
def test_options_before_the_verb_are_explained(words, capsys):
    assert main(words) == 2
    assert "the verb comes first" in capsys.readouterr().err


@pytest.mark.parametrize("words", ["train.epochs = 5", "train.epochs= 5", "train.epochs =5"])
def test_spaces_round_the_sign_are_explained(words, capsys):
    assert main(["train", "general.seed=3", *words.split()]) == 2
    told = capsys.readouterr().err
    assert words in told
    assert "train.epochs=5" in told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["train", "model.name=Autoencodr"], "model.name = 'Autoencodr': no model is called"),
        (["train", "general.device=gpu"], "general.device = 'gpu' is not allowed"),
        (["preprocess", "preprocess.method=sequental"], "did you mean 'sequential'?"),
        (["preprocess", "data_set.name=TracerTabel"], "did you mean 'TracerTable'?"),
        (["umap", "umap.reducer=umpa"], "did you mean 'umap'"),
        (["save_to_database", "vector_db.name=chroma"], "did you mean 'chromadb'?"),
        (["model", "model.name=LatentEmulater"], "did you mean 'LatentEmulator'"),
    ],
)
def test_wrong_names_are_told_before_inputs_are_looked_for(words, told, tmp_path, capsys):
    assert main([*words, f"general.results_dir={tmp_path}"]) == 2
    assert told in capsys.readouterr().err


def test_an_optimizer_without_its_module_is_told_before_inputs_are_looked_for(tmp_path, capsys):
    assert main(["train", "optimizer.name=adam", f"general.results_dir={tmp_path}"]) == 2
    told = capsys.readouterr().err
    assert "the optimizer 'adam' is no dotted name" in told
    assert "write torch.optim.Adam" in told


def test_a_benchmark_without_an_emulator_says_how_one_is_made(tmp_path, capsys):
    assert main(["benchmark", f"general.results_dir={tmp_path}"]) == 2
    assert "chemnet train model.name=LatentEmulator" in capsys.readouterr().err


def test_a_name_among_no_results_is_answered_with_the_verb_that_makes_one(tmp_path, capsys):
    assert main(["infer", "infer.model_dir=ae", f"general.results_dir={tmp_path}"]) == 2
    assert "hint: run `chemnet train` first" in capsys.readouterr().err


def test_the_package_knows_its_version():
    import chemnet

    assert chemnet.__version__ == importlib.metadata.version("chemnet")


def test_a_value_may_begin_with_a_minus(monkeypatch):
    class Aim(Verb):
        cli_name = "aim"
        description = "take a vector"

        @staticmethod
        def setup_parser(parser):
            parser.add_argument("--vector")

        def run(self, vector):
            assert vector == "-0.1,0.2"
            return Answer({}, "")

    monkeypatch.setitem(VERBS._classes, "aim", Aim)
    assert main(["aim", "--vector", "-0.1,0.2"]) == 0


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        (["--epochs", "3"], "train.epochs=3"),
        (["--epochs=3"], "train.epochs=3"),
        (["train.epochs"], "train.epochs=..."),
        (["train.epochs", "3"], "train.epochs=3"),
        (["epochs", "3"], "train.epochs=3"),
        (["--batch-size", "64"], "train.batch_size=64"),
        (["--colour"], "chemnet train --help"),
        (["-c"], "chemnet train --help"),
    ],
)
def test_a_key_that_is_written_otherwise_is_shown_as_it_must_be(words, advice, capsys):
    assert main(["train", *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith("chemnet: error: ")
    assert advice in error.split("hint: ")[1]


def test_the_help_of_a_verb_lists_its_keys_inputs_and_examples(capsys):
    assert main(["train", "--help"]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"train.epochs = 100 +largest number of passes over the training split", printed)
    assert re.search(r"train.preprocess_dir +result of chemnet preprocess", printed)
    assert "\n  chemnet train train.epochs=20\n" in printed
    assert max(map(len, printed.splitlines())) < 120


def test_every_key_and_table_of_a_verbs_help_exists(capsys):
    known = ConfigManager().schema.keys
    for name in VERBS.names():
        verb = VERBS.get(name)
        for table in verb.tables:
            assert any(key[0] == table for key in known), f"{name}: [{table}]"
        for line in verb.examples:
            overrides = [word for word in line.split() if "=" in word and not word.startswith("-")]
            keys = [word for word in overrides if "." in word.partition("=")[0]]
            ConfigManager(overrides=verb.configuration_words(keys))


def test_out_of_memory_is_no_defect(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def exhausted(words: list[str]) -> int:
        raise MemoryError("cannot allocate")

    monkeypatch.setattr("chemnet.cli._dispatch", exhausted)
    assert main(["results"]) == 3
    assert "out of memory: cannot allocate" in capsys.readouterr().err


def test_sigterm_does_what_ctrl_c_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("chemnet.cli._dispatch", lambda words: os.kill(os.getpid(), signal.SIGTERM))
    assert main(["results"]) == 130
    assert "interrupted" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


class Impatient(io.StringIO):
    """Where messages go; whoever reads one presses Ctrl-C again."""

    def write(self, text: str) -> int:
        signal.raise_signal(signal.SIGINT)
        return super().write(text)


def test_what_is_told_of_an_interrupt_is_not_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        monkeypatch.setattr("chemnet.cli._dispatch", lambda words: signal.raise_signal(signal.SIGINT))
        monkeypatch.setattr("sys.stderr", Impatient())
        assert main(["results"]) == 130
        assert sys.stderr.getvalue() == "chemnet: interrupted\n"  # type: ignore[attr-defined]
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


AT_THE_END = """
import atexit, signal, sys
from chemnet import cli
signal.signal(signal.SIGINT, signal.default_int_handler)
cli._dispatch = lambda words: signal.raise_signal(signal.SIGINT)
atexit.register(signal.raise_signal, signal.SIGINT)
sys.exit(cli.main())
"""


def test_a_further_ctrl_c_ends_what_python_still_does_without_a_traceback() -> None:
    done = subprocess.run([sys.executable, "-c", AT_THE_END], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "chemnet: interrupted\n")


def test_a_verb_of_hyrax_is_answered_with_what_does_its_work_here(capsys: pytest.CaptureFixture[str]) -> None:
    for theirs, ours in (("to_onnx", "export"), ("test", "benchmark")):
        assert main([theirs]) == 2
        assert f"did you mean {ours}?" in capsys.readouterr().err

"""`chemnet --help` answers at once: nothing heavy is imported before a verb runs."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import COMMAND, chemnet

from chemnet.registry import verb_descriptions

HEAVY = {"torch", "numba", "mlflow", "chromadb", "umap", "pandas", "numpy", "h5py", "sklearn", "matplotlib"}
MOST_STARTS = 25  # twice what it takes


def loaded_by(statement: str) -> set[str]:
    """The top-level modules that a fresh interpreter holds after `statement`."""
    code = f"{statement}; import sys; print('\\n'.join(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stderr.split()}


@pytest.mark.parametrize(
    "statement",
    [
        "import chemnet",
        "import chemnet; chemnet.ChemNet().config",
        "from chemnet.cli import main; assert main(['--help']) == 0",
        "from chemnet.cli import main; assert main(['--version']) == 0",
        "from chemnet.cli import main; assert main(['config']) == 0",
    ],
)
def test_no_heavy_package_is_loaded_before_a_verb_runs(statement: str) -> None:
    assert not loaded_by(statement) & HEAVY


def test_no_verb_loads_a_heavy_package_for_its_own_help() -> None:
    helps = "; ".join(f"assert main(['{name}', '--help']) == 0" for name in verb_descriptions())
    assert not loaded_by(f"from chemnet.cli import main; {helps}") & HEAVY


@pytest.mark.parametrize("word", ["--help", "--version"])
def test_help_and_version_cost_few_starts_of_python(word: str, tmp_path: Path) -> None:
    def cpu_seconds(*words: str | Path) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(words, check=True, capture_output=True, cwd=tmp_path)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    # one after the other: what else the machine does costs both
    pairs = [(cpu_seconds(COMMAND, word), cpu_seconds(sys.executable, "-c", "pass")) for _ in range(5)]
    ours, python = map(min, zip(*pairs, strict=True))
    assert ours < MOST_STARTS * python


def test_help_describes_every_verb_in_one_line() -> None:
    outcome = chemnet("--help")
    assert outcome.code == 0
    for name, description in verb_descriptions().items():
        line = next(line for line in outcome.out.splitlines() if line.strip().startswith(f"{name} "))
        assert description in line


def test_every_verb_explains_itself() -> None:
    for name, description in verb_descriptions().items():
        outcome = chemnet(name, "--help")
        assert outcome.code == 0, f"{name}: {outcome.err}"
        assert description in outcome.out


@pytest.mark.parametrize(
    "words",
    [
        "train",
        "train train.preprocess_dir=absent",
        "train train.autoencoder_dir=absent",
        "train train.resume=absent",
        "train train.model_weights_file=absent.safetensors",
        "infer infer.model_dir=absent",
        "model infer.model_dir=absent",
        "umap umap.infer_dir=absent",
        "visualize visualize.umap_dir=absent",
        "save_to_database vector_db.infer_dir=absent",
        "preprocess data_set.path=absent.h5",
    ],
)
def test_a_wrong_name_is_told_before_anything_slow_is_loaded(words: str, tmp_path: Path) -> None:
    code = (
        "import sys; from chemnet.cli import main; "
        f"code = main({[*words.split(), f'general.results_dir={tmp_path}']!r}); "
        "print(code, *sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    code, *loaded = done.stdout.split()
    assert code == "2", done.stderr
    assert not {"torch", "numba", "umap", "chromadb", "matplotlib"} & set(loaded)

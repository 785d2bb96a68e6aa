"""What is prepared for a GPU runs on a CPU, so that a GPU's minutes are not spent on mistakes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from chemnet.registry import DATASETS

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def suite(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import gpu_suite

    DATASETS._classes.pop("MadeStates", None)  # the benchmarks' own, which other tests are not to see
    return gpu_suite


def test_rollout_and_training_are_set_beside_one_product_of_matrices(suite: Any) -> None:
    figures = suite.roofline(suite.DRY, torch.device("cpu"))
    assert len(figures) == 5
    assert all(one.measured > 0.0 for one in figures)


def test_what_takes_too_long_is_interrupted_and_the_rest_goes_on(suite: Any, tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert (
        suite.ended_in([sys.executable, "-c", "import time; time.sleep(60)"], 1.0, log)
        == "interrupted after 1 s"
    )
    assert suite.ended_in([sys.executable, "-c", "raise SystemExit(3)"], 60.0, log).startswith(
        "FAILED with code 3"
    )
    assert suite.ended_in([sys.executable, "-c", ""], 60.0, log) == "done"


def test_it_asks_for_tracers_and_for_a_gpu(
    suite: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--out", str(tmp_path)]
    for given, told in ((words, "--dry-run"), (["tracers.h5", *words], "no CUDA device")):
        if "CUDA" in told and torch.cuda.is_available():
            continue
        with pytest.raises(SystemExit):
            suite.main(given)
        assert told in capsys.readouterr().err


@pytest.mark.slow
def test_a_dry_run_goes_through_tests_roofline_and_training(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCHMARKS / "gpu_suite.py"), "--dry-run", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told = (tmp_path / "on_gpu.md").read_text(encoding="utf-8")
    assert "a dry run" in told
    assert "training / product" in told
    stages = ("1_first_steps", "2_windows", "3_histories", "5_pieces")
    assert all(f"{stage}: done" in told for stage in stages)
    assert len(list((tmp_path / "results").glob("*-train-*/weights.safetensors"))) == len(stages)

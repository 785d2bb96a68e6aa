"""`chemnet doctor` tells what a machine has, and what to do where something is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from command_line import chemnet

from chemnet.evaluation import machine_checks
from chemnet.evaluation.machine_checks import ADVICE, OK, PROBLEM


def checks(config: Any, speed: bool = False) -> dict[str, Any]:
    return {one.name: one for one in machine_checks.machine_checks(config, speed)}


def test_a_healthy_machine_is_told_in_a_table(tmp_path: Path) -> None:
    outcome = chemnet("doctor", "--no-speed", f"general.results_dir={tmp_path}")
    assert outcome.code == 0, outcome.err
    for name in ("python", "packages", "device", "threads", "disk", "HDF5", "all well"):
        assert name in outcome.out


def test_speeds_are_measured(tiny: Any) -> None:
    found = checks(tiny(), speed=True)
    assert [found[name].state for name in ("matrix products", "memory copy", "solver")] == [OK] * 3
    assert "ms per row of 89 species" in found["solver"].found


def test_a_missing_package_is_answered_with_the_command(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_checks, "is_installed", lambda package: package != "mlflow")
    found = checks(tiny())["extras"]
    assert (found.state, found.advice[:33]) == (ADVICE, "pip install 'chemnet[track]' wher")


def test_a_wanted_gpu_that_is_not_there_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    outcome = chemnet("doctor", "--no-speed", "general.device=cuda", f"general.results_dir={tmp_path}")
    assert outcome.code == 3
    assert "MEND  device" in outcome.err
    assert "general.device=auto" in outcome.err


def test_a_speed_check_that_fails_is_a_problem_and_no_crash(
    tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> Any:
        raise OSError("no memory")

    monkeypatch.setattr(machine_checks, "_copy", broken)
    assert checks(tiny(), speed=True)["broken"].state == PROBLEM


def test_little_space_is_noticed(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_checks, "_LEAST_FREE", 1e12)
    assert checks(tiny())["disk"].state == ADVICE

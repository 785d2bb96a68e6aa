"""One loop of the soak (docs/explanation/proof.md): faults at random lose nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]


@pytest.mark.slow
@pytest.mark.skipif(
    not Path("/proc/self/fd").is_dir(), reason="what a process holds is read from Linux' /proc"
)
def test_a_loop_under_faults_loses_nothing(tmp_path: Path) -> None:
    record = tmp_path / "soak.jsonl"
    done = subprocess.run(
        [sys.executable, TESTS / "soak.py", "--minutes", "0.01", "--record", record],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (loop,) = (json.loads(line) for line in record.read_text(encoding="utf-8").splitlines())
    assert loop["lost"] == 0
    assert sum(loop["faults"].values()) == 7
    assert loop["children"] == 0

"""Any input gives a result or a `ChemNetError`: what once broke a reader, and a hundred changed ones."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chemnet.errors import ChemNetError

if not Path("/proc/self/statm").is_file():
    pytest.skip("what a process may allocate is limited by what Linux says it has", allow_module_level=True)
from fuzz.run import cases
from fuzz.targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=100, suppress_health_check=list(HealthCheck), database=None)
@given(st.randoms(use_true_random=False))
def test_changed_input_is_read_or_refused(name: str, rng: random.Random) -> None:
    TARGETS[name](TARGETS[name].mutated(rng))


@pytest.mark.parametrize("name", TARGETS)
def test_what_stands_at_the_beginning_and_what_once_broke_a_reader_is_read_or_refused(name: str) -> None:
    for data in (*TARGETS[name].seeds, *(file.read_bytes() for file in cases(name))):
        TARGETS[name](data)


@pytest.mark.parametrize("name", TARGETS)
def test_the_first_seed_is_read(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A target whose seed is refused would test nothing but the refusal."""
    try:
        TARGETS[name].read(TARGETS[name].seeds[0], tmp_path_factory.mktemp("seed"))
    except ChemNetError as error:
        pytest.fail(f"{name}: {error}")

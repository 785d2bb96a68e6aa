from __future__ import annotations

import pytest
import torch

from chemnet.errors import ConfigError
from chemnet.training.parallel import devices


def test_auto_takes_cuda_where_there_is_one() -> None:
    assert devices.choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert devices.choose_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("wanted", ["gpu", "cuda:99", "mps"])
def test_a_device_that_is_not_there_is_refused(wanted: str) -> None:
    with pytest.raises(ConfigError, match=r"general\.device"):
        devices.choose_device(wanted)


def test_mixed_precision_acts_inside_the_block_alone() -> None:
    layer, inputs = torch.nn.Linear(2, 2), torch.ones(1, 2)
    before = torch.get_float32_matmul_precision()
    with devices.precision("bf16", torch.device("cpu")):
        assert layer(inputs).dtype == torch.bfloat16
    with devices.precision("tf32", torch.device("cpu")):
        assert torch.get_float32_matmul_precision() == "high"
        assert layer(inputs).dtype == torch.float32
    assert torch.get_float32_matmul_precision() == before


def test_free_memory_is_a_plausible_number_of_bytes() -> None:
    assert 2**24 < devices.free_memory(torch.device("cpu")) < 2**50


def test_threads_are_those_asked_for_inside_the_block_alone() -> None:
    before = torch.get_num_threads()
    with devices.cpu_threads(3):
        assert torch.get_num_threads() == 3
    assert torch.get_num_threads() == before


def test_no_number_of_threads_means_those_that_the_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert devices.usable_threads() == 5
    with devices.cpu_threads(0):
        assert torch.get_num_threads() == 5
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {0, 4, 9}, raising=False)
    assert devices.usable_threads() == 3

"""A recorded rollout is the plain one; recording stands in for CUDA graphs, which need a GPU."""

from __future__ import annotations

import pytest
import torch

from chemnet.surrogate.engine.cuda_graphs import recorded_rollout
from chemnet.surrogate.engine.fused_predictor import FusedPredictor
from chemnet.surrogate.predictor import ComponentPredictor
from chemnet.surrogate.rollout import stepwise


def warm_up_and_repeat(work):
    """Do what recording a CUDA graph does to memory: warm up, then repeat on the same memory."""
    for _ in range(4):
        work()
    return work


@pytest.mark.parametrize("name", ["LatentEmulator", "LatentRNN", "DirectRelaxation"])
def test_replayed_steps_are_those_of_the_plain_rollout(make_parts, cells, name):
    start, physical, dt = cells(5, 9)
    predictor = ComponentPredictor(make_parts(name, use_dt=True))
    state = predictor.start(start)
    rows = torch.tensor([0, 3, 8])
    expected = stepwise(predictor, state, physical, dt, rows)
    found = recorded_rollout(predictor, state, physical, dt, rows, warm_up_and_repeat)
    assert found.keys() == expected.keys()
    for key, values in expected.items():
        torch.testing.assert_close(found[key], values)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_rollout_on_a_gpu_is_that_of_the_cpu(make_parts, cells):
    start, physical, dt = cells(50, 30)
    fused, rows = FusedPredictor(make_parts("LatentRelaxation")), torch.tensor([1, 29])
    expected = fused.rollout(fused.start(start), physical, dt, rows)["latent"]
    on_gpu = [values.cuda() for values in (start, physical, dt)]
    fused.to(torch.device("cuda"))
    found = fused.rollout(fused.start(on_gpu[0]), *on_gpu[1:], rows)["latent"]
    torch.testing.assert_close(found.cpu(), expected, rtol=1e-4, atol=1e-4)

"""Muon: matrices learn in all directions alike, vectors as with Adam."""

from copy import deepcopy
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from chemnet.training.muon import Muon, orthogonalised


@settings(max_examples=20)
@given(st.integers(2, 20), st.integers(2, 20), st.integers(0, 1000))
def test_orthogonalising_brings_singular_values_near_one_and_keeps_directions(rows, columns, seed):
    generator = torch.Generator().manual_seed(seed)
    left, _ = torch.linalg.qr(torch.randn(rows, rows, generator=generator))
    right, _ = torch.linalg.qr(torch.randn(columns, columns, generator=generator))
    n = min(rows, columns)
    values = torch.linspace(0.05, 1.0, n)
    result = orthogonalised(left[:, :n] @ torch.diag(values) @ right[:, :n].t(), 6)
    inner = left[:, :n].t() @ result @ right[:, :n]
    torch.testing.assert_close(inner - torch.diag(inner.diagonal()), torch.zeros(n, n), atol=1e-4, rtol=0)
    assert ((inner.diagonal() > 0.6) & (inner.diagonal() < 1.3)).all()


def loss_of_a_badly_conditioned_fit(make_optimizer):
    torch.manual_seed(0)
    scales = torch.logspace(0, -2, 12)
    inputs = torch.randn(256, 12) * scales
    target = inputs @ (torch.randn(12, 8) / scales[:, None])
    matrix = torch.nn.Parameter(torch.zeros(12, 8))
    optimizer = make_optimizer([matrix])
    for i in range(300):
        optimizer.param_groups[0]["lr"] *= (300 - i) / (301 - i)
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(inputs @ matrix, target).backward()
        optimizer.step()
    return torch.nn.functional.mse_loss(inputs @ matrix, target).item()


def test_weak_directions_are_learnt_where_plain_gradients_leave_them():
    plain = min(loss_of_a_badly_conditioned_fit(partial(torch.optim.SGD, lr=lr)) for lr in (1.0, 3.0, 10.0))
    assert loss_of_a_badly_conditioned_fit(partial(Muon, lr=5.0)) < 0.2 * plain


def test_vectors_move_as_with_adam():
    torch.manual_seed(0)
    start, target = torch.randn(5), torch.randn(5)
    ours, theirs = (torch.nn.Parameter(start.clone()) for _ in range(2))
    muon = Muon([ours], lr=0.1, vector_lr=0.02, betas=(0.9, 0.99))
    adam = torch.optim.Adam([theirs], lr=0.02, betas=(0.9, 0.99))
    for optimizer, parameter in ((muon, ours), (adam, theirs)):
        for _ in range(20):
            optimizer.zero_grad()
            (parameter - target).square().sum().backward()
            optimizer.step()
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-5)


def test_weight_decay_alone_shrinks_what_has_a_gradient():
    matrix, untouched = (torch.nn.Parameter(torch.ones(3, 3)) for _ in range(2))
    optimizer = Muon([matrix, untouched], lr=0.1, weight_decay=0.5)
    matrix.grad = torch.zeros(3, 3)
    optimizer.step()
    torch.testing.assert_close(matrix.detach(), torch.full((3, 3), 0.95))
    torch.testing.assert_close(untouched.detach(), torch.ones(3, 3))


def test_its_state_survives_saving():
    torch.manual_seed(0)
    layers = [torch.nn.Linear(4, 3) for _ in range(2)]
    layers[1].load_state_dict(layers[0].state_dict())
    optimizers = [Muon(layer.parameters()) for layer in layers]
    inputs = torch.randn(8, 4)

    def step(layer, optimizer):
        optimizer.zero_grad()
        layer(inputs).square().sum().backward()
        optimizer.step()

    step(layers[0], optimizers[0])
    layers[1].load_state_dict(layers[0].state_dict())
    optimizers[1].load_state_dict(deepcopy(optimizers[0].state_dict()))
    for layer, optimizer in zip(layers, optimizers, strict=True):
        step(layer, optimizer)
    torch.testing.assert_close(layers[0].weight, layers[1].weight, atol=0, rtol=0)


@pytest.mark.parametrize("options", [{"lr": 0.0}, {"vector_lr": -1.0}, {"momentum": 1.0}, {"iterations": 0}])
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match=r"above 0|lie in"):
        Muon([torch.nn.Parameter(torch.ones(2, 2))], **options)

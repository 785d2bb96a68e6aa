"""Rows that are shared out to threads give what one thread gives, to the rounding of sums."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn

from chemnet.models import losses, validation_metrics
from chemnet.models.fast import gelu, norm_gelu
from chemnet.models.fast.training_kernels import blocks


@pytest.fixture(autouse=True)
def _three_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    monkeypatch.setattr(blocks, "_VALUES_PER_THREAD", 7)
    yield
    torch.set_num_threads(before)


def states() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(50, 7, generator=generator).requires_grad_(), torch.rand(50, 7, generator=generator)


def activated() -> tuple[Tensor, ...]:
    values, _ = states()
    out = gelu.activated(values, nn.GELU())
    return out, *torch.autograd.grad(out.square().sum(), values)


def normalised() -> tuple[Tensor, ...]:
    torch.manual_seed(0)
    (values, _), norm = states(), nn.BatchNorm1d(7)
    out = norm_gelu.normalised(values, norm, nn.GELU())
    gradients = torch.autograd.grad(out.square().sum(), (values, norm.weight, norm.bias))
    return out, *gradients, *norm.buffers()


def loss() -> tuple[Tensor, ...]:
    predicted, target = states()
    options = {"power": 20.0, "worst_weight": 2.0, "conservation_weight": 0.0, "scale": 1e-3}
    criterion = losses.ChemistryLoss(torch.ones(7, 2), 20.0, error="smooth", **options)
    value, terms = criterion(predicted, target)
    return value, *terms.values(), *torch.autograd.grad(value, predicted)


def metrics() -> tuple[Tensor, ...]:
    predicted, target = states()
    return tuple(validation_metrics.validation_metrics(predicted, target, 20.0).values())


@pytest.mark.parametrize("compute", [activated, normalised, loss, metrics])
def test_kernels_give_the_same_in_several_threads(compute: Callable[[], tuple[Tensor, ...]]) -> None:
    shared = compute()
    torch.set_num_threads(1)
    torch.testing.assert_close(shared, compute(), rtol=1e-5, atol=1e-5)


def test_each_row_is_in_one_part_and_parts_go_to_threads() -> None:
    together = threading.Barrier(3)

    def kernel(part: slice) -> tuple[list[int], int]:
        together.wait()
        return list(range(50))[part], threading.get_ident()

    rows, threads = zip(*blocks.each_part((50, 7), kernel), strict=True)
    assert [row for part in rows for row in part] == list(range(50))
    assert len(set(threads)) == 3


def test_few_values_stay_in_the_calling_thread() -> None:
    assert blocks.each_part((1, 7), lambda part: threading.get_ident()) == [threading.get_ident()]


def test_what_a_part_raises_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        blocks.each_part((50, 7), lambda part: 1 / 0)

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from chemnet.errors import ConfigError
from chemnet.models import losses

STOICHIOMETRY = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]])
scaled = arrays(np.float32, (6, 3), elements=st.floats(0.0, 1.0, width=32))


def chemistry_loss(**changes: float | str) -> losses.ChemistryLoss:
    options = {
        "error": "exponential",
        "power": 20.0,
        "worst_weight": 2.0,
        "conservation_weight": 0.0,
        "scale": 1e-3,
    }
    return losses.ChemistryLoss(STOICHIOMETRY, 20.0, **{**options, **changes})


def test_the_exponential_error_is_the_relative_error_of_an_over_prediction() -> None:
    # 0.05 of 20 decades is one dex: a factor of ten too much
    assert losses.exponential_error(torch.tensor(0.05), 20.0).item() == pytest.approx(9.0, rel=1e-5)


def test_the_newer_form_has_the_distance_squared_in_the_exponent() -> None:
    error = losses.squared_exponential_error(torch.tensor(0.3), 20.0).item()
    assert error == pytest.approx(10 ** (20 * 0.09) - 1, rel=1e-5)


@pytest.mark.parametrize("error", sorted(losses.ERRORS))
def test_every_error_is_zero_at_zero_rises_and_stays_finite(error: str) -> None:
    distance = torch.linspace(0.0, 8.0, 200, requires_grad=True)
    values = losses.ERRORS[error](distance, 20.0)
    assert values[0] == 0.0
    assert (values.diff() > 0.0).all()
    values.sum().backward()
    assert values.isfinite().all()
    assert distance.grad is not None
    assert distance.grad.isfinite().all()


@pytest.mark.parametrize("error", ["exponential", "squared_exponential"])
def test_exponentials_go_on_without_a_kink(error: str) -> None:
    around = torch.tensor([1.0 - 1e-4, 1.0 + 1e-4], dtype=torch.float64, requires_grad=True)
    losses.ERRORS[error](around, 20.0).sum().backward()
    assert around.grad is not None
    assert around.grad[0].item() == pytest.approx(around.grad[1].item(), rel=0.05)


def test_the_published_loss_is_reproduced_by_hand() -> None:
    target, predicted = torch.zeros(2, 3), torch.tensor([[0.05, 0.0, 0.0], [0.0, 0.1, 0.05]])
    loss, terms = chemistry_loss()(predicted, target)
    mean, worst = (9 + 99 + 9) / 2, (9 + 99) / 2
    assert loss.item() == pytest.approx(1e-3 * (mean + 2 * worst), rel=1e-4)
    assert terms["mean_error"].item() == pytest.approx(1e-3 * mean, rel=1e-4)


def test_conservation_counts_the_drift_of_each_element_in_dex() -> None:
    target = torch.tensor([[0.95, 0.90, 0.85]])
    # one dex more of the only carrier of the second element, and none of the first
    predicted = torch.tensor([[0.95, 0.90, 0.90]])
    drift = losses.conservation_error(predicted, target, STOICHIOMETRY, 20.0)
    assert drift.item() == pytest.approx(1.0, rel=1e-4)
    _, terms = chemistry_loss(conservation_weight=100.0)(predicted, target)
    assert terms["conservation"].item() == pytest.approx(1e-3 * 1.0, rel=1e-4)


@given(scaled)
def test_a_perfect_prediction_costs_nothing(target: np.ndarray) -> None:
    values = torch.from_numpy(target)
    loss, terms = chemistry_loss(conservation_weight=100.0)(values, values)
    assert loss.item() == 0.0
    assert all(term.item() == 0.0 for term in terms.values())


def test_below_the_floor_is_no_error_where_the_truth_is_at_the_floor() -> None:
    predicted = torch.tensor([-0.3, -0.3, 0.2], requires_grad=True)
    distance = losses.floor_distance(predicted, torch.tensor([0.0, 0.1, 0.0]))
    assert distance.tolist() == pytest.approx([0.0, 0.4, 0.2])
    distance.sum().backward()
    assert predicted.grad is not None
    assert predicted.grad.tolist() == [0.0, -1.0, 1.0]


def test_an_unknown_error_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="exponential"):
        chemistry_loss(error="exponental")


def test_leading_axes_are_all_rows() -> None:
    generator = torch.Generator().manual_seed(0)
    predicted, target = torch.rand(2, 4, 5, 3, generator=generator)
    flat, _ = chemistry_loss()(predicted.flatten(0, 1), target.flatten(0, 1))
    assert chemistry_loss()(predicted, target)[0].item() == pytest.approx(flat.item(), rel=1e-6)


def test_a_criterion_of_torch_is_taken_as_it_is() -> None:
    loss, terms = losses.apply_criterion(torch.nn.MSELoss(), torch.zeros(2, 2), torch.ones(2, 2))
    assert loss.item() == 1.0
    assert terms == {}
    assert math.isclose(losses.LN10, math.log(10))

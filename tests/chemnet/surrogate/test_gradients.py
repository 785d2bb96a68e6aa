"""Gradients of `step` and `emulate` are those of finite differences, and asking for them changes no value."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import made_implicit
import numpy as np
import pytest
import torch

from chemnet.errors import DataError, ModelError
from chemnet.surrogate.surrogate import Surrogate
from chemnet.surrogate.wrappers.conservation import conserve_elements

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "gradients.md"
# of the logarithms; results are float32
STEP = 3e-3


@pytest.fixture(scope="module")
def cells(histories: Any) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Parameters `(B, T, P)` of six rows, abundances `(B, S)` and time steps, well inside their ranges."""
    arrays = histories.physical[:2, :6], histories.abundance[:2, 0], histories.dt[:2, :5]
    physical, abundances, dt = (torch.from_numpy(np.array(one, np.float64)) for one in arrays)
    return physical, abundances.clamp_min(1e-15), dt


def emulated(surrogate: Any, physical: Any, abundances: Any, dt: Any) -> Any:
    return surrogate.emulate(physical, abundances, dt)[:, 1:]


def stepped(surrogate: Any, physical: Any, abundances: Any, dt: Any) -> Any:
    return surrogate.step(physical[:, 0], abundances, dt[:, 0])


@pytest.mark.parametrize("predict", [emulated, stepped])
def test_gradients_are_those_of_finite_differences_and_values_stay(
    surrogate: Any, cells: Any, predict: Any
) -> None:
    torch.manual_seed(1)
    weights = torch.randn(predict(surrogate, *cells).shape).double()

    def score(*inputs: Any) -> Any:
        return (weights * predict(surrogate, *inputs).double().log10()).sum()

    # this emulator knows one length of steps
    live = [*(one.clone().requires_grad_() for one in cells[:2]), cells[2]]
    torch.testing.assert_close(
        predict(surrogate, *live).detach().log10(), predict(surrogate, *cells).log10(), atol=1e-5, rtol=0
    )
    slopes = torch.autograd.grad(score(*live), live[:2])
    for number, slope in enumerate(slopes):
        direction = torch.randn(cells[number].shape).double()
        ends = []
        for sign in (1.0, -1.0):
            moved = list(cells)
            moved[number] = moved[number] * (sign * STEP * direction).exp()
            ends.append(score(*moved))
        measured = (ends[0] - ends[1]) / (2.0 * STEP)
        expected = (slope * cells[number] * direction).sum()
        assert expected.abs() > 1e-3
        assert float(measured) == pytest.approx(float(expected), rel=0.02, abs=2e-3)


def test_totals_are_kept_and_so_their_gradients_are_those_of_the_start(surrogate: Any, cells: Any) -> None:
    physical, abundances, dt = cells
    live = abundances.clone().requires_grad_()
    atoms = torch.from_numpy(surrogate.data.stoichiometry)
    totals = surrogate.step(physical[:, 0], live, dt[:, 0]).double() @ atoms
    torch.testing.assert_close(totals, abundances @ atoms, rtol=1e-6, atol=0)
    (slope,) = torch.autograd.grad(totals[:, 0].sum(), live)
    torch.testing.assert_close(slope, atoms[:, 0].expand_as(slope), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("charged", [False, True])
def test_conservation_differentiates_abundances_far_from_their_totals(charged: bool) -> None:
    generator = torch.Generator().manual_seed(2)
    atoms = torch.tensor([[2.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 0.0], [1.0, 0.0]], dtype=torch.float64)
    charges = torch.tensor([0.0, 1.0, 0.0, -1.0, 1.0]).double() if charged else None
    logarithms = 4.0 * torch.rand((3, 5), generator=generator, dtype=torch.float64).log()
    logarithms[2] -= 7.0  # far from its totals
    totals = torch.tensor([[1.0, 0.3]] * 3, dtype=torch.float64)

    def corrected(x: Any, n: Any) -> Any:
        return conserve_elements(x.exp(), n, atoms, charges_S=charges)

    inputs = (logarithms.requires_grad_(), totals.requires_grad_())
    assert torch.autograd.gradcheck(corrected, inputs, eps=1e-4, atol=1e-5, rtol=1e-4)
    (slope,) = torch.autograd.grad(corrected(*inputs).log().sum(), logarithms, create_graph=True)
    with pytest.raises(RuntimeError, match="differentiate twice"):
        slope.sum().backward()


def test_columns_by_name_are_refused_since_gradients_would_be_lost(surrogate: Any, cells: Any) -> None:
    physical, abundances, dt = cells
    columns = {name: abundances[:, i] for i, name in enumerate(surrogate.species)}
    columns["CO"] = columns["CO"].clone().requires_grad_()
    with pytest.raises(DataError, match=r"torch\.stack"):
        surrogate.emulate(physical, columns, dt)


def test_an_implicit_step_says_that_it_passes_no_gradient() -> None:
    made = made_implicit.make_surrogate("collapse")
    physical = torch.tensor([[1e5, 1.0, 3.0, 20.0]], dtype=torch.float64)
    abundances = torch.zeros(1, len(made.species), dtype=torch.float64)
    abundances[0, made.species.index("H2")] = 0.5
    with pytest.raises(ModelError, match="accuracy=fast"):
        made.step(physical.requires_grad_(), abundances, 3000.0)


def test_the_page_finds_the_conditions_that_it_hid(capsys: pytest.CaptureFixture[str]) -> None:
    code = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert code is not None
    names: dict[str, Any] = {}
    exec(code[1], names)
    assert isinstance(names["surrogate"], Surrogate)
    assert (names["found"] - names["truth"]).abs().max() < 0.1
    assert "rms 0.0" in capsys.readouterr().out

"""Muon: momentum whose matrix updates have singular values near one; Adam for everything else.

A gradient of a matrix is dominated by few directions, and Adam's step with it. Muon takes the nearest
semi-orthogonal matrix of the momentum instead, so that every direction of a layer learns at one rate.
Source: Jordan et al. 2024, "Muon: an optimizer for hidden layers" (the quintic iteration and its
coefficients); Liu et al. 2025, arXiv:2502.16982, eq. 4 (a step's size in units of Adam's).

`torch.optim.Muon` takes matrices only and iterates in bfloat16, which a CPU without such arithmetic does
some thirty times slower than this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, overload

import torch
from torch import Tensor
from torch.optim import Optimizer

# of the odd quintic polynomial that drives singular values in (0, 1] to about 1 (Jordan et al. 2024)
_QUINTIC = (3.4445, -4.7750, 2.0315)
# mean square of the entries of Adam's step, in units of its learning rate (Liu et al. 2025, eq. 4)
_ADAM_RMS = 0.2


class Muon(Optimizer):
    """Orthogonalised momentum for matrices, Adam for vectors, weight decay decoupled.

    Parameters
    ----------
    params
        Parameters or groups of them, of any shapes; only those with two axes are orthogonalised.
    lr
        Step of a matrix; its entries move by about 0.2 of it, as with Adam.
    vector_lr
        Step of vectors; it follows `lr` when a scheduler changes that.
    momentum
        Decay rate of the running mean of a matrix's gradient (Nesterov's form).
    betas
        Decay rates of Adam for vectors.
    weight_decay
        Per step, relative to `lr`.
    iterations
        Of the orthogonalisation; four leave singular values between 0.7 and 1.2.

    Raises
    ------
    ValueError
        When a learning rate, decay rate or the number of iterations is out of range.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 0.01,
        vector_lr: float = 0.004,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
        iterations: int = 4,
    ) -> None:
        if min(lr, vector_lr) <= 0.0 or iterations < 1:
            raise ValueError(f"lr {lr}, vector_lr {vector_lr} and iterations {iterations} are above 0")
        if not all(0.0 <= rate < 1.0 for rate in (momentum, *betas)):
            raise ValueError(f"momentum {momentum} and betas {tuple(betas)} lie in [0, 1)")
        options = {"lr": lr, "vector_scale": vector_lr / lr, "momentum": momentum, "betas": tuple(betas)}
        super().__init__(params, {**options, "weight_decay": weight_decay, "iterations": iterations})

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...
    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Update every parameter that has a gradient; `closure` evaluates the loss anew and returns it."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                parameter.mul_(1.0 - group["lr"] * group["weight_decay"])
                move = self._move_matrix if parameter.ndim == 2 else self._move_vector
                move(parameter, parameter.grad, group)
        return loss

    def _move_matrix(self, matrix: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        """Step along the orthogonalised Nesterov momentum."""
        state = self.state[matrix]
        if not state:
            state["momentum"] = torch.zeros_like(matrix)
        momentum = state["momentum"].lerp_(gradient, 1.0 - group["momentum"])
        direction = orthogonalised(gradient.lerp(momentum, group["momentum"]), group["iterations"])
        matrix.add_(direction, alpha=-group["lr"] * _ADAM_RMS * max(matrix.shape) ** 0.5)

    def _move_vector(self, vector: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[vector]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32)
            state["mean"], state["square"] = torch.zeros_like(vector), torch.zeros_like(vector)
        state["step"] += 1
        first, second = group["betas"]
        mean = state["mean"].lerp_(gradient, 1.0 - first)
        square = state["square"].mul_(second).addcmul_(gradient, gradient, value=1.0 - second)
        n_steps = float(state["step"])
        spread = (square / (1.0 - second**n_steps)).sqrt_().add_(1e-8)
        size = group["lr"] * group["vector_scale"] / (1.0 - first**n_steps)
        vector.addcdiv_(mean, spread, value=-size)


def orthogonalised(matrix: Tensor, iterations: int) -> Tensor:
    """Return about the nearest semi-orthogonal matrix `(m, n)`, by Newton-Schulz iterations."""
    turned = matrix.shape[0] > matrix.shape[1]
    x = matrix.t() if turned else matrix
    x = x / x.norm().clamp_min(1e-12)
    a, b, c = _QUINTIC
    for _ in range(iterations):
        square = x @ x.t()
        x = torch.addmm(x, torch.addmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return x.t() if turned else x

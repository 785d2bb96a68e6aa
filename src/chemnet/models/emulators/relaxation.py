"""Relaxation towards a state that the network proposes, at rates that it proposes; its rollout and gradient.

Shapes: B tracers, T steps, D of what drives a step, L latents, H hidden units.

    (c, k) = f([z, drive])              f a perceptron with SiLU activations
    z' = c + (z - c) exp(-r softplus(k))        r = dt / usual dt

This is the exact solution of dz/dt = -(z - c) softplus(k) / usual dt over the step, for c and k held: nothing
happens in no time, z' lies between z and c for any step, and long steps end at c. It is what most of a
chemical network does: fast species follow the slow ones and the physical parameters, slow ones hardly move.

The rollout is one autograd function. It computes what the drive adds to the first layer for all steps at
once, keeps what the gradient needs, and sums the gradients of the weights over all steps in one matrix
product per layer, where a loop of PyTorch operations has many small ones. On a CPU compiled loops do that;
see `compiled_rollout`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from chemnet.models.fast.compiled_rollout import RolloutForm, can_compile, compiled_rollout
from chemnet.models.fast.per_member import apply_each

# rates at the start of training, per usual step: exp(-softplus(-2)) keeps 88 % of a state
_FIRST_RATE = -2.0
# the last layer begins smaller than PyTorch would make it, so that first targets are near the centre
_FIRST_GAIN = 0.3


class Relaxation(nn.Module):
    """The network of a relaxation, its step and its rollout.

    Parameters
    ----------
    latent_dim, n_drive
        Widths L and D.
    hidden
        Widths of the hidden layers, at least one.
    """

    def __init__(self, latent_dim: int, n_drive: int, hidden: Sequence[int]) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.from_drive = nn.Linear(n_drive, hidden[0])
        self.from_latent = nn.Linear(latent_dim, hidden[0], bias=False)
        widths = (*hidden, 2 * latent_dim)
        self.layers = nn.ModuleList(nn.Linear(n_in, n_out) for n_in, n_out in pairwise(widths))
        with torch.no_grad():
            last = self.layers[-1]
            last.weight.mul_(_FIRST_GAIN)
            last.bias[:latent_dim] = 0.0
            last.bias[latent_dim:] = _FIRST_RATE

    def step(self, latent: Tensor, drive: Tensor, relative_dt: Tensor) -> Tensor:
        """Return latents `(B, L)` after one step of `relative_dt` `(B,)` under `drive` `(B, D)`."""
        hidden = functional.silu(self.from_drive(drive) + self.from_latent(latent))
        for layer in self.layers[:-1]:
            hidden = functional.silu(layer(hidden))
        target, rate = self.layers[-1](hidden).chunk(2, dim=-1)
        kept = torch.exp(-relative_dt[:, None] * functional.softplus(rate))
        # autocast may have given the target half precision; the state keeps its own
        return torch.lerp(target.to(latent.dtype), latent, kept.to(latent.dtype))

    def rollout(
        self, start: Tensor, drive: Tensor, relative_dt: Tensor, held: Tensor | None = None
    ) -> Tensor | None:
        """Return `(B, T, L)` from `start` `(B, L)` under `drive` `(B, T, D)` and `relative_dt` `(B, T)`.

        With latents `held` between least and most `(2, L)` only compiled loops do that; None elsewhere.
        """
        if can_compile(drive, relative_dt, start, *self.parameters()):
            return self._compiled(start, drive, relative_dt, held)
        if held is not None:
            return None
        # steps first: each step is then one block of memory
        driven = self.from_drive(drive.transpose(0, 1).contiguous())
        weights = [self.from_latent.weight]
        for layer in self.layers:
            weights += [layer.weight, layer.bias]
        steps = relative_dt.transpose(0, 1).unsqueeze(-1).contiguous()
        latents: Tensor = _RelaxationRollout.apply(start, driven, steps, *weights)[0]
        return latents[1:].transpose(0, 1)

    def _compiled(self, start: Tensor, drive: Tensor, relative_dt: Tensor, held: Tensor | None) -> Tensor:
        """Return what `rollout` does, by compiled loops."""
        first = torch.cat([self.from_drive.weight, self.from_latent.weight], dim=1)
        layers = [(first, self.from_drive.bias), *((layer.weight, layer.bias) for layer in self.layers)]
        form = RolloutForm(relaxes=True, activation="silu")
        return compiled_rollout(form, start, drive, relative_dt, layers, held)


class _RelaxationRollout(torch.autograd.Function):
    """The rollout `(T + 1, B, L)`, start included, and its gradient by backpropagation through time."""

    @staticmethod
    def forward(start: Tensor, driven: Tensor, relative_dt: Tensor, *weights: Tensor) -> tuple[Tensor, ...]:
        """Roll out; targets, rates, activations and their slopes of every step are kept for the gradient."""
        n_steps, n_cells, _ = driven.shape
        latent_dim = start.shape[1]
        first, matrices, biases = weights[0], weights[1::2], weights[2::2]
        turned = [matrix.t().contiguous() for matrix in (first, *matrices)]
        latents = start.new_empty(n_steps + 1, n_cells, latent_dim)
        latents[0] = start
        hidden = [start.new_empty(n_steps, n_cells, matrix.shape[1]) for matrix in matrices]
        slopes = [torch.empty_like(values) for values in hidden]
        targets = start.new_empty(n_steps, n_cells, latent_dim)
        rates = torch.empty_like(targets)
        for i in range(n_steps):
            before = torch.addmm(driven[i], latents[i], turned[0])
            for k, bias in enumerate(biases):
                _silu_with_slope(before, hidden[k][i], slopes[k][i])
                before = torch.addmm(bias, hidden[k][i], turned[k + 1])
            targets[i], rates[i] = before[:, :latent_dim], before[:, latent_dim:]
            kept = functional.softplus(rates[i]).mul_(relative_dt[i]).neg_().exp_()
            torch.lerp(targets[i], latents[i], kept, out=latents[i + 1])
        return latents, targets, rates, *hidden, *slopes

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
        """Keep what the gradient needs; only the latents have one."""
        _, _, relative_dt, first, *rest = inputs
        latents, targets, rates, *kept = output
        ctx.mark_non_differentiable(*output[1:])
        # nor are zeros made up for the others
        ctx.set_materialize_grads(False)
        matrices = rest[::2]
        ctx.save_for_backward(relative_dt, latents, targets, rates, first, *matrices, *kept)
        ctx.n_layers = len(matrices)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Go back through the steps; the weights' gradients are summed over all of them at the end."""
        relative_dt, latents, targets, rates, first, *rest = ctx.saved_tensors
        n = ctx.n_layers
        matrices, hidden, slopes = rest[:n], rest[n : 2 * n], rest[2 * n :]
        kept = torch.exp(-relative_dt * functional.softplus(rates))
        moved = 1.0 - kept
        by_rate = (targets - latents[:-1]) * kept * relative_dt * torch.sigmoid(rates)
        by_layer = [torch.empty_like(values) for values in hidden]
        by_output = latents.new_empty(*targets.shape[:2], 2 * targets.shape[2])
        flow = gradients[0][-1]
        for i in range(len(targets) - 1, -1, -1):
            torch.cat([flow * moved[i], flow * by_rate[i]], dim=1, out=by_output[i])
            above = by_output[i]
            for k in range(n - 1, -1, -1):
                torch.mm(above, matrices[k], out=by_layer[k][i])
                above = by_layer[k][i].mul_(slopes[k][i])
            flow = torch.addmm(torch.addcmul(gradients[0][i], flow, kept[i]), above, first)
        by_weights: list[Tensor] = [_summed_product(by_layer[0], latents[:-1])]
        for above, values in zip((*by_layer[1:], by_output), hidden, strict=True):
            by_weights += [_summed_product(above, values), above.sum((0, 1))]
        return flow, by_layer[0], None, *by_weights

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *inputs: Any) -> tuple[Any, Any]:
        """Roll out each of several networks by itself: their products are large enough."""
        return apply_each(_RelaxationRollout, info, in_dims, inputs)


def _silu_with_slope(before: Tensor, value: Tensor, slope: Tensor) -> None:
    """Write SiLU of `before` into `value` and its derivative into `slope`; `before` is used up."""
    sigmoid = torch.sigmoid(before)
    torch.mul(before, sigmoid, out=value)
    torch.mul(before.sub_(value).add_(1.0), sigmoid, out=slope)


def _summed_product(above: Tensor, below: Tensor) -> Tensor:
    """Return the gradient `(n_out, n_in)` of a matrix from those of its outputs, over all steps and cells."""
    return above.flatten(0, 1).t() @ below.flatten(0, 1)

"""The rollout of a perceptron as one autograd function of PyTorch's operations, gradient included.

Shapes: B tracers, T steps, F of a step's forcing, L latents, H hidden units.

    z' = z + g f([forcing, z])                                            residual: g a given gate
    (c, k) = f([forcing, z]),  z' = c + (z - c) exp(-r softplus(k))       relaxing: r a relative time step

A loop of PyTorch operations over hundreds of steps spends much of its time between small operations, and its
gradient sums the weights' gradients step by step. Here what the forcing adds to the first layer is computed
for all steps at once, what the gradient needs is written where it stays, and the gradients of the weights are
one matrix product per layer over all steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from chemnet.models.fast.compiled_rollout import RolloutForm
from chemnet.models.fast.per_member import apply_each
from chemnet.models.layers import remaining_distance, without_autocast

aten = torch.ops.aten


class Activation(NamedTuple):
    """An activation and its gradient, each one operation that writes into given memory.

    `write` takes inputs and memory for the outputs. `write_gradient` takes the gradient of the outputs, the
    inputs, the outputs and memory for the gradient of the inputs.
    """

    write: Callable[[Tensor, Tensor], Any]
    write_gradient: Callable[[Tensor, Tensor, Tensor, Tensor], Any]


ACTIVATIONS: dict[str, Activation] = {
    "gelu": Activation(
        lambda x, out: aten.gelu.out(x, out=out),
        lambda flow, x, y, out: aten.gelu_backward.grad_input(flow, x, grad_input=out),
    ),
    "silu": Activation(
        lambda x, out: aten.silu.out(x, out=out),
        lambda flow, x, y, out: aten.silu_backward.grad_input(flow, x, grad_input=out),
    ),
    "relu": Activation(
        lambda x, out: torch.clamp_min(x, 0.0, out=out),
        lambda flow, x, y, out: aten.threshold_backward.grad_input(flow, x, 0.0, grad_input=out),
    ),
    "tanh": Activation(
        lambda x, out: torch.tanh(x, out=out),
        lambda flow, x, y, out: aten.tanh_backward.grad_input(flow, y, grad_input=out),
    ),
}


def fused_rollout(
    form: RolloutForm,
    start: Tensor,
    forcing: Tensor,
    steps: Tensor,
    layers: Sequence[tuple[Tensor, Tensor]],
) -> Tensor:
    """Return latents `(B, T, L)` after each step; parameters as for `chemnet.models.fast.rollout`."""
    (first, bias), *others = layers
    n_forcing = forcing.shape[-1]
    # steps first: each step is then one block of memory
    by_step = forcing.to(start.dtype).transpose(0, 1).contiguous()
    driven = functional.linear(by_step, first[:, :n_forcing], bias)
    weights = [first[:, n_forcing:], *(each for layer in others for each in layer)]
    factors = steps.transpose(0, 1).unsqueeze(-1).contiguous()
    latents: Tensor = FusedRollout.apply(form, start, driven, factors, *weights)[0]
    return latents[1:].transpose(0, 1)


class FusedRollout(torch.autograd.Function):
    """The rollout `(T + 1, B, L)`, start included, and its gradient by backpropagation through time.

    ``apply(form, start, driven, factors, *weights)`` takes `(B, L)`, what the forcing adds to the first layer
    `(T, B, H)`, gates or relative time steps `(T, B, 1)`, the first layer's matrix of the latents, and matrix
    and bias of each further layer.
    """

    @staticmethod
    def forward(
        form: RolloutForm, start: Tensor, driven: Tensor, factors: Tensor, *weights: Tensor
    ) -> tuple[Tensor, ...]:
        """Roll out; answers of the network, and what enters and leaves each activation, are kept."""
        n_steps, n_cells, _ = driven.shape
        matrices, biases = (weights[0], *weights[1::2]), weights[2::2]
        turned = [matrix.t().contiguous() for matrix in matrices]
        latents = start.new_empty(n_steps + 1, n_cells, start.shape[1])
        latents[0] = start
        answers = start.new_empty(n_steps, n_cells, len(biases[-1]))
        entering = [start.new_empty(n_steps, n_cells, matrix.shape[1]) for matrix in matrices[1:]]
        leaving = [torch.empty_like(values) for values in entering]
        # lists of views: an index per operation would cost as much as some of them
        states, inputs, outputs = latents.unbind(), driven.unbind(), answers.unbind()
        before, after = ([values.unbind() for values in layers] for layers in (entering, leaving))
        activation = ACTIVATIONS[form.activation]
        for i, factor in enumerate(factors.unbind()):
            torch.addmm(inputs[i], states[i], turned[0], out=before[0][i])
            for k, bias in enumerate(biases):
                activation.write(before[k][i], after[k][i])
                below = before[k + 1][i] if k + 1 < len(biases) else outputs[i]
                torch.addmm(bias, after[k][i], turned[k + 1], out=below)
            if form.relaxes:
                target, rate = outputs[i].chunk(2, dim=1)
                torch.lerp(target, states[i], remaining_distance(rate, factor), out=states[i + 1])
            else:
                torch.addcmul(states[i], outputs[i], factor, out=states[i + 1])
        return latents, answers, *entering, *leaving

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        """Keep what the gradient needs; only the latents have one."""
        form, _, _, factors, *weights = inputs
        ctx.mark_non_differentiable(*output[1:])
        # nor are zeros made up for the others
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(factors, *output, weights[0], *weights[1::2])
        ctx.form, ctx.n_hidden = form, len(output) // 2 - 1

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Go back through the steps; the weights' gradients are summed over all of them at the end."""
        factors, latents, answers, *kept = ctx.saved_tensors
        n, activation = ctx.n_hidden, ACTIVATIONS[ctx.form.activation]
        entering, leaving, matrices = kept[:n], kept[n : 2 * n], kept[2 * n :]
        move = _RelaxingMove(latents, answers, factors) if ctx.form.relaxes else _ResidualMove(factors)
        by_layer, by_answer = [torch.empty_like(values) for values in entering], torch.empty_like(answers)
        before, after, flows = (
            [values.unbind() for values in part] for part in (entering, leaving, by_layer)
        )
        given, changes = gradients[0].unbind(), by_answer.unbind()
        flow = given[-1]
        with without_autocast(latents.device.type):
            for i in range(len(changes) - 1, -1, -1):
                passed, above = move.back(i, flow, changes[i]), changes[i]
                for k in range(n - 1, -1, -1):
                    by_output = above @ matrices[k + 1]
                    above = flows[k][i]
                    activation.write_gradient(by_output, before[k][i], after[k][i], above)
                flow = torch.addmm(passed, above, matrices[0]).add_(given[i])
            by_weights: list[Tensor] = [_summed_product(by_layer[0], latents[:-1])]
            for above, values in zip((*by_layer[1:], by_answer), leaving, strict=True):
                by_weights += [_summed_product(above, values), above.sum((0, 1))]
        return None, flow, by_layer[0], None, *by_weights

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *inputs: Any) -> tuple[Any, Any]:
        """Roll out each of several networks by itself: their products are large enough."""
        return apply_each(FusedRollout, info, in_dims, inputs)


class _ResidualMove:
    """The gradient through ``z + g f``."""

    def __init__(self, gates: Tensor) -> None:
        self.gates = gates.unbind()

    def back(self, i: int, flow: Tensor, out: Tensor) -> Tensor:
        """Write the gradient of the answer in step i into `out`, and return what passes the network by."""
        torch.mul(flow, self.gates[i], out=out)
        return flow


class _RelaxingMove:
    """The gradient through ``c + (z - c) exp(-r softplus(k))``."""

    def __init__(self, latents: Tensor, answers: Tensor, relative_dt: Tensor) -> None:
        target, rate = answers.chunk(2, dim=-1)
        remaining = remaining_distance(rate, relative_dt)
        self.by_rate = ((target - latents[:-1]) * remaining * relative_dt * torch.sigmoid(rate)).unbind()
        self.remaining, self.moved = remaining.unbind(), (1.0 - remaining).unbind()

    def back(self, i: int, flow: Tensor, out: Tensor) -> Tensor:
        """Write the gradient of the answer in step i into `out`, and return what passes the network by."""
        torch.cat([flow * self.moved[i], flow * self.by_rate[i]], dim=1, out=out)
        return flow * self.remaining[i]


def _summed_product(above: Tensor, below: Tensor) -> Tensor:
    """Return the gradient `(n_out, n_in)` of a matrix from those of its outputs, over all steps and cells."""
    return above.flatten(0, 1).t() @ below.flatten(0, 1)

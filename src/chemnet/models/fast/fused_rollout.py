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
from chemnet.models.fast.per_member import each_member
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
    """Return latents `(B, T, L)` after each step; parameters as in `fast.perceptron_rollout`."""
    (first, bias), *others = layers
    n_forcing = forcing.shape[-1]
    # steps first: each step is then one block of memory
    by_step = forcing.to(start.dtype).transpose(0, 1).contiguous()
    driven = functional.linear(by_step, first[:, :n_forcing], bias)
    weights = [first[:, n_forcing:], *(each for layer in others for each in layer)]
    factors = steps.transpose(0, 1).unsqueeze(-1).contiguous()
    latents: Tensor = FusedRollout.apply(form, start, driven, factors, *weights)[0]
    return latents[1:].transpose(0, 1)


@each_member
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
        back_through_move = _back_through_move(ctx.form, latents, answers, factors)
        by_layer, by_answer = [torch.empty_like(values) for values in entering], torch.empty_like(answers)
        before, after, flows = (
            [values.unbind() for values in part] for part in (entering, leaving, by_layer)
        )
        given, changes = gradients[0].unbind(), by_answer.unbind()
        flow = given[-1]
        with without_autocast(latents.device.type):
            for i in range(len(changes) - 1, -1, -1):
                passed, above = back_through_move(i, flow, changes[i]), changes[i]
                for k in range(n - 1, -1, -1):
                    by_output = above @ matrices[k + 1]
                    above = flows[k][i]
                    activation.write_gradient(by_output, before[k][i], after[k][i], above)
                flow = torch.addmm(passed, above, matrices[0]).add_(given[i])
            by_weights: list[Tensor] = [_summed_product(by_layer[0], latents[:-1])]
            for above, values in zip((*by_layer[1:], by_answer), leaving, strict=True):
                by_weights += [_summed_product(above, values), above.sum((0, 1))]
        return None, flow, by_layer[0], None, *by_weights


def _back_through_move(
    form: RolloutForm, latents: Tensor, answers: Tensor, factors: Tensor
) -> Callable[[int, Tensor, Tensor], Tensor]:
    """Return what writes a step's gradient of the answer, and returns what passes the network by."""
    if not form.relaxes:

        def residual(i: int, flow: Tensor, out: Tensor) -> Tensor:
            torch.mul(flow, factors[i], out=out)
            return flow

        return residual
    target, rate = answers.chunk(2, dim=-1)
    remaining = remaining_distance(rate, factors)
    by_rate = (target - latents[:-1]) * remaining * factors * torch.sigmoid(rate)
    moved = 1.0 - remaining

    def relaxing(i: int, flow: Tensor, out: Tensor) -> Tensor:
        torch.cat([flow * moved[i], flow * by_rate[i]], dim=1, out=out)
        return flow * remaining[i]

    return relaxing


def _summed_product(above: Tensor, below: Tensor) -> Tensor:
    """Return the gradient `(n_out, n_in)` of a matrix from those of its outputs, over all steps and cells."""
    return above.flatten(0, 1).t() @ below.flatten(0, 1)

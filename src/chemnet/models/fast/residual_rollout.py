"""The rollout of a residual perceptron as one autograd function, with its gradient through time.

Shapes: B tracers, T steps, D of what drives a step, L latents, H hidden units.

    z' = z + g f([drive, z])        f a perceptron, g a given gate per step

A loop of PyTorch operations over hundreds of steps spends much of its time between small operations, and its
gradient sums the weights' gradients step by step. Here, as in `relaxation`, what the drive adds to the first
layer is computed for all steps at once, what the gradient needs is written where it stays, and the gradients
of the weights are one matrix product per layer over all steps. On a CPU compiled loops do that; see
`compiled_rollout`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from chemnet.models.fast.compiled_rollout import RolloutForm, can_compile, compiled_rollout
from chemnet.models.fast.per_member import apply_each
from chemnet.models.layers import activation_name

aten = torch.ops.aten


class Activation(NamedTuple):
    """An activation and its gradient, each one operation that writes into given memory.

    `write` takes inputs and memory for the outputs. `write_gradient` takes the gradient of the outputs, the
    inputs, the outputs and memory for the gradient of the inputs. `name` is that of `layers.ACTIVATIONS`.
    """

    name: str
    write: Callable[[Tensor, Tensor], Any]
    write_gradient: Callable[[Tensor, Tensor, Tensor, Tensor], Any]


ACTIVATIONS: tuple[Activation, ...] = (
    Activation(
        "gelu",
        lambda x, out: aten.gelu.out(x, out=out),
        lambda flow, x, y, out: aten.gelu_backward.grad_input(flow, x, grad_input=out),
    ),
    Activation(
        "silu",
        lambda x, out: aten.silu.out(x, out=out),
        lambda flow, x, y, out: aten.silu_backward.grad_input(flow, x, grad_input=out),
    ),
    Activation(
        "relu",
        lambda x, out: torch.clamp_min(x, 0.0, out=out),
        lambda flow, x, y, out: aten.threshold_backward.grad_input(flow, x, 0.0, grad_input=out),
    ),
    Activation(
        "tanh",
        lambda x, out: torch.tanh(x, out=out),
        lambda flow, x, y, out: aten.tanh_backward.grad_input(flow, y, grad_input=out),
    ),
)


def fused_activation(network: nn.Sequential) -> Activation | None:
    """Return the activation between the layers of a perceptron; None where its rollout cannot be fused.

    It can where every activation is the same one of `ACTIVATIONS` and no dropout is at work.
    """
    between = [layer for layer in network if not isinstance(layer, (nn.Linear, nn.Dropout))]
    dropped = any(layer.training and layer.p > 0.0 for layer in network if isinstance(layer, nn.Dropout))
    names = {activation_name(layer) for layer in between}
    if len(names) != 1 or dropped:
        return None
    name = names.pop()
    return next((each for each in ACTIVATIONS if each.name == name), None)


def residual_rollout(
    network: nn.Sequential,
    activation: Activation,
    start: Tensor,
    drive: Tensor,
    gate: Tensor,
    held: Tensor | None = None,
) -> Tensor | None:
    """Return latents `(B, T, L)` after each step; None where latents are held and no compiled loop does that.

    Parameters
    ----------
    network
        The perceptron of ``[drive, latents]``, without dropout.
    activation
        Between its layers.
    start
        `(B, L)`.
    drive, gate
        `(B, T, D)` and `(B, T, 1)`; no gradient of the gate is taken.
    held
        Least and most that latents are held between after each step, `(2, L)`; None: they are free.
    """
    layers = [layer for layer in network if isinstance(layer, nn.Linear)]
    gates = gate.detach()
    if can_compile(drive, gates, start, *network.parameters()):
        form = RolloutForm(relaxes=False, activation=activation.name)
        matrices = [(layer.weight, layer.bias) for layer in layers]
        return compiled_rollout(form, start, drive, gates.squeeze(-1), matrices, held)
    if held is not None:
        return None
    n_drive = drive.shape[-1]
    by_drive, by_latent = layers[0].weight[:, :n_drive], layers[0].weight[:, n_drive:]
    # steps first: each step is then one block of memory
    driven = functional.linear(drive.transpose(0, 1).contiguous(), by_drive, layers[0].bias)
    weights = [by_latent]
    for layer in layers[1:]:
        weights += [layer.weight, layer.bias]
    by_step = gates.transpose(0, 1).contiguous()
    latents: Tensor = _ResidualRollout.apply(activation, start, driven, by_step, *weights)[0]
    return latents[1:].transpose(0, 1)


class _ResidualRollout(torch.autograd.Function):
    """The rollout `(T + 1, B, L)`, start included, and its gradient by backpropagation through time."""

    @staticmethod
    def forward(
        activation: Activation, start: Tensor, driven: Tensor, gates: Tensor, *weights: Tensor
    ) -> tuple[Tensor, ...]:
        """Roll out; what enters and leaves each activation is kept for the gradient."""
        n_steps, n_cells, _ = driven.shape
        matrices, biases = (weights[0], *weights[1::2]), weights[2::2]
        turned = [matrix.t().contiguous() for matrix in matrices]
        latents = start.new_empty(n_steps + 1, n_cells, start.shape[1])
        latents[0] = start
        entering = [start.new_empty(n_steps, n_cells, matrix.shape[1]) for matrix in matrices[1:]]
        leaving = [torch.empty_like(values) for values in entering]
        # one list of views: an index per operation would cost as much as some of them
        states, inputs = latents.unbind(), driven.unbind()
        before, after = ([values.unbind() for values in layers] for layers in (entering, leaving))
        for i, gate in enumerate(gates.unbind()):
            torch.addmm(inputs[i], states[i], turned[0], out=before[0][i])
            for k, bias in enumerate(biases):
                activation.write(before[k][i], after[k][i])
                if k + 1 < len(biases):
                    torch.addmm(bias, after[k][i], turned[k + 1], out=before[k + 1][i])
            change = torch.addmm(biases[-1], after[-1][i], turned[-1])
            torch.addcmul(states[i], change, gate, out=states[i + 1])
        return latents, *entering, *leaving

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        """Keep what the gradient needs; only the latents have one."""
        activation, _, _, gates, *weights = inputs
        ctx.mark_non_differentiable(*output[1:])
        # nor are zeros made up for the others
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(gates, *output, weights[0], *weights[1::2])
        ctx.activation, ctx.n_hidden = activation, len(output) // 2

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Go back through the steps; the weights' gradients are summed over all of them at the end."""
        gates, latents, *kept = ctx.saved_tensors
        n = ctx.n_hidden
        entering, leaving, matrices = kept[:n], kept[n : 2 * n], kept[2 * n :]
        by_layer = [torch.empty_like(values) for values in entering]
        by_change = latents.new_empty(gates.shape[0], *latents.shape[1:])
        before, after, flows = (
            [values.unbind() for values in part] for part in (entering, leaving, by_layer)
        )
        given, steps, changes = gradients[0].unbind(), gates.unbind(), by_change.unbind()
        flow = given[-1]
        for i in range(len(steps) - 1, -1, -1):
            above = torch.mul(flow, steps[i], out=changes[i])
            for k in range(n - 1, -1, -1):
                by_output = above @ matrices[k + 1]
                above = flows[k][i]
                ctx.activation.write_gradient(by_output, before[k][i], after[k][i], above)
            flow = torch.addmm(flow, above, matrices[0]).add_(given[i])
        by_weights: list[Tensor] = [_summed_product(by_layer[0], latents[:-1])]
        for above, values in zip((*by_layer[1:], by_change), leaving, strict=True):
            by_weights += [_summed_product(above, values), above.sum((0, 1))]
        return None, flow, by_layer[0], None, *by_weights

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *inputs: Any) -> tuple[Any, Any]:
        """Roll out each of several networks by itself: their products are large enough."""
        return apply_each(_ResidualRollout, info, in_dims, inputs)


def _summed_product(above: Tensor, below: Tensor) -> Tensor:
    """Return the gradient `(n_out, n_in)` of a matrix from those of its outputs, over all steps and cells."""
    return above.flatten(0, 1).t() @ below.flatten(0, 1)

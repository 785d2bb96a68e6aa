"""Rollouts of a perceptron in less time than repeated steps take: one choice for residual and relaxing ones.

Shapes: B tracers, T steps, F of a step's forcing, L latents; n_in and n_out of a layer.

Compiled loops over all steps on a CPU (`compiled_rollout`), one autograd function of PyTorch's operations
elsewhere (`fused_rollout`). The plain form of both is `Emulator.repeated_steps`.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from chemnet.models.fast.compiled_rollout import RolloutForm, can_compile, compiled_rollout
from chemnet.models.fast.fused_rollout import ACTIVATIONS, fused_rollout
from chemnet.models.fast.kernel_choice import is_fast
from chemnet.models.layers import activation_name, without_autocast

__all__ = ["RolloutForm", "fast_rollout", "hidden_activation"]


def fast_rollout(
    form: RolloutForm,
    start: Tensor,
    forcing: Tensor,
    steps: Tensor,
    layers: Sequence[tuple[Tensor, Tensor]],
    limits: Tensor | None,
) -> Tensor | None:
    """Return latents `(B, T, L)` after each step, or None where only repeated steps give them.

    Under autocast it computes in the precision of the start: the time goes into starting small products, not
    into computing them.

    Parameters
    ----------
    form
        What a step does.
    start, forcing
        `(B, L)` and `(B, T, F)`.
    steps
        Gates of the change, or relative time steps, `(B, T)`; no gradient of them is taken.
    layers
        Weight `(n_out, n_in)` and bias `(n_out,)` of each, the first one's inputs forcing before latents.
    limits
        Least and most that latents are clamped to after each step, `(2, L)`, which compiled loops alone do;
        None: they are free.
    """
    if not is_fast():
        return None
    steps = steps.detach()
    with without_autocast(start.device.type):
        if can_compile(forcing, steps, start, *(each for layer in layers for each in layer)):
            return compiled_rollout(form, start, forcing, steps, layers, limits)
        return fused_rollout(form, start, forcing, steps, layers) if limits is None else None


def hidden_activation(network: nn.Sequential) -> str | None:
    """Return the activation between the layers of a perceptron; None where its rollout cannot be fused.

    It can where every activation is the same one of `ACTIVATIONS` and no dropout is at work.
    """
    between = [layer for layer in network if not isinstance(layer, (nn.Linear, nn.Dropout))]
    dropped = any(layer.training and layer.p > 0.0 for layer in network if isinstance(layer, nn.Dropout))
    names = {activation_name(layer) for layer in between}
    if len(names) != 1 or dropped:
        return None
    name = names.pop()
    return name if name in ACTIVATIONS else None

"""A rollout of a perceptron and its gradient by compiled loops over all steps, on a CPU.

Shapes: B tracers, T steps, F of a step's forcing, L latents; n_in and n_out of a layer.

PyTorch's operations take as long to start as a step's products take to compute. Here one call goes through
all steps, with blocks of tracers on as many threads as PyTorch uses
(`chemnet.models.fast.training_kernels.rollout_gradient`).
A step gives what PyTorch's gives to a few units in the last place of float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

from chemnet.models.fast.per_member import each_member
from chemnet.models.fast.training_kernels.blocks import blocks_of, each_block

# with more threads than these and few tracers for each, the parallel products of PyTorch are faster
_MOST_THREADS = 4
# tracers are filled up to whole vectors, and so many at least are worth a thread
_VECTOR = 8
# without a gradient, tracers that are rolled out before their memory is used for the next ones
_TRACERS_AT_ONCE = 256
# columns of a chunk, about: their layers stay in the cache while the weights' gradients are computed
_COLUMNS = 1024
# rows that lie such a multiple of floats apart would take each other's place in the cache
_BAD_DISTANCE = 1024


@dataclass(frozen=True)
class RolloutForm:
    """What a step does.

    Attributes
    ----------
    relaxes
        Whether the perceptron gives targets and rates, instead of a change.
    activation
        Of the hidden layers, one of `chemnet.models.fast.training_kernels.activations.ACTIVATION_CODES`.
    """

    relaxes: bool
    activation: str


@dataclass(frozen=True)
class _Block:
    """Some of the tracers, and where what their gradient needs lies in memory.

    Attributes
    ----------
    tracers, width
        Which, and how many they are filled up to.
    chunk
        Steps that lie side by side.
    layout
        Of the perceptron `(layers, 5)`; see `chemnet.models.fast.training_kernels.rollout_gradient`.
    entering, slopes, moves
        Parts of the memory.
    """

    tracers: slice
    width: int
    chunk: int
    layout: NDArray[np.int64]
    entering: slice
    slopes: slice
    moves: slice


@dataclass(frozen=True)
class _Plan:
    """A rollout's form, blocks of tracers and memory."""

    form: RolloutForm
    blocks: tuple[_Block, ...]
    size: int


def can_compile(forcing: Tensor, steps: Tensor, *others: Tensor) -> bool:
    """Return whether compiled loops take these tensors: float32 on a CPU, the forcing without gradient.

    They do where most threads have tracers of their own. With many threads and few tracers the parallel
    products of PyTorch are faster.
    """
    every = (forcing, steps, *others)
    return (
        torch.get_num_threads() <= max(_MOST_THREADS, len(forcing) // _VECTOR)
        and all(each.dtype == torch.float32 and each.device.type == "cpu" for each in every)
        and not (forcing.requires_grad or steps.requires_grad or torch.is_autocast_enabled("cpu"))
        and forcing.numel() > 0
    )


def compiled_rollout(
    form: RolloutForm,
    start: Tensor,
    forcing: Tensor,
    steps: Tensor,
    layers: Sequence[tuple[Tensor, Tensor]],
    limits: Tensor | None = None,
) -> Tensor:
    """Return latents `(B, T, L)` after each step; parameters as for `chemnet.models.fast.perceptron_rollout`.

    The gradient passes the limits as if latents were free.
    """
    matrices = [torch.cat([weight, bias[:, None]], dim=1) for weight, bias in layers]
    if limits is None:
        bound = torch.full_like(start[:1], torch.inf)
        limits = torch.cat([-bound, bound])
    at_once = len(start) if torch.is_grad_enabled() else _TRACERS_AT_ONCE
    shapes, rolled = [tuple(matrix.shape) for matrix in matrices], []
    parts = zip(start.split(at_once), forcing.split(at_once), steps.split(at_once), strict=True)
    for part in parts:
        plan = _plan(form, len(part[0]), forcing.shape[1], shapes)
        rolled.append(_CompiledRollout.apply(plan, *part, limits, *matrices)[0])
    return rolled[0] if len(rolled) == 1 else torch.cat(rolled)


@each_member
class _CompiledRollout(torch.autograd.Function):
    """The rollout `(B, T, L)`, and its gradient by backpropagation through time."""

    @staticmethod
    def forward(
        plan: _Plan, start: Tensor, forcing: Tensor, steps: Tensor, limits: Tensor, *matrices: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Roll out; what the gradient needs is returned as one piece of memory."""
        from chemnet.models.fast.training_kernels.activations import ACTIVATION_CODES
        from chemnet.models.fast.training_kernels.rollout_gradient import roll_with_slopes

        latents = start.new_empty(*forcing.shape[:2], start.shape[1])
        memory = start.new_empty(plan.size)
        packed, kept, out = _packed(matrices), memory.numpy(), latents.numpy()
        form, n_steps, ranges = plan.form, forcing.shape[1], limits.contiguous().numpy()

        def roll(block: _Block) -> None:
            of, width = block.tracers, block.width
            roll_with_slopes(
                form.relaxes,
                ACTIVATION_CODES[form.activation],
                packed,
                block.layout,
                ranges,
                _columns(start[of].t(), width),
                _columns(forcing[of].permute(1, 2, 0), width),
                _columns(steps[of].t(), width),
                block.chunk,
                kept[block.entering],
                kept[block.slopes],
                kept[block.moves].reshape(n_steps, 2, -1),
                out[of],
            )

        each_block(plan.blocks, roll)
        return latents, memory

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        """Keep what the gradient needs; only the latents have one."""
        plan, start, forcing, steps, _, *matrices = inputs
        ctx.mark_non_differentiable(output[1])
        # nor are zeros made up for it
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(steps, output[1], *matrices)
        ctx.plan, ctx.n_forcing, ctx.n_latents = plan, forcing.shape[2], start.shape[1]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *rest: Tensor) -> tuple[Tensor | None, ...]:
        """Go back through the steps."""
        from chemnet.models.fast.training_kernels.rollout_gradient import roll_back

        steps, memory, *matrices = ctx.saved_tensors
        plan, n_steps = ctx.plan, steps.shape[1]
        packed, kept, given = (
            _packed_back(matrices, ctx.n_forcing),
            memory.numpy(),
            gradient.contiguous().numpy(),
        )
        by_start = gradient.new_empty(len(steps), ctx.n_latents)
        by_matrices = gradient.new_empty(len(plan.blocks), len(packed))

        def roll(numbered: tuple[int, _Block]) -> None:
            number, block = numbered
            of = block.tracers
            start = np.empty((ctx.n_latents, block.width), np.float32)
            roll_back(
                plan.form.relaxes,
                packed,
                block.layout,
                _columns(steps[of].t(), block.width),
                block.chunk,
                kept[block.entering],
                kept[block.slopes],
                kept[block.moves].reshape(n_steps, 2, -1),
                given[of],
                by_matrices[number].numpy(),
                start,
            )
            by_start[of] = torch.from_numpy(start[:, : of.stop - of.start].T)

        each_block(list(enumerate(plan.blocks)), roll)
        parts = by_matrices.sum(0).split([matrix.numel() for matrix in matrices])
        shaped = [part.view_as(matrix) for part, matrix in zip(parts, matrices, strict=True)]
        return None, by_start, None, None, None, *shaped


def _plan(form: RolloutForm, n_tracers: int, n_steps: int, shapes: Sequence[tuple[int, ...]]) -> _Plan:
    """Return the blocks of a rollout with matrices of these shapes `(n_out, n_in)`, biases included."""
    blocks, at = [], 0
    for tracers in blocks_of(n_tracers, least=_VECTOR):
        width = -(-(tracers.stop - tracers.start) // _VECTOR) * _VECTOR
        chunk = _chunk(n_steps, width)
        layout, n_entering, n_slopes = _layout(shapes, -(-n_steps // chunk) * chunk * width, n_steps * width)
        n_moves = shapes[-1][0] * width * n_steps if form.relaxes else 0
        ends = np.cumsum([at, n_entering, n_slopes, n_moves]).tolist()
        parts = [slice(first, stop) for first, stop in pairwise(ends)]
        blocks.append(_Block(tracers, width, chunk, layout, *parts))
        at = ends[-1]
    return _Plan(form, tuple(blocks), at)


def _chunk(n_steps: int, width: int) -> int:
    """Return how many steps of `width` columns lie side by side, so that chunks are about equal."""
    n_chunks = max(1, round(n_steps * width / _COLUMNS))
    chunk = -(-n_steps // n_chunks)
    return chunk + 1 if chunk * width % _BAD_DISTANCE == 0 else chunk


def _layout(
    shapes: Sequence[tuple[int, ...]], n_entering: int, n_leaving: int
) -> tuple[NDArray[np.int64], int, int]:
    """Return the layout of matrices of these shapes, and the memory of inputs and of slopes.

    Parameters
    ----------
    shapes
        `(n_out, n_in)`.
    n_entering, n_leaving
        Columns of what enters the layers, and of slopes, over all steps.
    """
    layout, at = [], np.zeros(3, np.int64)
    for n_out, n_in in shapes:
        layout.append((n_in, n_out, *at))
        at += (n_in * n_out, n_in * n_entering, n_out * n_leaving)
    # the last layer has no activation
    return np.array(layout), int(at[1]), int(at[2]) - shapes[-1][0] * n_leaving


def _packed(matrices: Sequence[Tensor]) -> NDArray[np.float32]:
    """Return matrices one after another."""
    return torch.cat([matrix.flatten() for matrix in matrices]).numpy()


def _packed_back(matrices: Sequence[Tensor], n_forcing: int) -> NDArray[np.float32]:
    """Return the gradient's matrices `(n_in, n_out)` where `_packed` has them, without forcing and biases."""
    packed = matrices[0].new_zeros(sum(matrix.numel() for matrix in matrices))
    at = 0
    for k, matrix in enumerate(matrices):
        turned = matrix[:, (0 if k else n_forcing) : -1].t()
        packed[at : at + turned.numel()] = turned.flatten()
        at += matrix.numel()
    return packed.numpy()


def _columns(values: Tensor, width: int) -> NDArray[np.float32]:
    """Return values whose last axis are tracers, filled up with zeros to `width` of them."""
    filled = values.new_zeros(*values.shape[:-1], width)
    filled[..., : values.shape[-1]] = values
    return filled.detach().numpy()

"""How `torch.func.vmap` takes an autograd function that it cannot vectorise: member by member."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def apply_each(
    function: type[torch.autograd.Function], info: Any, in_dims: Sequence[Any], inputs: Sequence[Any]
) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
    """Return what the `vmap` of an autograd function returns: its outputs for every member, and their axes.

    Parameters
    ----------
    function
        Returns a tuple of tensors.
    info, in_dims, inputs
        What its `vmap` is given. An input that is a tuple has a tuple of axes, but only a tensor has a part
        per member.
    """
    given = list(zip(inputs, in_dims, strict=True))
    outputs = [
        function.apply(*(_part(value, axis, member) for value, axis in given))
        for member in range(info.batch_size)
    ]
    stacked = tuple(torch.stack(parts) for parts in zip(*outputs, strict=True))
    return stacked, (0,) * len(stacked)


def _part(value: Any, axis: Any, member: int) -> Any:
    """Return a member's part of an input, or the whole of one that all share."""
    return value.select(axis, member) if isinstance(value, Tensor) and axis is not None else value

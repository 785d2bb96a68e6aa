"""How `torch.func.vmap` takes an autograd function that it cannot vectorise: member by member."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import Tensor

Function = TypeVar("Function", bound=type[torch.autograd.Function])


def each_member(function: Function) -> Function:
    """Give an autograd function, which returns a tuple of tensors, a `vmap` that calls it for each member.

    An input that is a tuple has a tuple of axes, but only a tensor has a part per member.
    """

    def vmap(info: Any, in_dims: tuple[Any, ...], *inputs: Any) -> tuple[Any, Any]:
        """Call the function for each member, and stack what it returns."""
        given = list(zip(inputs, in_dims, strict=True))
        outputs = [
            function.apply(*(_part(value, axis, member) for value, axis in given))
            for member in range(info.batch_size)
        ]
        stacked = tuple(torch.stack(parts) for parts in zip(*outputs, strict=True))
        return stacked, (0,) * len(stacked)

    function.vmap = staticmethod(vmap)  # type: ignore[assignment]
    return function


def _part(value: Any, axis: Any, member: int) -> Any:
    """Return a member's part of an input, or the whole of one that all share."""
    return value.select(axis, member) if isinstance(value, Tensor) and axis is not None else value

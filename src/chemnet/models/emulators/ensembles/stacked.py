"""Networks of one kind called at once: their tensors stacked, and one vectorised pass over all of them.

Shapes: M networks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from chemnet.errors import ModelError


def stacked_state(members: Iterable[nn.Module]) -> dict[str, Tensor]:
    """Return the parameters and buffers of networks of one kind, stacked `(M, ...)`; gradients pass through.

    Raises
    ------
    ModelError
        When the networks have different tensors.
    """
    states = [{**dict(each.named_parameters()), **dict(each.named_buffers())} for each in members]
    shapes = [{name: tensor.shape for name, tensor in state.items()} for state in states]
    if any(other != shapes[0] for other in shapes):
        raise ModelError(
            "networks with different tensors cannot be one ensemble",
            hint="the members of an ensemble are of one kind, with the same widths",
        )
    return {name: torch.stack([state[name] for state in states]) for name in states[0]}


def call_each(
    members: Sequence[nn.Module] | nn.ModuleList,
    method: str,
    axes: tuple[int | None, ...],
    *arguments: Any,
    state: dict[str, Tensor] | None = None,
) -> Any:
    """Return what a method of every member returns, stacked: tensors `(M, ...)` in the same structure.

    Parameters
    ----------
    members
        Networks of one kind. Those with ``stackable = False`` use what `torch.func.vmap` cannot vectorise,
        and are called one after another.
    method
        Its name.
    axes
        For each argument 0 where its tensors hold one part per member, `(M, ...)`, and None where all get the
        same.
    arguments
        Of the method: tensors or mappings of them.
    state
        What `stacked_state` returns of the members, where that is at hand.
    """
    if not getattr(members[0], "stackable", True):
        answers = [
            getattr(member, method)(*(_part(a, axis, i) for a, axis in zip(arguments, axes, strict=True)))
            for i, member in enumerate(members)
        ]
        return _stacked(answers)
    state = stacked_state(members) if state is None else state
    runner = _Method(members[0], method)

    def call(weights: dict[str, Tensor], *given: Any) -> Any:
        return functional_call(runner, weights, given)

    named = {f"network.{name}": tensor for name, tensor in state.items()}
    return vmap(call, in_dims=(0, *axes), randomness="different")(named, *arguments)


def _part(argument: Any, axis: int | None, member: int) -> Any:
    if axis is None:
        return argument
    return {name: values[member] for name, values in argument.items()}


def _stacked(answers: Sequence[Any]) -> Any:
    """Return tensors, or tuples and mappings of them, stacked."""
    first = answers[0]
    if isinstance(first, dict):
        return {name: _stacked([answer[name] for answer in answers]) for name in first}
    if isinstance(first, tuple):
        return tuple(_stacked(parts) for parts in zip(*answers, strict=True))
    return torch.stack(list(answers))


class _Method(nn.Module):
    """One method of a network as the forward pass of a module, which is what `functional_call` calls."""

    def __init__(self, network: nn.Module, method: str) -> None:
        super().__init__()
        self.network, self.method = network, method

    def forward(self, *arguments: Any) -> Any:
        """Call the method."""
        return getattr(self.network, self.method)(*arguments)

"""Several emulators of one kind, trained at once: how far they are apart says how far they can be trusted.

Shapes: M members, B tracers, W rows of a window, T steps, L latents.

The members differ in their random start, in the windows that each draws (with replacement) from every batch,
and in their dropout and noise. One vectorised pass trains all of them: their weights are stacked, and
`torch.func.vmap` turns M small matrix products into one large one. A member's gradient is that of its own
loss, divided by M. Only ``train.gradient_clip`` joins them: it bounds the norm over all members, which is
1 / sqrt(M) of one member's norm where all are equal, and shortens the step of all where one explodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from chemnet.config import ConfigDict
from chemnet.errors import ConfigError, ModelError, suggest
from chemnet.models.contract import Batch, StepResult, TrainingRows
from chemnet.registry import MODELS


class EnsembleBase(nn.Module):
    """Deep ensemble of emulators.

    Parameters
    ----------
    table
        The ensemble's own configuration table.
    members
        Emulators of one kind.

    Attributes
    ----------
    members
        The emulators; a `chemnet.Surrogate` carries each on its own.
    """

    feed = "windows"

    def __init__(self, table: ConfigDict, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.table, self.members = table, nn.ModuleList(members)

    def forward(self, batch: Batch) -> Tensor:
        """Return what every member predicts for the same batch, `(M, ...)`."""
        return call_each(self.members, "forward", (None,), batch)

    def train_batch(self, batch: Batch) -> StepResult:
        """Return the mean of the members' losses, each on the windows that it draws from the batch.

        Its gradient of a member's weights is the member's own by 1 / M, a factor that Adam does not see.
        """
        axis = 0 if self.table["resample"] else None
        loss, terms = call_each(self.members, "train_batch", (axis,), self._drawn(batch))
        return loss.mean(), {name: term.mean(dim=0) for name, term in terms.items()}

    def validate_batch(self, batch: Batch) -> StepResult:
        """Return the means of the members' losses and validation metrics on the whole batch."""
        results: list[StepResult] = [member.validate_batch(batch) for member in self._as_any()]
        terms = {name: torch.stack([each[name] for _, each in results]).mean(dim=0) for name in results[0][1]}
        return torch.stack([loss for loss, _ in results]).mean(), terms

    def infer_batch(self, batch: Batch) -> dict[str, Tensor]:
        """Return what the members say in the mean along the rollout from the first row.

        ``"latent"`` `(B, T + 1, L)` is the mean of their latents. ``"abundance"`` `(B, T + 1, S)` is the mean
        of the scaled abundances that each decodes, which `chemnet.Surrogate` predicts too; a decoder is not
        linear, so the mean latent decodes to something else.
        """
        latents = [member.infer_batch(batch)["latent"] for member in self._as_any()]
        decoded = [self.decode(latent).clamp(0.0, 1.0) for latent in latents]
        return {"latent": torch.stack(latents).mean(dim=0), "abundance": torch.stack(decoded).mean(dim=0)}

    def decode(self, latent: Tensor) -> Tensor:
        """Return scaled abundances `(..., S)` of the autoencoder's latents `(..., L)`."""
        return self._as_any()[0].decode(latent)

    def before_training(self, training: TrainingRows) -> None:
        """Let the first member learn its statistics of the training split; the others take them over."""
        self._as_any()[0].before_training(training)
        learned = dict(self.members[0].named_buffers())
        for member in self.members[1:]:
            for name, buffer in member.named_buffers():
                buffer.copy_(learned[name])

    def after_training(self, training: TrainingRows) -> None:
        """Let each member finish as it does alone."""
        for member in self._as_any():
            member.after_training(training)

    def _drawn(self, batch: Batch) -> dict[str, Tensor]:
        """Return the windows that each member trains on, `(M, B, ...)`, or the batch itself for all."""
        if not self.table["resample"]:
            return dict(batch)
        first = next(iter(batch.values()))
        chosen = torch.randint(len(first), (len(self.members), len(first)), device=first.device)
        return {name: values[chosen] for name, values in batch.items()}

    def _as_any(self) -> list[Any]:
        """Return the members, whose methods are those of the contract."""
        return list(self.members)


def member_class(ensemble: type[nn.Module], table: ConfigDict) -> type[nn.Module]:
    """Return the class that the members of an ensemble are: one of the same role that is no ensemble.

    Raises
    ------
    ConfigError
        When ``member`` in the ensemble's table names another.
    """
    kind: Any = ensemble
    name = table["member"]
    # what nobody registered is answered here too: the registry would offer all models
    known = "." in name or name in MODELS.names()
    if not known or not _may_be_member(MODELS.get(name), kind.role):
        what = "emulator of latents" if kind.role == "emulator" else "direct emulator"
        fitting = [other for other in MODELS.names() if _may_be_member(MODELS.get(other), kind.role)]
        raise ConfigError(
            f"model.{kind.__name__}.member = {name!r} is no {what}", hint=suggest(name, fitting)
        )
    return MODELS.get(name)


def _may_be_member(cls: Any, role: str) -> bool:
    """Return whether a class can be a member of an ensemble of a role."""
    return cls.role == role and not issubclass(cls, EnsembleBase)


def stacked_state(members: Sequence[nn.Module]) -> dict[str, Tensor]:
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
    members: Sequence[nn.Module],
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
    """Return a member's part of an argument."""
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

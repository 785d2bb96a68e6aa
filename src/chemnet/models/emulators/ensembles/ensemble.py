"""Several emulators of one kind, trained at once: how far they are apart says how far they can be trusted.

Shapes: M members, B tracers, W rows of a window, T steps, L latents.

The members differ in their random start, in the windows that each draws (with replacement) from every batch,
and in their dropout and noise. One vectorised pass trains all of them: their weights are stacked, and
`torch.func.vmap` turns M small matrix products into one large one. A member's gradient is that of its own
loss, divided by M. Only ``train.gradient_clip`` joins them: it bounds the norm over all members, which is
1 / sqrt(M) of one member's norm where all are equal, and shortens the step of all where one explodes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from chemnet.config import ConfigDict
from chemnet.errors import ConfigError, suggest
from chemnet.models.contract import Batch, ChemModel, StepResult, TrainingRows
from chemnet.models.emulators.ensembles.stacked import call_each
from chemnet.registry import MODELS

if TYPE_CHECKING:
    from chemnet.data.preprocessed import DataDescription


class Ensemble(ChemModel):
    """Deep ensemble of emulators of one role: ``class Mine(Ensemble, role="emulator")``.

    It reads its own table, and the members theirs; those of latents share one frozen autoencoder.

    Attributes
    ----------
    members
        The emulators; a `chemnet.Surrogate` carries each on its own.
    """

    feed = "windows"

    def __init_subclass__(cls, *, role: str | None = None, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.role = role or cls.role

    def __init__(self, config: ConfigDict, data: DataDescription, *autoencoder: nn.Module) -> None:
        super().__init__(config, data)
        cls = member_class(type(self), self.table["member"])
        self.members: Any = nn.ModuleList(cls(config, data, *autoencoder) for _ in range(self.table["size"]))
        members: list[Any] = list(self.members)
        for member in members[1:] if hasattr(cls, "share") else []:
            member.share(members[0])
        if getattr(self.members[0], "trained_autoencoder", None) is not None:
            raise ConfigError(
                f"the members of an ensemble share one frozen autoencoder; model.{cls.__name__} trains its "
                "own along",
                hint=f"set model.{cls.__name__}.train_autoencoder=false",
            )

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
        results: list[StepResult] = [member.validate_batch(batch) for member in self.members]
        terms = {name: torch.stack([each[name] for _, each in results]).mean(dim=0) for name in results[0][1]}
        return torch.stack([loss for loss, _ in results]).mean(), terms

    def infer_batch(self, batch: Batch) -> dict[str, Tensor]:
        """Return the members' mean prediction along the rollout from the first row.

        ``"latent"`` `(B, T + 1, L)` is the mean of their latents. ``"abundance"`` `(B, T + 1, S)` is the mean
        of the scaled abundances that each decodes, which `chemnet.Surrogate` predicts too; a decoder is not
        linear, so the mean latent decodes to something else.
        """
        latents = [member.infer_batch(batch)["latent"] for member in self.members]
        decoded = [self.decode(latent).clamp(0.0, 1.0) for latent in latents]
        return {"latent": torch.stack(latents).mean(dim=0), "abundance": torch.stack(decoded).mean(dim=0)}

    def decode(self, latent: Tensor) -> Tensor:
        """Return scaled abundances `(..., S)` of the autoencoder's latents `(..., L)`."""
        return self.members[0].decode(latent)

    def before_training(self, training: TrainingRows) -> None:
        """Let the first member learn its statistics from the training split; the others copy them."""
        self.members[0].before_training(training)
        learned = dict(self.members[0].named_buffers())
        for member in self.members[1:]:
            for name, buffer in member.named_buffers():
                buffer.copy_(learned[name])

    def after_training(self, training: TrainingRows) -> None:
        """Finish each member as on its own."""
        for member in self.members:
            member.after_training(training)

    def _drawn(self, batch: Batch) -> dict[str, Tensor]:
        """Return the windows that each member trains on, `(M, B, ...)`, or the batch itself for all."""
        if not self.table["resample"]:
            return dict(batch)
        first = next(iter(batch.values()))
        chosen = torch.randint(len(first), (len(self.members), len(first)), device=first.device)
        return {name: values[chosen] for name, values in batch.items()}


def member_class(ensemble: type[ChemModel], name: str) -> Any:
    """Return the class of an ensemble's members: one of the same role that is not an ensemble.

    Raises
    ------
    ConfigError
        When `name`, the ensemble's key ``member``, is another.
    """
    # what nobody registered is answered here too: the registry would offer all models
    known = "." in name or name in MODELS.names()
    if not known or not _may_be_member(MODELS.get(name), ensemble.role):
        what = "emulator of latents" if ensemble.role == "emulator" else "direct emulator"
        fitting = [other for other in MODELS.names() if _may_be_member(MODELS.get(other), ensemble.role)]
        raise ConfigError(
            f"model.{ensemble.__name__}.member = {name!r} is no {what}", hint=suggest(name, fitting)
        )
    return MODELS.get(name)


def _may_be_member(cls: Any, role: str) -> bool:
    return cls.role == role and not issubclass(cls, Ensemble)

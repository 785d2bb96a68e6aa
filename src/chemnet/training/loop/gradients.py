"""The gradient of a batch: in parts where memory does not do, and a step left out where it is not finite."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from chemnet.errors import RunFailedError
from chemnet.models.contract import Batch
from chemnet.progress import get_logger
from chemnet.training.loop.trace import Trace
from chemnet.training.parallel.devices import precision
from chemnet.training.parallel.memory import is_out_of_memory, out_of_memory
from chemnet.training.parallel.process_group import ALONE

if TYPE_CHECKING:
    from chemnet.training.loop.session import Session

GRADIENT_NORM = "gradient_norm"
SKIP = "skip"
# steps in a row that may be left out
_MOST_SKIPPED = 10
Losses = tuple[Tensor, dict[str, Tensor]]
_log = get_logger(__name__)


def rows_of(batch: Batch) -> int:
    """Return the number of items of a batch."""
    return len(next(iter(batch.values())))


class Gradient:
    """Leaves in each parameter the gradient of the loss of a batch.

    A batch that does not fit into memory is worked on in parts from then on; its loss being a mean over rows,
    the gradient is that of the whole batch up to rounding (and to what a batch norm makes of fewer rows).

    Parameters
    ----------
    session
        The training.
    parameters
        What is trained.
    trace
        Prints the first batches.
    """

    def __init__(self, session: Session, parameters: Sequence[nn.Parameter], trace: Trace) -> None:
        self._session, self._parameters, self._trace = session, parameters, trace
        self._parts = 1

    def of(self, batch: Batch) -> Losses:
        """Return loss and diagnostics of a batch, detached.

        Raises
        ------
        RunFailedError
            When there is not enough memory for a single row.
        """
        while True:
            try:
                return self._in_parts(batch)
            except Exception as error:
                # several processes must all do the same
                if not is_out_of_memory(error) or self._session.group is not ALONE:
                    raise
            self._halve(rows_of(batch))

    def _halve(self, rows: int) -> None:
        """Work on smaller parts from now on, and say so."""
        if self._parts >= rows:
            raise out_of_memory()
        self._parts *= 2
        _log.warning(
            "out of memory: batches are processed in %d parts from now on; the gradient is that of the whole "
            "batch, but batch normalisation sees fewer rows",
            self._parts,
        )

    def _in_parts(self, batch: Batch) -> Losses:
        """Return loss and diagnostics of all parts together."""
        self._session.optimizer.zero_grad(set_to_none=True)
        if self._parts == 1:
            return self._of_part(batch, share=None)
        rows, size = rows_of(batch), -(-rows_of(batch) // self._parts)
        loss, diagnostics = torch.zeros(()), dict[str, Tensor]()
        for start in range(0, rows, size):
            part = {name: values[start : start + size] for name, values in batch.items()}
            share = rows_of(part) / rows
            part_loss, told = self._of_part(part, share)
            loss = part_loss * share + loss.to(part_loss.device)
            for name, value in told.items():
                value = value if value.ndim else value * share
                diagnostics[name] = diagnostics[name] + value if name in diagnostics else value
        return loss, diagnostics

    def _of_part(self, batch: Batch, share: float | None) -> Losses:
        session = self._session
        with precision(session.table["precision"], session.device):
            loss, diagnostics = self._trace.call("train_batch", session.model.train_batch, batch)
        weighted = loss if share is None else loss * share
        backward = partial(session.group.backward, weighted, self._parameters, rows_of(batch))
        self._trace.call("backward", backward)
        return loss.detach(), {name: value.detach() for name, value in diagnostics.items()}


class FiniteGradient:
    """Clips gradients and says which steps are taken: ``train.gradient_clip``, ``train.not_finite``.

    Parameters
    ----------
    session
        The training.
    parameters
        What is trained.
    """

    def __init__(self, session: Session, parameters: Sequence[nn.Parameter]) -> None:
        self._parameters, self._state = parameters, session.state
        self._limit = session.table["gradient_clip"] or math.inf
        self._skips = session.table["not_finite"] == SKIP
        self._in_a_row = 0

    def clip(self) -> Tensor:
        """Clip the gradients and return the norm that they had, on their device."""
        return nn.utils.clip_grad_norm_(self._parameters, self._limit)

    def is_taken(self, norm: Tensor) -> bool:
        """Return whether the step with a gradient of this norm is taken.

        A training that stops at what is not finite takes it: its means find the norm without a wait for the
        device, before the epoch ends.

        Raises
        ------
        RunFailedError
            When too many steps in a row were left out.
        """
        if not self._skips or bool(norm.isfinite()):
            self._in_a_row = 0
            return True
        self._in_a_row += 1
        epoch = self._state.epoch + 1
        if self._in_a_row >= _MOST_SKIPPED:
            raise RunFailedError(
                f"training epoch {epoch}: the gradients of {_MOST_SKIPPED} steps in a row are not finite",
                hint="lower optimizer.lr or train.gradient_clip, or look at the data",
            )
        _log.warning("epoch %d: a step is skipped, because its gradient is %s", epoch, float(norm))
        return False

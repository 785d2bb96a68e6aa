"""Means over an epoch, read from the device once per log interval; they detect what is not finite."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from chemnet.data.abundance_errors import histogram_quantile
from chemnet.errors import RunFailedError

# diagnostics under this name are histograms of dex errors; LAE99 is read from them
HISTOGRAM = "dex_histogram"


class EpochMeans:
    """Row-weighted means of a loss and its diagnostics over one epoch.

    Scalars stay on the device until `flush`, which the engines call once per log interval; 1-D tensors are
    summed.

    Parameters
    ----------
    what
        The pass in words, for messages: ``"training"`` or ``"validation"``.
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self.start(epoch=0)

    def start(self, epoch: int) -> None:
        """Reset and begin an epoch."""
        self.epoch, self._rows, self._batches = epoch, 0, 0
        self._names: list[str] = []
        self._sums = torch.zeros(0, dtype=torch.float64)
        self._totals: dict[str, Tensor] = {}
        self._pending: list[Tensor] = []
        self._weights: list[int] = []

    def add(self, loss: Tensor, diagnostics: Mapping[str, Tensor], rows: int) -> None:
        """Add one batch of `rows` items."""
        scalars = {"loss": loss, **{name: value for name, value in diagnostics.items() if value.ndim == 0}}
        self._names = list(scalars)
        self._pending.append(torch.stack([value.detach().float() for value in scalars.values()]))
        self._weights.append(rows)
        for name, value in diagnostics.items():
            if value.ndim:
                total = value.detach().to(torch.float64 if value.device.type != "mps" else torch.float32)
                self._totals[name] = self._totals[name] + total if name in self._totals else total

    def flush(self) -> None:
        """Read what has gathered on the device.

        Raises
        ------
        RunFailedError
            When a value is not finite; the message names epoch, batch and term.
        """
        if not self._pending:
            return
        values = torch.stack(self._pending).cpu().double()
        self._refuse_non_finite(values)
        weighted = values.T @ torch.tensor(self._weights, dtype=torch.float64)
        self._sums = weighted + self._sums if len(self._sums) else weighted
        self._rows += sum(self._weights)
        self._batches += len(self._weights)
        self._pending, self._weights = [], []

    def result(self) -> dict[str, float]:
        """Return the means of the epoch so far, and the quantile that a histogram stands for."""
        self.flush()
        if not self._rows:
            raise RunFailedError(
                f"{self.what} epoch {self.epoch}: no gradient was finite",
                hint="lower optimizer.lr, or look at the data",
            )
        means = {name: float(total) / self._rows for name, total in zip(self._names, self._sums, strict=True)}
        if HISTOGRAM in self._totals:
            means["lae99"] = float(histogram_quantile(self._totals[HISTOGRAM].cpu().numpy(), 0.99))
        return means

    def _refuse_non_finite(self, values: Tensor) -> None:
        """Raise for the first batch `(batches, terms)` with a value that is not finite."""
        faults = (~values.isfinite()).nonzero()
        if not len(faults):
            return
        batch = int(faults[0, 0])
        terms = [self._names[int(term)] for row, term in faults.tolist() if row == batch]
        raise RunFailedError(
            f"{self.what} epoch {self.epoch}, batch {self._batches + batch + 1}: "
            + ", ".join(f"{name} is {float(values[batch, self._names.index(name)])}" for name in terms),
            hint="lower optimizer.lr or train.gradient_clip; in the first batch, look at the data",
        )

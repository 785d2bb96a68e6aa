"""Validation metrics of scaled abundances: errors in dex, their histogram, relative errors.

Scaled abundances s in [0, 1] (see `chemnet.data.scaling`) have any number of leading axes, species
last.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from chemnet.data.abundance_errors import BINS, DEX_BIN, DEX_LIMIT
from chemnet.models.fast.kernel_choice import fits_kernels
from chemnet.models.fast.row_loss import LN10
from chemnet.models.fast.training_kernels.blocks import each_part


def scaled_dex_error(predicted: Tensor, target: Tensor, decades: float) -> Tensor:
    """Return ``|log10 x_predicted - log10 x_target|`` of scaled abundances, clipped to their range."""
    return decades * (predicted.clamp(0.0, 1.0) - target).abs()


def relative_error(predicted: Tensor, target: Tensor, decades: float) -> Tensor:
    """Return ``|x_predicted - x_target| / x_target`` of scaled abundances, any shape."""
    return torch.expm1(LN10 * decades * (predicted.clamp(0.0, 1.0) - target)).abs()


def dex_histogram(dex: Tensor) -> Tensor:
    """Return how many errors fall into each bin of `DEX_BIN` dex, `(bins,)`; batches may be summed."""
    return torch.histc(dex.detach().float().clamp(max=DEX_LIMIT), bins=BINS, min=0.0, max=DEX_LIMIT)


def validation_metrics(predicted: Tensor, target: Tensor, decades: float) -> dict[str, Tensor]:
    """Return mLAE [dex], the mean relative error, and the histogram that LAE99 is read from.

    Parameters
    ----------
    predicted, target
        Scaled abundances, `(..., S)`.
    decades
        Decades between the abundance floor and 1.
    """
    if target.numel() and predicted.shape == target.shape:
        together = predicted.detach().contiguous(), target.contiguous()
        if fits_kernels(*together):
            return _compiled_metrics(*together, decades)
    dex = scaled_dex_error(predicted, target, decades)
    relative = relative_error(predicted, target, decades)
    return {"mlae": dex.mean(), "mean_relative_error": relative.mean(), "dex_histogram": dex_histogram(dex)}


def _compiled_metrics(predicted: Tensor, target: Tensor, decades: float) -> dict[str, Tensor]:
    from chemnet.models.fast.training_kernels.validation import dex_metrics

    x, truth = (each.view(-1, each.shape[-1]).numpy() for each in (predicted, target))
    options = (np.float32(decades), np.float32(1.0 / DEX_BIN), BINS)
    parts = each_part(x.shape, lambda part: dex_metrics(x[part], truth[part], *options))
    total, relative, counts = (sum(each[1:], start=each[0]) for each in zip(*parts, strict=True))
    sums = torch.tensor((total, relative)) / target.numel()
    histogram = torch.from_numpy(counts).float()
    return {"mlae": sums[0], "mean_relative_error": sums[1], "dex_histogram": histogram}

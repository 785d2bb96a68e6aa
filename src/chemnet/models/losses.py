"""Losses as pure functions, and the criterion that combines them.

Everything works on scaled abundances s in [0, 1] (see `chemnet.data.scaling`), any number of leading
axes and species last: ``d = |s_predicted - s_target|`` times the decades of the scaling is an error in dex. A
loss returns ``(loss, diagnostics)``; the diagnostics are detached scalars, averaged over the rows of an epoch
by whoever trains.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from chemnet.errors import ConfigError, suggest
from chemnet.models.fast.kernel_choice import is_fast
from chemnet.models.fast.row_loss import LARGEST_EXPONENTIATED, LN10, LinearRowLoss, RowForm, RowLoss
from chemnet.models.layers import full_precision_linear

if TYPE_CHECKING:
    from chemnet.data.preprocessed import DataDescription

ErrorFunction = Callable[[Tensor, float], Tensor]


def exponential_error(distance: Tensor, power: float) -> Tensor:
    """Return ``10^(power d) - 1``: with `power` = decades, the relative error of an over-prediction.

    The published training error of AstroChemNet's surrogates. Continued linearly above d = 1.
    """
    inside = distance.clamp(max=LARGEST_EXPONENTIATED)
    slope = power * LN10 * math.exp(power * LN10 * LARGEST_EXPONENTIATED)
    return torch.expm1(power * LN10 * inside) + slope * (distance - inside)


def squared_exponential_error(distance: Tensor, power: float) -> Tensor:
    """Return ``10^(power d^2) - 1``, the newer published form: flat for small errors."""
    inside = distance.clamp(max=LARGEST_EXPONENTIATED)
    slope = 2.0 * power * LN10 * math.exp(power * LN10 * LARGEST_EXPONENTIATED**2)
    return torch.expm1(power * LN10 * inside.square()) + slope * (distance - inside)


def absolute_error(distance: Tensor, power: float) -> Tensor:
    """Return ``power d``: with `power` = decades, the error in dex, whose mean is mLAE."""
    return power * distance


def smooth_error(distance: Tensor, power: float) -> Tensor:
    """Return ``D + D^2 / 2``, ``D = power d``: as `absolute_error`, with weight on errors above 1 dex."""
    dex = power * distance
    return dex + 0.5 * dex.square()


def squared_error(distance: Tensor, power: float) -> Tensor:
    """Return ``(power d)^2``."""
    return (power * distance).square()


ERRORS: Mapping[str, ErrorFunction] = {
    "exponential": exponential_error,
    "squared_exponential": squared_exponential_error,
    "absolute": absolute_error,
    "smooth": smooth_error,
    "squared": squared_error,
}


def mean_and_worst(error: Tensor) -> tuple[Tensor, Tensor]:
    """Return the sum over species averaged over rows, and the largest error of a row averaged over rows."""
    return error.sum(-1).mean(), error.amax(-1).mean()


def conservation_error(predicted: Tensor, target: Tensor, stoichiometry: Tensor, decades: float) -> Tensor:
    """Return ``sum_e |log10 n_predicted - log10 n_target|`` averaged over rows, ``n = x . stoichiometry``.

    Parameters
    ----------
    predicted, target
        Scaled abundances, `(..., S)`.
    stoichiometry
        Atoms of each element in each species, `(S, E)`.
    decades
        Decades between the abundance floor and 1.
    """
    if not stoichiometry.shape[-1]:
        return predicted.new_zeros(())
    totals = element_totals(predicted, stoichiometry, decades)
    difference = totals.log10() - element_totals(target, stoichiometry, decades).log10()
    return difference.abs().sum(-1).mean()


def element_totals(scaled: Tensor, stoichiometry: Tensor, decades: float) -> Tensor:
    """Return nuclei per H nucleus, `(..., E)` float32, of scaled abundances `(..., S)`."""
    # an untrained net may leave [0, 1] far enough for 10^x to overflow
    abundance = torch.exp(LN10 * decades * (scaled.float().clamp(max=1.5) - 1.0))
    return (abundance @ stoichiometry.float()).clamp_min(torch.finfo(torch.float32).tiny)


class ChemistryLoss(nn.Module):
    """The training loss ``scale (mean + worst_weight worst + conservation_weight conservation)``.

    With ``error="exponential"``, `power` 20, `worst_weight` 2, `conservation_weight` 100 and `scale` 1e-3
    this is the published loss of AstroChemNet's autoencoder; with ``"squared_exponential"`` its newer form.

    Parameters
    ----------
    stoichiometry
        Atoms of each element in each species, `(S, E)`.
    decades
        Decades between the abundance floor and 1.
    error
        Name of the error of one value, one of `ERRORS`.
    power
        Its steepness; the number of decades makes it an error in dex.
    worst_weight, conservation_weight, scale
        Weights of the terms and of their sum.

    Raises
    ------
    ConfigError
        For an unknown error.
    """

    stoichiometry: Tensor

    def __init__(
        self,
        stoichiometry: Tensor,
        decades: float,
        *,
        error: str,
        power: float,
        worst_weight: float,
        conservation_weight: float,
        scale: float,
    ) -> None:
        super().__init__()
        if error not in ERRORS:
            raise ConfigError(f"the loss knows no error called '{error}'", hint=suggest(error, ERRORS))
        self.error = ERRORS[error]
        self.form = RowForm(error, power, worst_weight, scale)
        self.power, self.decades, self.scale = power, decades, scale
        self.worst_weight, self.conservation_weight = worst_weight, conservation_weight
        # not persistent: it belongs to the data, and model.toml holds it
        self.register_buffer("stoichiometry", stoichiometry, persistent=False)

    @classmethod
    def for_data(cls, data: DataDescription, **options: Any) -> ChemistryLoss:
        """Return the loss for a data set; `options` are the keywords of the class."""
        stoichiometry = torch.as_tensor(data.stoichiometry, dtype=torch.float32)
        return cls(stoichiometry, data.abundance_scaling.decades, **options)

    def forward(self, predicted: Tensor, target: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss and its terms for scaled abundances `(..., S)`."""
        if not _fits_row_loss(predicted, target):
            loss, terms = self.plain(predicted, target)
        else:
            wanted = torch.is_grad_enabled()
            loss, mean, worst, _ = RowLoss.apply(predicted, target, self.form, wanted)
            terms = {"mean_error": mean, "worst_error": worst}
        if self.conservation_weight:
            conservation = conservation_error(predicted, target, self.stoichiometry, self.decades)
            loss = loss + self.scale * self.conservation_weight * conservation
            terms["conservation"] = self.scale * conservation.detach()
        return loss, terms

    def plain(self, predicted: Tensor, target: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss without conservation, and its terms, from plain operations of any precision."""
        mean, worst = mean_and_worst(self.error(floor_distance(predicted, target), self.power))
        terms = {"mean_error": self.scale * mean.detach(), "worst_error": self.scale * worst.detach()}
        return self.scale * (mean + self.worst_weight * worst), terms

    def of_linear(
        self, hidden: Tensor, weight: Tensor, bias: Tensor, target: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss and its terms for the prediction ``hidden weight^T + bias``.

        Parameters
        ----------
        hidden
            `(B, H)`.
        weight, bias
            Of the output layer, `(S, H)` and `(S,)`.
        target
            Scaled abundances, `(B, S)`.
        """
        whole = self.conservation_weight or torch.is_autocast_enabled(hidden.device.type)
        if whole or not torch.is_grad_enabled() or not _fits_row_loss(hidden, target):
            return self(full_precision_linear(hidden, weight, bias), target)
        loss, mean, worst, *_ = LinearRowLoss.apply(hidden, weight, bias, target, self.form)
        return loss, {"mean_error": mean, "worst_error": worst}


def floor_distance(predicted: Tensor, target: Tensor) -> Tensor:
    """Return ``|predicted - target|``, counting a prediction below the floor as one at the floor.

    What the truth held below the floor is noise that scaling has clipped to 0, so it is no error to go lower.
    The prediction itself is not clipped: where the truth is above the floor, the gradient must bring it back.
    """
    below_both = (predicted < 0.0) & (target <= 0.0)
    return (predicted - target).abs().masked_fill(below_both, 0.0)


def apply_criterion(
    criterion: nn.Module, predicted: Tensor, target: Tensor
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return (loss, diagnostics) of any criterion; one of `torch.nn` returns the loss alone."""
    result = criterion(predicted, target)
    return result if isinstance(result, tuple) else (result, {})


def apply_to_linear(
    criterion: Any, hidden: Tensor, weight: Tensor, bias: Tensor, target: Tensor
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return (loss, diagnostics) of ``hidden weight^T + bias``, which a criterion need not hold whole."""
    if hasattr(criterion, "of_linear"):
        return criterion.of_linear(hidden, weight, bias, target)
    return apply_criterion(criterion, full_precision_linear(hidden, weight, bias), target)


def _fits_row_loss(values: Tensor, target: Tensor) -> bool:
    """Return whether `row_loss` takes these: rows of one precision, and a target without gradient."""
    exact = values.dtype == target.dtype and values.dtype in (torch.float32, torch.float64)
    rows = target.ndim > 1 and values.shape[:-1] == target.shape[:-1]
    return is_fast() and exact and rows and not target.requires_grad

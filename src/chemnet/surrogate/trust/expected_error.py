"""How far each predicted state can be trusted.

A surrogate sees its own error only indirectly: four or five indicators are measured for each state. Together
with the physical parameters they were compared with true errors on the validation split
(`chemnet.surrogate.trust.calibration`).

Shapes: B cells, T steps, K indicators, Q knots.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.nn.functional import pad

from chemnet.errors import DataError, ModelError
from chemnet.surrogate.trust.species_errors import SpeciesErrors

# indicators are at least this, so that their logarithms are finite
SMALLEST_INDICATOR = 1e-4


@dataclass(frozen=True)
class Trust:
    """How far predictions can be trusted.

    Attributes
    ----------
    expected_error
        Error that such a state had on the validation split: mean over species of the error in log10, [dex],
        `(B, T)`. 0 for row 0, which is the input; infinite outside the ranges that were trained.
    score
        Share of the validation split's states that were expected to be worse, `(B, T)`; 1 for row 0, 0
        outside the trained ranges.
    solver_steps
        How many of the steps up to each state the solver did on the surrogate's behalf, `(B, T)`; None where
        it has none.
    species_errors
        How the expected error of a state is shared out among its species; None for a surrogate that was
        calibrated by a chemnet which did not know.
    """

    expected_error: NDArray[np.float32]
    score: NDArray[np.float32]
    solver_steps: NDArray[np.int64] | None = None
    species_errors: SpeciesErrors | None = None

    def within(self, tolerance: float) -> NDArray[np.bool_]:
        """Return which states `(B, T)` are expected to be off by at most `tolerance` [dex]."""
        return self.expected_error <= tolerance

    def by_species(self, abundances: ArrayLike) -> NDArray[np.float32]:
        """Return the error that is expected of each species [dex], `(B, T, S)`; 0 in row 0.

        Parameters
        ----------
        abundances
            What was predicted together with this trust, `(B, T, S)`.

        Raises
        ------
        ModelError
            When the surrogate was calibrated for whole states alone.
        DataError
            When the abundances are others.
        """
        if self.species_errors is None:
            raise ModelError(
                "this surrogate was calibrated for whole states alone, not species by species",
                hint="load the training result that it was saved from, and save it again",
            )
        wanted = (*self.expected_error.shape, len(self.species_errors.factors[0]))
        if np.shape(abundances) != wanted:
            raise DataError(
                f"abundances have the shape {np.shape(abundances)}, this trust is that of {wanted}",
                hint="give what emulate_with_trust returned with it",
            )
        return self.species_errors.expected(self.expected_error, abundances)

    def of_cell(self, cell: int) -> Trust:
        """Return the trust in one cell's states, each array `(T,)`."""
        done = None if self.solver_steps is None else self.solver_steps[cell]
        return replace(
            self, expected_error=self.expected_error[cell], score=self.score[cell], solver_steps=done
        )


@dataclass(frozen=True)
class Calibration:
    """The error to be expected from indicators: a weighted sum of their logarithms, mapped monotonically.

    Attributes
    ----------
    weights
        Of each indicator, by name; never negative for signs of error, so that none can raise trust. Those of
        physical parameters have either sign.
    knots
        Weighted sums, ascending, `(Q,)`: quantiles over the validation split, evenly spaced from 0 to 1.
    errors
        Mean true error at each knot [dex], never falling, `(Q,)`.
    species
        How the expected error is shared out among species; None where that was not calibrated.
    """

    weights: Mapping[str, float]
    knots: tuple[float, ...]
    errors: tuple[float, ...]
    species: SpeciesErrors | None = None

    @property
    def indicators(self) -> tuple[str, ...]:
        """Names of the indicators, in the order of their columns."""
        return tuple(self.weights)

    def warning(self, indicators_BK: Tensor) -> Tensor:
        """Return the weighted sum of the indicators' logarithms, `(B,)`."""
        weights = torch.tensor(list(self.weights.values()), device=indicators_BK.device)
        return indicators_BK.float().clamp_min(SMALLEST_INDICATOR).log() @ weights

    def expected_error(self, indicators_BK: Tensor) -> Tensor:
        """Return the expected error [dex], `(B,)`; it grows on beyond what the validation split held."""
        warning = self.warning(indicators_BK)
        beyond = (warning - self.knots[-1]).clamp_min(0.0)
        return _interpolated(warning, self.knots, self.errors) * beyond.exp()

    def score(self, indicators_BK: Tensor) -> Tensor:
        """Return the share of the validation split that was expected to be worse, `(B,)`."""
        levels = torch.linspace(1.0, 0.0, len(self.knots)).tolist()
        return _interpolated(self.warning(indicators_BK), self.knots, levels)

    def trust(self, indicators_BNK: Tensor, outside_BN: Tensor, with_input: bool) -> Trust:
        """Return the trust in predicted states.

        Parameters
        ----------
        indicators_BNK
            Of each state.
        outside_BN
            Whether it is outside the trained ranges.
        with_input
            Whether the input, which is certain, stands as a row before them.
        """
        expected = self.expected_error(indicators_BNK).masked_fill(outside_BN, torch.inf)
        score = self.score(indicators_BNK).masked_fill(outside_BN, 0.0)
        expected, score = (
            pad(x, (int(with_input), 0), value=of_input) for x, of_input in ((expected, 0.0), (score, 1.0))
        )
        return Trust(expected.cpu().numpy(), score.cpu().numpy(), species_errors=self.species)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        plain = {"weights": dict(self.weights), "knots": list(self.knots), "errors": list(self.errors)}
        return plain if self.species is None else {**plain, "species": self.species.to_dict()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Calibration:
        """Rebuild from `to_dict`'s values."""
        species = SpeciesErrors.from_dict(values["species"]) if "species" in values else None
        return cls(dict(values["weights"]), tuple(values["knots"]), tuple(values["errors"]), species)


def _interpolated(at: Tensor, knots: Any, values: Any) -> Tensor:
    """Return values linear between knots, and those of the first and last knot beyond them."""
    knots_Q, values_Q = torch.tensor(knots, device=at.device), torch.tensor(values, device=at.device)
    right = torch.searchsorted(knots_Q, at.contiguous()).clamp(1, len(knots_Q) - 1)
    low, high = knots_Q[right - 1], knots_Q[right]
    share = ((at - low) / (high - low).clamp_min(1e-12)).clamp(0.0, 1.0)
    return torch.lerp(values_Q[right - 1], values_Q[right], share)

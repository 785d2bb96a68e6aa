"""The part of a surrogate's face that says how far its predictions can be trusted."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chemnet.errors import ModelError
from chemnet.surrogate.bulk.cell_batches import as_given, run
from chemnet.surrogate.input_checks import check_rows
from chemnet.surrogate.questions import Inputs
from chemnet.surrogate.rollout import Rollout, read
from chemnet.surrogate.trust.calibration import Judgement
from chemnet.surrogate.trust.error_signs import Watched
from chemnet.surrogate.trust.trust import Trust
from chemnet.surrogate.wrappers.conserving import Conserving


class Judging:
    """A surrogate's methods of trust; `Surrogate` holds what they work with."""

    name: str
    device: torch.device
    predictor: Conserving
    _inputs: Inputs
    _judge: Callable[[Self], Judgement | None]

    def trust(self, physical: Any, abundances: Any, dt: Any = None, rows: Any = None) -> Trust:
        """Return how far each state of `emulate` can be trusted; takes what that takes.

        Raises
        ------
        DataError
            For input that cannot be used, naming cell and step.
        ModelError
            When this surrogate was never calibrated.
        """
        return self.emulate_with_trust(physical, abundances, dt, rows)[1]

    def emulate_with_trust(
        self, physical: Any, abundances: Any, dt: Any = None, rows: Any = None
    ) -> tuple[Any, Trust]:
        """Return what `emulate` and `trust` return, at the price of one rollout.

        Raises
        ------
        DataError, ModelError
            As `trust`.
        """
        inputs = self._inputs.from_abundances(physical, abundances, dt)
        wanted = torch.from_numpy(check_rows(rows, inputs[1].shape[1]))
        later = wanted[wanted > 0]
        watched, calibration = self.watched, self.judgement.calibration

        def roll(start: Tensor, driving: Tensor, steps: Tensor) -> Tensor:
            states = Rollout(watched).states(watched.start(start), driving, steps)
            return read(states, later, watched.observe)

        observed = run(roll, self.device, torch.zeros(0), *inputs)
        predicted, seen = observed.split([watched.n_species, len(watched.indicators)], dim=-1)
        # the input itself, where its row is wanted
        first = torch.from_numpy(inputs[0]).float()[:, None].expand(-1, len(wanted) - len(later), -1)
        outside = torch.from_numpy(~self._inputs.inside(*inputs))[:, later - 1]
        expected = calibration.expected_error(seen).masked_fill(outside, torch.inf)
        score = calibration.score(seen).masked_fill(outside, 0.0)
        trust = Trust(
            *(_after_input(values, first.shape[1], told) for values, told in ((expected, 0.0), (score, 1.0)))
        )
        return as_given(torch.cat([first, predicted], dim=1), abundances), trust

    @property
    def is_calibrated(self) -> bool:
        """Whether it can say how far it is to be trusted."""
        return self._own_judgement is not None

    @cached_property
    def _own_judgement(self) -> Judgement | None:
        """How it judges its own predictions, if it does; calibrated when that is first asked for."""
        return self._judge(self)

    @property
    def judgement(self) -> Judgement:
        """How it judges its own predictions.

        Raises
        ------
        ModelError
            When it was never calibrated.
        """
        if self._own_judgement is None:
            raise ModelError(
                f"the surrogate {self.name!r} was never calibrated: it cannot say how far to trust it",
                hint="train it on data with validation tracers (preprocess.validate_size)",
            )
        return self._own_judgement

    @property
    def watched(self) -> Watched:
        """What predicts and sees signs of its own error.

        Raises
        ------
        ModelError
            When it was never calibrated.
        """
        known = self.judgement
        return Watched(self.predictor, known.familiar.to(self.device), known.calibration.indicators)


def _after_input(values_BN: Tensor, rows_of_input: int, of_input: float) -> NDArray[np.float32]:
    """Return values of all wanted rows `(B, R)`, that of row 0, the input, being known."""
    return torch.nn.functional.pad(values_BN, (rows_of_input, 0), value=of_input).cpu().numpy()

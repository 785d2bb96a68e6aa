"""What `Surrogate` says of cells along their histories, computed some cells at a time.

Inputs are checked: abundances `(B, S)` or latents `(B, L)`, parameters `(B, T, P)`, time steps `(B, T - 1)`.
Results are arrays, or tensors where `like` is one.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chemnet.models.emulators.steps.step import SOLVER_STEPS
from chemnet.surrogate import input_checks
from chemnet.surrogate.bulk.cell_batches import as_given, run
from chemnet.surrogate.rollout import Rollout, log_solver_steps, read, rollout_states
from chemnet.surrogate.trust.calibration import Judgement
from chemnet.surrogate.trust.error_indicators import MonitoredPredictor
from chemnet.surrogate.trust.expected_error import Trust
from chemnet.surrogate.wrappers.conservation import ConservingPredictor
from chemnet.surrogate.wrappers.surrogate_ensemble import Components, Ensemble

Histories = tuple[input_checks.Array, input_checks.Array, input_checks.Array]


def abundances_along(
    predictor: ConservingPredictor[Components], inputs: Histories, rows: Tensor, like: Any
) -> Any:
    """Return abundances `(B, R, S)` in the wanted rows."""
    return run(partial(Rollout(predictor), rows=rows), predictor.inner.device, like, *inputs)


def latents_along(components: Components, inputs: Histories, like: Any) -> Any:
    """Return latents `(B, T, L)` from latents at the start."""

    def roll(latent: Tensor, physical_BTP: Tensor, dt_BN: Tensor) -> Tensor:
        state = components.begin(latent.float())
        return rollout_states(components, state, physical_BTP, dt_BN)["latent"]

    return run(roll, components.device, like, *inputs)


def spread_along(components: Ensemble, inputs: Histories, rows: Tensor, like: Any) -> Any:
    """Return the standard deviation `(B, R, S)` of the members' log10 abundances [dex] in the wanted rows."""

    def roll(start: Tensor, forcing: Tensor, steps: Tensor) -> Tensor:
        states = rollout_states(components, components.start(start), forcing, steps, rows)
        return read(states, components.spread)

    return run(roll, components.device, like, *inputs)


def trust_along(
    predictor: ConservingPredictor[Components],
    judgement: Judgement,
    inputs: Histories,
    inside: NDArray[Any],
    rows: Tensor,
    like: Any,
) -> tuple[Any, Trust]:
    """Return abundances `(B, R, S)` in the wanted rows and how far they can be trusted, by one rollout.

    `inside` says of each step `(B, T - 1)` whether it is in the trained ranges.
    """
    later = rows[rows > 0]
    with_input = len(later) < len(rows)
    monitored = monitored_predictor(predictor, judgement)

    def roll(start: Tensor, forcing: Tensor, steps: Tensor) -> Tensor:
        states = rollout_states(monitored, monitored.start(start), forcing, steps, later)
        log_solver_steps(states, later)
        done = states.get(SOLVER_STEPS)
        observed = read(states, monitored.observe)
        return observed if done is None else torch.cat([observed, done[..., None].to(observed)], dim=-1)

    observed = run(roll, predictor.inner.device, torch.zeros(0), *inputs)
    n_species, n_indicators = monitored.n_species, len(monitored.indicators)
    predicted, indicators, done = observed.tensor_split([n_species, n_species + n_indicators], dim=-1)
    outside = torch.from_numpy(~inside)[:, later - 1]
    start = torch.from_numpy(inputs[0]).float()[:, None].expand(-1, int(with_input), -1)
    emulated = as_given(torch.cat([start, predicted], dim=1), like)
    trust = judgement.calibration.trust(indicators, outside, with_input)
    if done.shape[-1]:
        counted = np.pad(done[..., 0].cpu().numpy().astype(np.int64), ((0, 0), (int(with_input), 0)))
        trust = replace(trust, solver_steps=counted)
    return emulated, trust


def monitored_predictor(
    predictor: ConservingPredictor[Components], judgement: Judgement
) -> MonitoredPredictor:
    """Return a predictor with the indicators of error that it was calibrated with."""
    reference = judgement.reference.to(predictor.inner.device)
    return MonitoredPredictor(predictor, reference, judgement.calibration.indicators)

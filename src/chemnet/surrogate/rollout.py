"""Autoregressive use of a one-step predictor."""

from __future__ import annotations

import torch
from torch import Tensor

from chemnet.surrogate.predictor import Predictor, State


class Rollout:
    """Carry cells along their histories, each state predicted from the one before.

    Parameters
    ----------
    predictor
        What advances a state by one step.
    """

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor

    def __call__(self, abundance_BS: Tensor, physical_BTP: Tensor, dt_BN: Tensor) -> Tensor:
        """Return abundances `(B, T, S)` along the histories; row 0 is the input.

        Parameters
        ----------
        abundance_BS
            Abundances at step 0, relative to H nuclei.
        physical_BTP
            Physical parameters in their own units; row i drives the step from i to i + 1.
        dt_BN
            Length of the T - 1 steps [yr].
        """
        start = abundance_BS[:, None].float()
        if physical_BTP.shape[1] == 1:
            return start
        states = self.states(self.predictor.start(abundance_BS), physical_BTP, dt_BN)
        later = {name: values[:, 1:].flatten(0, 1) for name, values in states.items()}
        predicted = self.predictor.abundance(later).unflatten(0, (len(start), dt_BN.shape[1]))
        return torch.cat([start, predicted.float()], dim=1)

    def states(self, state: State, physical_BTP: Tensor, dt_BN: Tensor) -> State:
        """Return the predictor's states `(B, T, ...)`, the given one first."""
        states = [state]
        for i in range(physical_BTP.shape[1] - 1):
            states.append(self.predictor.step(states[-1], physical_BTP[:, i], dt_BN[:, i]))
        return {name: torch.stack([one[name] for one in states], dim=1) for name in state}

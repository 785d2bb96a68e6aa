"""How an emulator sees the length of a time step, and how far a state may move in one.

Shapes: any leading axes; `dt` in years.

    r = dt / usual dt        features: log10 r        gate: 2 r / (1 + r)

The gate multiplies an emulator's change of state, so the map is the identity at dt -> 0, moves in proportion
to short steps, by the whole change at the usual step and by twice that at most. An emulator for steps of one
length needs none of it: `FixedStep` sees nothing and lets every change pass.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from chemnet.models.layers import spread

# shortest relative time step that the logarithm tells apart
_SHORTEST = 1e-6


class FixedStep(nn.Module):
    """Every step counts as the usual one.

    Attributes
    ----------
    n_features
        Width of `features`.
    usual
        The usual time step of the training data [yr], which other steps are measured by.
    """

    n_features = 0
    usual: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("usual", torch.ones(()))

    def learn(self, dt: Tensor) -> None:
        """Take the median of the time steps `(rows,)` of the training split as the usual one."""
        steps = dt[dt > 0]
        if len(steps):
            self.usual.copy_(spread(steps).median())

    def relative(self, dt: Tensor) -> Tensor:
        """Return the time step in units of the usual one, `(...)`."""
        return torch.ones_like(dt)

    def features(self, dt: Tensor) -> Tensor:
        """Return what a network is given of the time step, `(..., n_features)`."""
        return dt.new_zeros(*dt.shape, 0)

    def gate(self, dt: Tensor) -> Tensor:
        """Return the factor of the change in a step, ``2 r / (1 + r)``, `(..., 1)`."""
        relative = self.relative(dt)[..., None]
        return 2.0 * relative / (1.0 + relative)


class VariableStep(FixedStep):
    """Steps of any length, in units of the usual one; the network is given the logarithm."""

    n_features = 1

    def relative(self, dt: Tensor) -> Tensor:
        """Return ``dt / usual``, `(...)`."""
        return dt / self.usual

    def features(self, dt: Tensor) -> Tensor:
        """Return the decimal logarithm of the relative step, `(..., 1)`."""
        return self.relative(dt).clamp_min(_SHORTEST).log10()[..., None]


def time_step(use_dt: bool) -> FixedStep:
    """Return the treatment of time steps that a model's key ``use_dt`` asks for."""
    return VariableStep() if use_dt else FixedStep()

"""What corrects one implicit Euler step: gates between the iterate, its scaled increment and a relaxation.

Shapes: B cells, S species, F features of the physical parameters.

    z = (x - centre) / width            x scaled abundances before the step, y those of the iterate
    d = decades (y - x)                 increment of the iterate [dex]
    c, k, g, a, e = f([z, z of y, squashed d, features, signs of the iterations])

    relaxed     r = centre + width (c + (z - c) exp(-t softplus k))       t = dt / usual dt
    increment   e = x + q(d) exp(tanh a) / decades      where abs(d) < 1 dex, else y;  q(d) = 3 tanh(d / 3)
    result      r + sigmoid(g) (e - r)

An iterate that has converged is right in nearly every species, and the gate then passes it on; what the
first-order step cannot know (what happens faster than the step is long) comes from the perceptron. The last
output is the logarithm of the row's expected error, which says where more work is worth its price.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

# increments [dex] are squashed to less than this
_LARGEST_INCREMENT = 3.0
# beyond this [dex] an increment is not scaled: there the iterate itself counts
_SCALED_INCREMENT = 1.0
# increments are shown on a scale that is linear below this and logarithmic above [dex]
_SHOWN_INCREMENT = 0.03
# at the start of training 88 % of a result is the scaled increment, and exp(-softplus(-2)) of a state is kept
_FIRST_GATE, _FIRST_RATE, _FIRST_GAIN = 2.0, -2.0, 0.3
# errors below this are not told apart [dex]
_SMALLEST_ERROR = 1e-5
# log10 of the expected error [dex] at the start
_FIRST_ERROR = -2.0
N_SIGNS = 2
"""Numbers that say how the iterations went; see `signs`."""


class ImplicitCorrection(nn.Module):
    """Perceptron with two hidden layers, the second a residual one, and the gates of its output.

    Parameters
    ----------
    n_species, n_features
        S and F.
    hidden
        Width of both hidden layers.
    decades
        Range of the scaled abundances [dex].
    """

    centre: Tensor
    width: Tensor

    def __init__(self, n_species: int, n_features: int, hidden: int, decades: float) -> None:
        super().__init__()
        self.n_species, self.decades = n_species, decades
        self.first = nn.Linear(3 * n_species + n_features + N_SIGNS, hidden)
        self.second = nn.Linear(hidden, hidden)
        self.last = nn.Linear(hidden, 4 * n_species)
        self.error = nn.Linear(hidden, 1)
        self.register_buffer("centre", torch.zeros(n_species))
        self.register_buffer("width", torch.ones(n_species))
        with torch.no_grad():
            self.last.weight.mul_(_FIRST_GAIN)
            bias = self.last.bias.zero_().view(4, n_species)
            bias[1], bias[2] = _FIRST_RATE, _FIRST_GATE
            self.error.bias.fill_(_FIRST_ERROR)

    def forward(
        self, before: Tensor, iterate: Tensor, features: Tensor, signs: Tensor, relative_dt: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return scaled abundances after the step `(B, S)`, and log10 of their expected mean error `(B,)`.

        Parameters
        ----------
        before, iterate
            Scaled abundances before the step and after the iterations, `(B, S)`.
        features
            `(B, F)`, of the physical parameters of the step.
        signs
            `(B, 2)`, of `signs`.
        relative_dt
            Time steps in units of the usual one, `(B,)`.
        """
        increment = self.decades * (iterate - before)
        z, after = ((x - self.centre) / self.width for x in (before, iterate))
        shown = torch.asinh(increment / _SHOWN_INCREMENT)
        hidden = functional.silu(self.first(torch.cat([z, after, shown, features, signs], dim=-1)))
        hidden = hidden + functional.silu(self.second(hidden))
        target, rate, gate, gain = self.last(hidden).unflatten(-1, (4, self.n_species)).unbind(-2)
        kept = torch.exp(-relative_dt[:, None] * functional.softplus(rate))
        relaxed = self.centre + self.width * torch.lerp(target, z, kept)
        squashed = _LARGEST_INCREMENT * torch.tanh(increment / _LARGEST_INCREMENT)
        scaled = before + squashed * torch.exp(torch.tanh(gain)) / self.decades
        corrected = torch.where(increment.abs() < _SCALED_INCREMENT, scaled, iterate)
        result = torch.lerp(relaxed, corrected, torch.sigmoid(gate))
        return result, self.error(hidden).squeeze(-1)


class NoCorrection(nn.Module):
    """In place of `ImplicitCorrection`: the iterate as it is, of which no error is expected."""

    def forward(
        self, before: Tensor, iterate: Tensor, features: Tensor, signs: Tensor, relative_dt: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the iterate `(B, S)`, and minus infinity `(B,)`."""
        return iterate, torch.full_like(relative_dt, -torch.inf)


def signs(update: Tensor, iterations: Tensor) -> Tensor:
    """Return what a network sees of the iterations, `(B, 2)`.

    Parameters
    ----------
    update
        Size of the last update, `(B,)` [dex].
    iterations
        Their number, `(B,)`.
    """
    return torch.stack([update.clamp(1e-6, 10.0).log10(), iterations / 4.0 - 1.0], dim=-1)


def log_error_loss(log_error: Tensor, dex: Tensor) -> Tensor:
    """Return the mean square of what the logarithms of expected errors `(B,)` miss those of true ones by.

    Parameters
    ----------
    log_error
        Predicted log10 of the error [dex].
    dex
        Mean error of each row [dex].
    """
    return (log_error - dex.detach().clamp_min(_SMALLEST_ERROR).log10()).square().mean()

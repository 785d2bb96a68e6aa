"""Autoencoder with tied weights: many abundances to a few latents and back.

Shapes: B rows, S species, L latents, h1, h2, ... hidden widths.

    encode  S -> h1 -> h2 -> L     linear, normalisation, activation; dropout before the bottleneck
    decode  L -> h2 -> h1 -> S     the transposed weights with normalisation (or biases) of their own

It follows the autoencoder of AstroChemNet and mends what is known to be weak there: the bottleneck has no
activation (GELU gave every latent a hard minimum), the output is linear (a sigmoid cannot reach the abundance
floor), no bias stands before a normalisation that would cancel it, and noise and dropout, under which
BatchNorm would learn statistics that hold in training only, are off by default. `[model.Autoencoder]` can
bring each of them back.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from chemnet.config import ConfigDict
from chemnet.errors import ConfigError, suggest
from chemnet.models import losses
from chemnet.models.autoencoders.autoencoder_base import AutoencoderBase
from chemnet.models.contract import Batch, StepResult, TrainingRows
from chemnet.models.fast.gelu import through
from chemnet.models.fast.norm_gelu import normalised
from chemnet.models.layers import (
    FullPrecisionLinear,
    activation,
    folded,
    full_precision_linear,
    linear,
    normalisation,
)
from chemnet.registry import chem_model

if TYPE_CHECKING:
    from chemnet.data.preprocessed import DataDescription

OUTPUTS = ("linear", "sigmoid")
# keeps the logit of the mean abundance finite where a species is always at the floor
_SIGMOID_MARGIN = 1e-3


@chem_model
class Autoencoder(AutoencoderBase):
    """Tied-weight autoencoder of scaled abundances.

    Parameters
    ----------
    config
        Reads ``[model.Autoencoder]``.
    data
        Gives the number of species.
    """

    def __init__(self, config: ConfigDict, data: DataDescription) -> None:
        table = config["model"]["Autoencoder"]
        if table["output"] not in OUTPUTS:
            raise ConfigError(
                f"model.Autoencoder.output = {table['output']!r}", hint=suggest(table["output"], OUTPUTS)
            )
        super().__init__(config, data, table["latent_dim"])
        self.output, self.latent_noise = table["output"], table["latent_noise"]
        widths = (data.n_species, *table["hidden"], self.latent_dim)
        self.weights = nn.ParameterList(_tied_weights(widths))
        self.encoder_norms = nn.ModuleList(_norms(table["norm"], widths[1:-1]))
        self.latent_norm = _latent_norm(table["norm"], self.latent_dim)
        self.decoder_norms = nn.ModuleList(_norms(table["norm"], widths[-2:0:-1]))
        # a normalisation without shift of its own would cancel a bias, so only its absence calls for one
        self.hidden_biases = nn.ParameterList(
            torch.zeros(width) for width in (*widths[1:-1], *widths[-2:0:-1]) if table["norm"] == "none"
        )
        self.output_bias = nn.Parameter(torch.zeros(data.n_species))
        self.activation = activation(table["activation"])
        self.latent_activation = activation(table["latent_activation"])
        self.dropout = nn.Dropout(table["dropout"])

    def forward(self, batch: Batch) -> Tensor:
        """Return the reconstruction `(B, S)`, scaled; in training with noise on the latents."""
        return self._reconstruct(self._noisy_bottleneck(batch["abundance"]))

    def train_batch(self, batch: Batch) -> StepResult:
        """Return the criterion's loss of the reconstruction, with its terms.

        The criterion is given the last hidden layer and the output's weights: one that can needs no
        reconstruction to be held.
        """
        if self.output != "linear" or type(self).forward is not Autoencoder.forward:
            return super().train_batch(batch)
        target = batch["abundance"]
        hidden = self._last_hidden(self._noisy_bottleneck(target))
        return losses.apply_to_linear(self.criterion, hidden, self.weights[0].T, self.output_bias, target)

    def encode(self, abundance: Tensor) -> Tensor:
        """Return the latents `(..., L)` of scaled abundances `(..., S)`; training data fill about [0, 1]."""
        # BatchNorm knows rows only
        rows = abundance.reshape(-1, abundance.shape[-1])
        latent = (self._bottleneck(rows) - self.latent_low) / (self.latent_high - self.latent_low)
        return latent.reshape(*abundance.shape[:-1], -1)

    def decode(self, latent: Tensor) -> Tensor:
        """Return scaled abundances `(..., S)` of latents `(..., L)`, which may leave [0, 1] a little."""
        rows = latent.reshape(-1, self.latent_dim)
        scaled = self._reconstruct(self.latent_low + rows * (self.latent_high - self.latent_low))
        return scaled.reshape(*latent.shape[:-1], -1)

    def before_training(self, training: TrainingRows) -> None:
        """Start the output at the mean abundances of the training split, instead of half-way up the scale."""
        total, rows = torch.zeros_like(self.output_bias, dtype=torch.float64), 0
        for batch in training.row_batches():
            total += batch["abundance"].sum(0, dtype=torch.float64)
            rows += len(batch["abundance"])
        mean = total / rows
        if self.output == "sigmoid":
            mean = torch.logit(mean.clamp(_SIGMOID_MARGIN, 1.0 - _SIGMOID_MARGIN))
        with torch.no_grad():
            self.output_bias.copy_(mean)

    def after_training(self, training: TrainingRows) -> None:
        """Scale each latent by its own robust range over the training split, for the kept weights."""
        self.learn_range(training, self._bottleneck)

    def for_inference(self) -> FoldedAutoencoder:
        """Return the same map with BatchNorm and latent scaling folded into the linear layers."""
        return FoldedAutoencoder(self)

    def _bottleneck(self, abundance: Tensor) -> Tensor:
        """Return the latents before scaling, `(..., L)`."""
        hidden = abundance
        for k, norm in enumerate(self.encoder_norms):
            hidden = functional.linear(hidden, self.weights[k], self._bias(k))
            hidden = normalised(hidden, norm, self.activation)
        hidden = functional.linear(self.dropout(hidden), self.weights[-1])
        return self.latent_activation(self.latent_norm(hidden))

    def _noisy_bottleneck(self, abundance: Tensor) -> Tensor:
        """Return the latents before scaling, `(..., L)`, in training with noise."""
        raw = self._bottleneck(abundance)
        if self.training and self.latent_noise:
            raw = raw + self.latent_noise * torch.randn_like(raw)
        return raw

    def _last_hidden(self, raw: Tensor) -> Tensor:
        """Return what the output layer is given for unscaled latents `(..., L)`."""
        hidden, n_hidden = raw, len(self.decoder_norms)
        for k, norm in enumerate(self.decoder_norms):
            hidden = functional.linear(hidden, self.weights[n_hidden - k].T, self._bias(n_hidden + k))
            hidden = normalised(hidden, norm, self.activation)
        return self.dropout(hidden)

    def _reconstruct(self, raw: Tensor) -> Tensor:
        """Return the reconstruction `(..., S)` of unscaled latents `(..., L)`."""
        out = full_precision_linear(self._last_hidden(raw), self.weights[0].T, self.output_bias)
        return torch.sigmoid(out) if self.output == "sigmoid" else out

    def _bias(self, k: int) -> Tensor | None:
        """Return the bias of hidden layer `k`, encoder first; None where a normalisation follows."""
        return self.hidden_biases[k] if len(self.hidden_biases) else None


class FoldedAutoencoder(nn.Module):
    """An autoencoder in the form that inference and emulators use: frozen, one matrix product per layer.

    Parameters
    ----------
    model
        The trained autoencoder; later changes to it are not seen.
    """

    role = "autoencoder"
    feed = "rows"

    def __init__(self, model: Autoencoder) -> None:
        super().__init__()
        self.latent_dim = model.latent_dim
        self.encoder = nn.Sequential(*_encoder_layers(model))
        self.decoder = nn.Sequential(*_decoder_layers(model))
        self.eval().requires_grad_(False)

    def forward(self, batch: Batch) -> Tensor:
        """Return the reconstruction `(B, S)`, scaled."""
        return self.decode(self.encode(batch["abundance"]))

    def infer_batch(self, batch: Batch) -> dict[str, Tensor]:
        """Return the latents `(B, L)`, as `Autoencoder.infer_batch`."""
        return {"latent": self.encode(batch["abundance"])}

    def encode(self, abundance: Tensor) -> Tensor:
        """Return the latents `(..., L)` of scaled abundances `(..., S)`."""
        return through(self.encoder, abundance)

    def decode(self, latent: Tensor) -> Tensor:
        """Return scaled abundances `(..., S)` of latents `(..., L)`."""
        return through(self.decoder, latent)


def _encoder_layers(model: Autoencoder) -> list[nn.Module]:
    """Return the encoder with BatchNorm and, where nothing stands between, the latent scaling folded in."""
    layers: list[nn.Module] = []
    for k, norm in enumerate(model.encoder_norms):
        layers += [*folded(model.weights[k], model._bias(k), norm), model.activation]
    last = folded(model.weights[-1], None, model.latent_norm)
    gain = 1.0 / (model.latent_high - model.latent_low).double()
    offset = -model.latent_low.double() * gain
    if isinstance(model.latent_activation, nn.Identity) and isinstance(last[-1], nn.Linear):
        weight, bias = last[-1].weight.double(), last[-1].bias.double()
        return [*layers, linear(weight * gain[:, None], bias * gain + offset)]
    return [*layers, *last, model.latent_activation, linear(torch.diag(gain), offset)]


def _decoder_layers(model: Autoencoder) -> list[nn.Module]:
    """Return the decoder with the latent scaling and BatchNorm folded in."""
    n_hidden = len(model.decoder_norms)
    layers: list[nn.Module] = []
    width, low = (model.latent_high - model.latent_low).double(), model.latent_low.double()
    for k, norm in enumerate(model.decoder_norms):
        weight, bias = model.weights[n_hidden - k].detach().double().T, model._bias(n_hidden + k)
        if k == 0:
            shift = weight @ low
            weight, bias = weight * width, shift if bias is None else bias + shift
        layers += [*folded(weight, bias, norm), model.activation]
    weight, bias = model.weights[0].detach().double().T, model.output_bias
    if n_hidden == 0:
        weight, bias = weight * width, bias + weight @ low
    layers.append(FullPrecisionLinear(*folded(weight, bias, nn.Identity())))
    return [*layers, nn.Sigmoid()] if model.output == "sigmoid" else layers


def _tied_weights(widths: Sequence[int]) -> list[nn.Parameter]:
    """Return one matrix `(n_out, n_in)` per encoder layer, initialised as PyTorch's linear layers."""
    # nn.Linear's own type of `weight` is Tensor
    return [nn.Parameter(nn.Linear(n_in, n_out, bias=False).weight) for n_in, n_out in pairwise(widths)]


def _norms(name: str, widths: Sequence[int]) -> list[nn.Module]:
    return [normalisation(name, width) for width in widths]


def _latent_norm(name: str, latent_dim: int) -> nn.Module:
    """Return the bottleneck's normalisation: unit variance per latent, so that the noise level has a meaning.

    It has no gain to learn: one could drown the noise in it. LayerNorm would couple the latents, so it is
    left out.
    """
    return nn.BatchNorm1d(latent_dim, affine=False) if name == "batch" else nn.Identity()

"""A one-step predictor that computes by fused rollouts and maps wherever there are some."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from chemnet.errors import ModelError
from chemnet.progress import get_logger
from chemnet.surrogate.engine.cuda_graphs import recorded_or_none
from chemnet.surrogate.engine.fused_codec import Coder, fused_decoder, fused_encoder
from chemnet.surrogate.engine.fused_rollouts import FusedRollout, Stepping, fused_rollout
from chemnet.surrogate.predictor import ComponentPredictor, State, gradients_wanted
from chemnet.surrogate.rollout import stepwise

_log = get_logger(__name__)
_CPU = torch.device("cpu")
# steps that are worth the recording of a CUDA graph
_FEWEST_TO_RECORD = 16


class FusedPredictor(ComponentPredictor):
    """Encodes, advances and decodes as `ComponentPredictor` does, to the rounding of float32, only faster.

    On the CPU rollouts, encoders and decoders are compiled loops around BLAS; on a GPU rollouts replay one
    recorded step. What has no such form falls back to PyTorch, and so do values with gradients.

    Parameters
    ----------
    parts
        The networks; later changes to their weights are not seen.
    """

    _is_recordable = True

    def rollout(self, state: State, physical_BTP: Tensor, dt_BN: Tensor, rows: Tensor) -> State:
        """Return the states `(B, R, ...)` in the wanted rows; see `rollout_states`."""
        if not len(rows) or gradients_wanted(*state.values(), physical_BTP, dt_BN):
            return stepwise(self, state, physical_BTP, dt_BN, rows)
        if self.fused is not None and physical_BTP.device == _CPU:
            return self.fused.states(state, physical_BTP, dt_BN, rows.cpu().numpy())
        if physical_BTP.device.type == "cuda" and self._is_recordable and int(rows[-1]) >= _FEWEST_TO_RECORD:
            recorded = recorded_or_none(self, state, physical_BTP, dt_BN, rows)
            if recorded is not None:
                return recorded
            self._is_recordable = False
        return stepwise(self, state, physical_BTP, dt_BN, rows)

    def step(self, state: State, physical_BP: Tensor, dt_B: Tensor) -> State:
        """Return the state after one step."""
        if not self.is_fused(physical_BP.device) or gradients_wanted(*state.values(), physical_BP, dt_B):
            return super().step(state, physical_BP, dt_B)
        states = self.rollout(state, physical_BP[:, None], dt_B[:, None], torch.ones(1, dtype=torch.int64))
        return {name: values[:, 0] for name, values in states.items()}

    def encode(self, abundance: Tensor) -> Tensor:
        """Return latents `(..., L)` of abundances `(..., S)`."""
        if self.encoder is None or abundance.device != _CPU or gradients_wanted(abundance):
            return super().encode(abundance)
        return self.encoder(abundance)

    def decode(self, latent: Tensor) -> Tensor:
        """Return abundances `(..., S)` of latents `(..., L)`, inside the scaled range."""
        if self.decoder is None or latent.device != _CPU or gradients_wanted(latent):
            return super().decode(latent)
        return self.decoder(latent)

    def is_fused(self, device: torch.device) -> bool:
        """Return whether rollouts on a device are fused."""
        return device == _CPU and self.fused is not None

    def stepper(self, state: State) -> Stepping:
        """Return what advances cells from a state in place; see `FusedRollout.stepper`."""
        if self.fused is None:
            raise ModelError(f"{type(self.emulator).__name__} has no fused rollout", hint="use step")
        return self.fused.stepper(state)

    def decoder_of(self, species: Sequence[int]) -> Coder:
        """Return a decoder of some species alone, columns in their order."""
        fused = fused_decoder(self._decoder, self.data.abundance_scaling, species)
        columns = torch.as_tensor(list(species))

        def decode(values: Tensor, out: Tensor | None = None) -> Tensor:
            if fused is not None and values.device == _CPU:
                return fused(values, out)
            chosen = self.decode(values)[..., columns.to(values.device)]
            return chosen if out is None else out.copy_(chosen)

        return decode

    @cached_property
    def fused(self) -> FusedRollout | None:
        """The fused rollout, if the emulator has one."""
        found = fused_rollout(self.emulator, self.data)
        if found is None:
            _log.info("%s has no fused rollout: PyTorch advances the cells", type(self.emulator).__name__)
        return found

    @cached_property
    def encoder(self) -> Coder | None:
        """The fused encoder, if there is one."""
        return fused_encoder(self._encoder, self.data.abundance_scaling)

    @cached_property
    def decoder(self) -> Coder | None:
        """The fused decoder, if there is one."""
        return fused_decoder(self._decoder, self.data.abundance_scaling)

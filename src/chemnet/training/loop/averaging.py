"""An exponential moving average of the weights: smoother than any single step's, often better on unseen data.

Training goes on with the plain weights; validation, the best weights and the result hold the average.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from ignite.engine import Engine, Events
from torch import Tensor, nn

from chemnet.training.loop.session import Session

# buffers of BatchNorm that belong to the weights that they were taken with
_STATISTICS = ("running_mean", "running_var")


# not Ignite's EMAHandler: it holds a second model, frozen weights included, that no resume state has
class AverageWeights:
    """Move the average towards the weights after each step, by ``1 - train.ema_decay`` of the way.

    The first steps move it further, or the random start would linger: the decay is at most
    ``(1 + n) / (10 + n)`` at step n, as in TensorFlow's `ExponentialMovingAverage`.
    """

    def __init__(self, session: Session) -> None:
        self.session = session

    def attach(self, trainer: Engine) -> None:
        """Begin with the weights as they are, or with the average of a resumed run."""
        self.session.state.averaged_weights = {
            name: self.session.state.averaged_weights.get(name, tensor).to(tensor.device, copy=True)
            for name, tensor in averaged_tensors(self.session.model).items()
        }
        if self.session.state.averaged_weights:
            trainer.add_event_handler(Events.ITERATION_COMPLETED, self.update)

    def update(self) -> None:
        """Update the average after a step."""
        state = self.session.state
        state.averaged_steps += 1
        decay = min(self.session.table["ema_decay"], (1 + state.averaged_steps) / (10 + state.averaged_steps))
        current = averaged_tensors(self.session.model)
        torch._foreach_lerp_(
            list(state.averaged_weights.values()),
            [current[name] for name in state.averaged_weights],
            1.0 - decay,
        )


def averaged_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Return what is averaged: the trainable weights, and the statistics that BatchNorm took with them."""
    weights = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
    statistics = {name: b for name, b in model.named_buffers() if name.rpartition(".")[2] in _STATISTICS}
    return weights | statistics


@contextmanager
def averaged(session: Session) -> Iterator[None]:
    """Give the model the averaged weights inside the block, if any, and its own afterwards."""
    average = session.state.averaged_weights
    if not average:
        yield
        return
    current = averaged_tensors(session.model)
    own = {name: tensor.clone() for name, tensor in current.items()}
    _copy(average, current)
    try:
        yield
    finally:
        _copy(own, current)


def restart_average(session: Session) -> None:
    """Restart the average at the model's weights, after these were replaced."""
    _copy(averaged_tensors(session.model), session.state.averaged_weights)


def _copy(source: dict[str, Tensor], target: dict[str, Tensor]) -> None:
    """Copy values in place: optimizers and compiled steps keep pointing to the tensors of `target`."""
    with torch.no_grad():
        for name, tensor in target.items():
            tensor.copy_(source[name])

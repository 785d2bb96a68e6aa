"""Summary of a model: parameters with shapes, and layers in the order of their calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from chemnet.models.contract import Batch, ChemModel, evaluating
from chemnet.text_tables import aligned


@dataclass(frozen=True)
class ModelSummary:
    """The parts of a model.

    Attributes
    ----------
    name, role, feed
        Its class, its part in a surrogate, and what it is fed with.
    parameters
        Name and shape of each trainable parameter.
    layers
        Name, kind and output shape of each layer, in the order of the first calls.
    inputs, outputs
        Shapes of one batch and of what inference makes of it.
    """

    name: str
    role: str
    feed: str
    parameters: dict[str, tuple[int, ...]]
    layers: list[tuple[str, str, tuple[int, ...]]]
    inputs: dict[str, tuple[int, ...]]
    outputs: dict[str, tuple[int, ...]]

    @property
    def n_parameters(self) -> int:
        """Number of trainable numbers."""
        return sum(_count(shape) for shape in self.parameters.values())

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as JSON can hold it."""
        return {
            "name": self.name,
            "role": self.role,
            "feed": self.feed,
            "n_parameters": self.n_parameters,
            "parameters": {name: list(shape) for name, shape in self.parameters.items()},
            "layers": [
                {"name": name, "kind": kind, "output": list(shape)} for name, kind, shape in self.layers
            ],
            "inputs": {name: list(shape) for name, shape in self.inputs.items()},
            "outputs": {name: list(shape) for name, shape in self.outputs.items()},
        }

    def __str__(self) -> str:
        lines = [f"{self.name}: role {self.role}, fed by {self.feed}, {self.n_parameters:,} parameters", ""]
        sizes = [(name, _words(shape), f"{_count(shape):,}") for name, shape in self.parameters.items()]
        lines += aligned(sizes, right={2})
        lines += ["", "layers in the order of their calls, with output shapes", ""]
        lines += aligned([(name, kind, _words(shape)) for name, kind, shape in self.layers], right={2})
        for title, shapes in (("batch", self.inputs), ("inference", self.outputs)):
            lines += [
                "",
                f"{title}: " + ", ".join(f"{name} {_words(shape)}" for name, shape in shapes.items()),
            ]
        return "\n".join(lines)


def summarise_model(model: ChemModel, name: str, batch: Batch) -> ModelSummary:
    """Return the summary of a model, from one inference step on a sample batch."""
    layers: dict[str, tuple[str, str, tuple[int, ...]]] = {}
    hooks = [
        layer.register_forward_hook(_recorder(layers, layer_name))
        for layer_name, layer in model.named_modules()
        if layer_name and not list(layer.children())
    ]
    try:
        with evaluating(model):
            model(batch)
            outputs = model.infer_batch(batch)
    finally:
        for hook in hooks:
            hook.remove()
    return ModelSummary(
        name=name,
        role=model.role,
        feed=model.feed,
        parameters={
            key: tuple(value.shape) for key, value in model.named_parameters() if value.requires_grad
        },
        layers=list(layers.values()),
        inputs=_shapes(batch),
        outputs=_shapes(outputs),
    )


def _recorder(layers: dict[str, tuple[str, str, tuple[int, ...]]], name: str) -> Any:
    """Return a hook that notes a layer at its first call."""

    def note(layer: nn.Module, inputs: Any, output: Any) -> None:
        if name not in layers and isinstance(output, Tensor):
            layers[name] = (name, type(layer).__name__, tuple(output.shape))

    return note


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def _count(shape: tuple[int, ...]) -> int:
    return int(torch.Size(shape).numel())


def _words(shape: tuple[int, ...]) -> str:
    return "(" + ", ".join(map(str, shape)) + ")"

"""Weights on disk: safetensors, checked name by name and shape by shape; nothing is ever executed."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from chemnet.errors import ModelError
from chemnet.results.digests import content_digest

BEST_WEIGHTS = "weights.safetensors"
LAST_WEIGHTS = "weights_last.safetensors"
# where the digest of what it holds stands in a file's metadata: a hidden run has no result.toml yet
_DIGEST = "digest"


def weights_file(which: str) -> str:
    """Return the name of the file that holds the ``"best"`` or the ``"last"`` weights."""
    return {"best": BEST_WEIGHTS, "last": LAST_WEIGHTS}[which]


def save(self: nn.Module, path: str | Path) -> None:
    """Write the weights to a `.safetensors` file, whole or not at all."""
    write_tensors(path, self.state_dict())


def load_weights(self: nn.Module, path: str | Path) -> None:
    """Read the weights from a `.safetensors` file.

    Raises
    ------
    ModelError
        When the file is missing or damaged, or its tensors do not fit; the message names each with both
        shapes.
    """
    self.load_state_dict(fitted(read_tensors(path), self.state_dict(), str(path)))


def write_tensors(
    path: str | Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> None:
    """Write named tensors as safetensors, atomically: a reader sees the old file or the new one."""
    from safetensors.torch import save_file

    path = Path(path)
    hidden = path.with_name(f".{path.name}.new")
    # a copy each: safetensors refuses tensors that share memory, as tied weights do
    detached = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in tensors.items()
    }
    told = dict(metadata or {})
    save_file(detached, hidden, metadata={**told, _DIGEST: _digest(detached, told)})
    with hidden.open("rb") as stream:
        os.fsync(stream.fileno())
    hidden.replace(path)


def read_tensors(path: str | Path) -> dict[str, Tensor]:
    """Return the named tensors of a safetensors file.

    Raises
    ------
    ModelError
        When the file is missing or damaged.
    """
    return read_described_tensors(path)[0]


def read_described_tensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return what `read_tensors` does, and the metadata beside it.

    Raises
    ------
    ModelError
        When the file is missing or damaged.
    """
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import load_file

    path = Path(path)
    if not path.is_file():
        raise ModelError(
            f"no weights file {path}", hint="name a .safetensors file, or a training result that has one"
        )
    try:
        tensors = load_file(path)
        with safe_open(path, framework="pt") as file:
            told = dict(file.metadata() or {})
    except SafetensorError as error:
        raise ModelError(
            f"{path} is no whole safetensors file: {error}", hint="train the model again"
        ) from error
    # files of others, and of an older chemnet, have no digest
    if told.pop(_DIGEST, None) not in (None, _digest(tensors, told)):
        raise ModelError(f"{path} changed after it was written (other digest)", hint="train the model again")
    return tensors, told


def _digest(tensors: Mapping[str, Tensor], told: Mapping[str, str]) -> str:
    """Return the digest of tensors, their names and what is told beside them."""

    def parts() -> Iterator[Any]:
        yield json.dumps(told, sort_keys=True).encode()
        for name, tensor in sorted(tensors.items()):
            yield f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode()
            yield tensor.reshape(-1).view(torch.uint8).numpy()

    return content_digest(parts())


def fitted(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor], source: str) -> dict[str, Tensor]:
    """Return tensors of a file under the names of `wanted`; raise `ModelError` unless they fit.

    Those of a criterion are left out where the model has none.
    """
    tensors = {
        name: tensor
        for name, tensor in renamed(found, wanted).items()
        if name in wanted or "criterion" not in name.split(".")
    }
    check_shapes(tensors, wanted, source)
    return tensors


def renamed(found: Mapping[str, Tensor], wanted: Iterable[str]) -> dict[str, Tensor]:
    """Return tensors with those that chemnet 0.1.0 called otherwise under the names `wanted` now.

    Until then an emulator's tensors were named without the part that holds them, its space or its step.
    """
    names = set(wanted)
    today = {_name_in_0_1_0(name): name for name in names}
    return {name if name in names else today.get(name, name): tensor for name, tensor in found.items()}


def _name_in_0_1_0(name: str) -> str:
    """Return what chemnet 0.1.0 called a tensor."""
    name = re.sub(r"\bstep\.from_forcing\b", "relaxation.from_drive", name)
    name = re.sub(r"\bstep\.(from_latent|layers)\b", r"relaxation.\1", name)
    return re.sub(r"\b(step|space)\.", "", name)


def check_shapes(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor], source: str) -> None:
    """Raise `ModelError` unless `found` has the names and shapes of `wanted`."""
    faults = [
        f"'{name}' is {_shape(found.get(name))} in the file and {_shape(wanted.get(name))} in the model"
        for name in dict.fromkeys([*wanted, *found])
        if _shape(found.get(name)) != _shape(wanted.get(name))
    ]
    if faults:
        more = f"; and {len(faults) - 4} more" if len(faults) > 4 else ""
        raise ModelError(
            f"{source} does not fit the model: {'; '.join(faults[:4])}{more}",
            hint="use the configuration (runtime_config.toml) and species that they were trained with",
        )


def _shape(tensor: Tensor | None) -> str:
    return "absent" if tensor is None else str(tuple(torch.as_tensor(tensor).shape))

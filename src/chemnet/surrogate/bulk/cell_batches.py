"""Running a function of tensors over cells that come as arrays, some cells at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chemnet.surrogate.input_checks import Array

# cells times steps that are predicted together [states]: bounds memory, whatever the number of cells
_STATES_PER_CALL = 65536


def run(function: Callable[..., Tensor], device: torch.device, like: Any, *inputs: Array) -> Any:
    """Call a function on tensors of some cells at a time and return float32, a tensor or array like `like`.

    Parameters
    ----------
    function
        Takes tensors, cells first, and returns one.
    device
        Where it runs.
    like
        What the user gave.
    inputs
        Arrays, cells first; the second one, if any, also has steps.
    """
    states = int(np.prod(inputs[1].shape[:2])) if len(inputs) > 1 else len(inputs[0])
    cells = max(1, _STATES_PER_CALL * max(1, len(inputs[0])) // max(1, states))
    n_cells = len(inputs[0])
    with torch.inference_mode():
        result = torch.empty(0)
        for i in range(0, max(1, n_cells), cells):
            part = function(*(torch.from_numpy(array[i : i + cells].copy()).to(device) for array in inputs))
            if not i:
                # one result from the start: parts that are joined at the end would need twice the memory
                result = part.new_empty((n_cells, *part.shape[1:]), dtype=torch.float32)
            result[i : i + cells] = part
        return as_given(result, like)


def as_given(result: Tensor, like: Any) -> Any:
    """Return a tensor on the device of `like` where that is one, else an array."""
    if isinstance(like, Tensor):
        # a clone is an ordinary tensor, which autograd accepts as a constant
        return result.to(like.device).clone()
    return result.cpu().numpy()

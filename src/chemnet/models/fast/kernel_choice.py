"""Whether models compute by their fast forms: one choice for all of them.

``CHEMNET_FAST=0`` in the environment switches every one off: each has a plain form of PyTorch's operations,
with the same result to rounding.
"""

from __future__ import annotations

import os

import torch
from torch import Tensor

SWITCH = "CHEMNET_FAST"


def is_fast() -> bool:
    """Return whether fast forms may be used."""
    return os.environ.get(SWITCH) != "0"


def fits_kernels(*tensors: Tensor) -> bool:
    """Return whether kernels can take these tensors: contiguous float32 on the CPU."""
    return is_fast() and all(
        each.dtype == torch.float32 and each.device.type == "cpu" and each.is_contiguous() for each in tensors
    )

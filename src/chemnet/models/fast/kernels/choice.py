"""When compiled kernels are the faster choice."""

from __future__ import annotations

import torch
from torch import Tensor

# kernels use one thread: with more than these, PyTorch's own operations are faster
MOST_THREADS = 4


def fits_kernels(*tensors: Tensor) -> bool:
    """Return whether kernels can take these tensors, contiguous float32 on the CPU, and gain by it."""
    return torch.get_num_threads() <= MOST_THREADS and all(
        each.dtype == torch.float32 and each.device.type == "cpu" and each.is_contiguous() for each in tensors
    )

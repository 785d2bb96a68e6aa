"""Input with gradients: checked as any other, and then kept connected to what the user gave.

Shapes: B cells, T steps, S species, P physical parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chemnet.errors import DataError, ModelError
from chemnet.surrogate.input_checks import Array, is_named
from chemnet.surrogate.predictor import gradients_wanted
from chemnet.surrogate.wrappers.conservation import ConservingPredictor
from chemnet.surrogate.wrappers.surrogate_ensemble import Components


def asks_for_gradients(*given: Any) -> bool:
    """Return whether gradients are recorded and wanted of what a user gave.

    Raises
    ------
    DataError
        When what requires them comes as columns by name, or as a list of tensors.
    """
    if gradients_wanted(*(values for values in given if isinstance(values, Tensor))):
        return True
    if any(gradients_wanted(*_tensors_in(values)) for values in given):
        raise DataError(
            "gradients pass only from a tensor, not from the columns of a mapping or the items of a list",
            hint="torch.stack(columns, dim=-1), ordered as surrogate.species or surrogate.physical_names",
        )
    return False


def tensors_of(
    predictor: ConservingPredictor[Components], checked: Sequence[Array], given: Sequence[Any]
) -> list[Tensor]:
    """Return checked arrays as float64 tensors; those that the user gave as tensors depend on them.

    Raises
    ------
    ModelError
        When no gradient passes a step of the predictor.
    """
    if not predictor.inner.passes_gradients:
        raise ModelError(
            "gradients do not pass an implicit step or its solver, which are compiled code",
            hint="take the networks alone: Surrogate.load(name, accuracy='fast'), surrogate.accuracy=fast",
        )
    device = predictor.inner.device
    return [_connected(array, values).to(device) for array, values in zip(checked, given, strict=True)]


def histories_of_step(
    histories: tuple[Array, Array | None], physical: Any, dt: Any
) -> tuple[Any, Array | Tensor | None]:
    """Return checked histories of one step as tensors where the user gave parameters or time steps as such.

    Parameters
    ----------
    histories
        Parameters `(B, 2, P)` and time steps `(B, 1)`, one number or None.
    physical, dt
        What was given: `(B, P)`, and `(B,)` or one number.
    """
    forcing, steps = histories
    rows = physical[:, None].expand(forcing.shape) if isinstance(physical, Tensor) else forcing
    if not isinstance(dt, Tensor) or steps is None:
        return rows, steps
    return rows, dt.reshape(np.shape(steps))


def _connected(array: Array, values: Any) -> Tensor:
    if isinstance(values, Tensor) and values.requires_grad:
        return values.double().expand(array.shape)
    return torch.from_numpy(array.copy())


def _tensors_in(values: Any) -> list[Tensor]:
    if is_named(values):
        columns = [values[name] for name in values.keys()]  # noqa: SIM118  tables have keys, too
    else:
        columns = list(values) if isinstance(values, (list, tuple)) else []
    return [column for column in columns if isinstance(column, Tensor)]

"""Networks of every kind around the made tracers: untrained ones that move, and histories of 300 rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import made_emulators
import numpy as np
import pytest
import torch

from chemnet.surrogate.predictor import Parts

N_ROWS = 301


@pytest.fixture
def make_autoencoder(tiny: Any, row_description: Any, training_rows: Any) -> Callable[..., Any]:
    """Return a function that builds an autoencoder by name, with random weights and scaled latents."""

    def make(name: str = "Autoencoder", **options: Any) -> Any:
        changes = {f"model.{name}.{key}": value for key, value in options.items()}
        return made_emulators.make_autoencoder(
            tiny({"model.name": name, **changes}), row_description, training_rows
        )

    return make


@pytest.fixture
def make_parts(
    tiny: Any, window_description: Any, training_rows: Any, make_autoencoder: Any
) -> Callable[..., Parts]:
    """Return a function that builds the networks of a surrogate by the emulator's name."""

    def make(name: str, **options: Any) -> Parts:
        return made_emulators.make_parts(
            tiny, window_description, training_rows, make_autoencoder(), name, **options
        )

    return make


@pytest.fixture
def cells(tiny_data: Any) -> Callable[..., tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Return a function that makes abundances, wandering parameters and uneven time steps of some cells."""

    def make(n_cells: int, n_rows: int = N_ROWS, seed: int = 0) -> tuple[torch.Tensor, ...]:
        rng = np.random.default_rng(seed)
        split = tiny_data.split("test")
        start = split.raw_abundance(rng.integers(split.n_rows, size=n_cells))
        low, high = (np.log10(getattr(tiny_data.physical_scaling, end)) for end in ("minimum", "maximum"))
        where = np.cumsum(rng.normal(0.0, 0.03, (n_cells, n_rows, len(low))), axis=1)
        # somewhat outside the trained range, too
        place = rng.uniform(0.0, 1.0, (n_cells, 1, len(low))) + where
        physical = 10.0 ** (low + place * (high - low))
        usual = float(np.median(np.diff(split.time[:5])))
        dt = usual * 10.0 ** rng.uniform(-0.5, 0.5, (n_cells, n_rows - 1))
        return torch.from_numpy(start), torch.from_numpy(physical), torch.from_numpy(dt)

    return make

"""What share of its matrix products does a rollout reach, and its training, and how long is one step?

python benchmarks/bench_rollout.py [steps, 297 by default]

Emulators of 14 latents around the autoencoder 333-160-80-14, with random weights, on one core. The floor is
the matrix products alone by PyTorch, at the same batch and into memory that is there already, timed in turn
with what is measured; the same by NumPy's BLAS is told beside it. Training is that of the shipped surrogates
too, whose batches are small. Rollouts and decoding write into memory
that is there, as the streamed rollout does. One step of one cell is timed by the wall clock, per call.
ONNX Runtime needs the package `onnx` as well, which chemnet does not.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from figures import Figure, report
from made_states import N_SPECIES, made_config, made_description
from one_step import one_step_figures
from rollout_training import CASES, training_figures
from timing import ratios, rounds_of

from chemnet.models.contract import build_model
from chemnet.surrogate.engine.fused_predictor import FusedPredictor
from chemnet.surrogate.predictor import ComponentPredictor, Parts
from chemnet.surrogate.rollout import stepwise

HIDDEN, LATENT_DIM, CELLS = [160, 80], 14, 1024
DECODER = [LATENT_DIM, *reversed(HIDDEN), N_SPECIES]
# widths of the emulators' layers; a relaxation is given nine features and returns targets and rates
EMULATORS = {"LatentEmulator": [18, 180, 180, 14], "LatentRelaxation": [23, 320, 320, 28]}
ROUNDS = 5


def made_parts(name: str) -> Parts:
    """Return untrained networks that move."""
    size = {"model.Autoencoder.hidden": HIDDEN, "model.Autoencoder.latent_dim": LATENT_DIM}
    with tempfile.TemporaryDirectory() as folder:
        config = made_config(Path(folder), **size)
    torch.manual_seed(0)
    data = made_description()
    autoencoder = build_model(config, data).eval()
    emulator = build_model(config.replace({"model.name": name}), data, autoencoder)
    for parameter in emulator.parameters():
        if parameter.requires_grad and not parameter.any():
            torch.nn.init.normal_(parameter, std=0.02)
    return Parts(emulator, autoencoder, autoencoder, data)


def products(widths: Sequence[int], rows: int, times: int, by: str) -> Callable[[], None]:
    """Return the matrix products of a perceptron alone, by PyTorch or NumPy."""
    values: list[Any] = [torch.rand(rows, width) for width in widths]
    weights: list[Any] = [torch.rand(n_in, n_out) / n_in for n_in, n_out in pairwise(widths)]
    multiply: Any = torch.mm
    if by == "NumPy":
        values, weights = ([one.numpy() for one in many] for many in (values, weights))
        multiply = np.matmul

    def work() -> None:
        for _ in range(times):
            for k, weight in enumerate(weights):
                multiply(values[k], weight, out=values[k + 1])

    return work


def rollout_figures(name: str, steps: int) -> list[Figure]:
    """Return what rollouts of an emulator reach, alone and decoded in every row."""
    parts = made_parts(name)
    plain, fused = ComponentPredictor(parts), FusedPredictor(parts)
    rng = np.random.default_rng(0)
    physical = torch.from_numpy(10.0 ** rng.uniform(1.0, 3.0, (CELLS, steps + 1, 4)))
    dt, rows = torch.full((CELLS, steps), 3367.0, dtype=torch.float64), torch.arange(1, steps + 1)
    state = fused.start(torch.from_numpy(10.0 ** rng.uniform(-18.0, -2.0, (CELLS, N_SPECIES))))
    latents = torch.empty(CELLS, steps, LATENT_DIM)
    some = torch.empty(CELLS, N_SPECIES)
    fused_rollout: Any = fused.fused

    def roll() -> None:
        arrays = (state["latent"].numpy(), physical.numpy(), dt.numpy(), rows.numpy(), latents.numpy())
        fused_rollout.write(*arrays)

    def decode() -> None:
        decoder: Any = fused.decoder
        # rows of a few cells at a time, as they are written
        for part in latents.flatten(0, 1).split(CELLS):
            decoder(part, some)

    works = {
        "PyTorch": products(EMULATORS[name], CELLS, steps, "PyTorch"),
        "NumPy": products(EMULATORS[name], CELLS, steps, "NumPy"),
        "carry": roll,
        "decoder by PyTorch": products(DECODER, CELLS, steps, "PyTorch"),
        "decoder by NumPy": products(DECODER, CELLS, steps, "NumPy"),
        "decode": decode,
        "plain": lambda: stepwise(plain, state, physical, dt, rows),
    }
    with torch.inference_mode():
        taken = rounds_of(works, ROUNDS)
    both = _sums(taken, "carry", "decode")
    floors = {by: _sums(taken, by, f"decoder by {by}") for by in ("PyTorch", "NumPy")}
    return [
        Figure.of(f"{name}: products by PyTorch / rollout", ratios(taken["PyTorch"], taken["carry"]), 0.8),
        Figure.of(
            f"{name}: products by PyTorch / rollout and decoding", ratios(floors["PyTorch"], both), 0.75
        ),
        Figure.of(f"{name}: products by NumPy / rollout", ratios(taken["NumPy"], taken["carry"])),
        Figure.of(f"{name}: products by NumPy / and decoding", ratios(floors["NumPy"], both)),
        Figure.of(f"{name}: plain rollout / rollout", ratios(taken["plain"], taken["carry"])),
        Figure.of(f"{name}: cell-steps per CPU-second", [CELLS * steps / spent for spent in taken["carry"]]),
    ]


def _sums(taken: dict[str, list[float]], *names: str) -> list[float]:
    """Return the time of several works together in each round."""
    return [sum(parts) for parts in zip(*(taken[name] for name in names), strict=True)]


def main() -> None:
    """Measure and print."""
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 297
    torch.set_num_threads(1)
    figures = [figure for name in EMULATORS for figure in rollout_figures(name, steps)]
    figures += one_step_figures(made_parts("LatentEmulator"), time.perf_counter)
    figures += [figure for case in CASES for figure in training_figures(case)]
    report((__doc__ or "").splitlines()[0], figures)


if __name__ == "__main__":
    main()

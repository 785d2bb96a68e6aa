"""What share of its matrix products does a rollout reach, and its training, and how long is one step?

python benchmarks/bench_rollout.py [steps, 297 by default]

Emulators of 14 latents around the autoencoder 333-160-80-14, with random weights, on one core. The floor is
the matrix products alone by PyTorch, at the same batch and into memory that is there already, timed in turn
with what is measured; the same by NumPy's BLAS is told beside it. Rollouts and decoding write into memory
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
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from figures import Figure, report
from made_states import N_SPECIES, made_config, made_description
from one_step import one_step_figures
from timing import ratios, rounds_of

from chemnet.models.base import build_model
from chemnet.surrogate.carrying import stepwise
from chemnet.surrogate.engine.predictor import FusedPredictor
from chemnet.surrogate.predictor import ComponentPredictor, Parts
from chemnet.training.memory import kept_memory

HIDDEN, LATENT_DIM, CELLS = [160, 80], 14, 1024
DECODER = [LATENT_DIM, *reversed(HIDDEN), N_SPECIES]
# widths of the emulators' layers; a relaxation is given eleven features and returns targets and rates
EMULATORS = {"LatentEmulator": [18, 180, 180, 14], "LatentRelaxation": [23, 320, 320, 28]}
WINDOWS, WINDOW = 64, 240
ROUNDS = 5


def made_parts(name: str) -> Parts:
    """Return untrained networks that move."""
    size = {"model.Autoencoder.hidden": HIDDEN, "model.Autoencoder.latent_dim": LATENT_DIM}
    with tempfile.TemporaryDirectory() as folder:
        config = made_config(Path(folder), **size)
    torch.manual_seed(0)
    data = made_description()
    autoencoder = build_model(config, data).eval()
    windows = replace(data, window=WINDOW, horizon=WINDOW - 1)
    emulator = build_model(config.replace({"model.name": name}), windows, autoencoder)
    for parameter in emulator.parameters():
        if parameter.requires_grad and not parameter.any():
            torch.nn.init.normal_(parameter, std=0.02)
    return Parts(emulator, autoencoder, autoencoder, data)


def products(widths: Sequence[int], rows: int, times: int, by: str) -> Callable[[], None]:
    """Return the matrix products of a perceptron alone, by PyTorch or NumPy."""
    values = [torch.rand(rows, width) for width in widths]
    weights = [torch.rand(n_in, n_out) / n_in for n_in, n_out in pairwise(widths)]
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
    fused_rollout: Any = fused.rollout

    def carry() -> None:
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
        "carry": carry,
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


def training_figures(name: str) -> list[Figure]:
    """Return what the training on windows reaches: the rollout with its gradient, and the whole step."""
    parts = made_parts(name)
    model: Any = parts.emulator.train()
    batch = {
        "abundance": torch.rand(WINDOWS, WINDOW, N_SPECIES),
        "physical": torch.rand(WINDOWS, WINDOW - 1, 4),
        "dt": torch.full((WINDOWS, WINDOW - 1), 3367.0),
    }
    start = model.standardise(model.encode(batch["abundance"][:, 0]))

    def rollout(function: Callable[..., torch.Tensor]) -> Callable[[], None]:
        def work() -> None:
            model.zero_grad()
            latents = function(start, batch["physical"], batch["dt"])
            latents.backward(torch.ones_like(latents))

        return work

    def loop(start: torch.Tensor, physical: torch.Tensor, dt: torch.Tensor) -> torch.Tensor:
        return model.repeated_steps(start, model.drive(physical, dt), dt)

    def step() -> None:
        model.zero_grad()
        model.train_batch(batch)[0].backward()

    works = {
        "products": gradient_products(EMULATORS[name]),
        "rollout": rollout(model.rollout),
        "loop": rollout(loop),
        "decoder products": decoder_products(),
        "step": step,
    }
    with kept_memory():
        taken = rounds_of(works, ROUNDS)
    every = _sums(taken, "products", "decoder products")
    words = f"{name}, training on {WINDOWS} x {WINDOW - 1}:"
    return [
        Figure.of(f"{words} products / rollout", ratios(taken["products"], taken["rollout"]), 0.6),
        Figure.of(f"{words} loop over steps / rollout", ratios(taken["loop"], taken["rollout"]), 2.0),
        Figure.of(f"{words} products / whole step with decoding and loss", ratios(every, taken["step"])),
    ]


def gradient_products(widths: Sequence[int]) -> Callable[[], None]:
    """Return the products of a rollout and its gradient: weights' gradients once over all steps."""
    one = [torch.rand(WINDOWS, width) for width in widths]
    every = [torch.rand(WINDOWS * (WINDOW - 1), width) for width in widths]
    weights = [torch.rand(n_in, n_out) / n_in for n_in, n_out in pairwise(widths)]
    gradients = [torch.empty_like(weight) for weight in weights]

    def work() -> None:
        for _ in range(WINDOW - 1):
            for k, weight in enumerate(weights):
                torch.mm(one[k], weight, out=one[k + 1])
        for _ in range(WINDOW - 1):
            for k in reversed(range(len(weights))):
                torch.mm(one[k + 1], weights[k].T, out=one[k])
        for k, gradient in enumerate(gradients):
            torch.mm(every[k].T, every[k + 1], out=gradient)

    return work


def decoder_products() -> Callable[[], None]:
    """Return the products of a frozen decoder over all rows of the windows, forward and backward."""
    rows = WINDOWS * (WINDOW - 1)
    forward, backward = products(DECODER, rows, 1, "PyTorch"), products(DECODER[::-1], rows, 1, "PyTorch")

    def work() -> None:
        forward()
        backward()

    return work


def _sums(taken: dict[str, list[float]], *names: str) -> list[float]:
    """Return the time of several works together in each round."""
    return [sum(parts) for parts in zip(*(taken[name] for name in names), strict=True)]


def main() -> None:
    """Measure and print."""
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 297
    torch.set_num_threads(1)
    figures = [figure for name in EMULATORS for figure in rollout_figures(name, steps)]
    figures += one_step_figures(made_parts("LatentEmulator"), time.perf_counter)
    figures += [figure for name in EMULATORS for figure in training_figures(name)]
    report((__doc__ or "").splitlines()[0], figures)


if __name__ == "__main__":
    main()

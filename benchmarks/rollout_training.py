"""What the training of emulators on windows reaches: the rollout with its gradient, and the whole step."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from figures import Figure
from made_states import N_SPECIES, made_config, made_description
from timing import ratios, rounds_of

from chemnet.models.contract import build_model
from chemnet.training.parallel.memory import kept_memory

ROUNDS = 5
CODER = [N_SPECIES, 160, 80, 14]


@dataclass(frozen=True)
class Case:
    """An emulator in training.

    Attributes
    ----------
    name
        Of the model.
    hidden
        Widths of its hidden layers.
    widths
        Of all its layers.
    windows, steps
        Of a batch.
    """

    name: str
    hidden: tuple[int, ...]
    widths: tuple[int, ...]
    windows: int
    steps: int

    @property
    def codes(self) -> bool:
        """Whether an autoencoder encodes and decodes."""
        return self.name.startswith("Latent")


# relaxations are given nine features and return targets and rates; the last is how shipped surrogates train
CASES = (
    Case("LatentEmulator", (180, 180), (18, 180, 180, 14), 64, 239),
    Case("LatentRelaxation", (320, 320), (23, 320, 320, 28), 64, 239),
    Case("DirectRelaxation", (512, 512), (9 + N_SPECIES, 512, 512, 2 * N_SPECIES), 20, 297),
)


def training_figures(case: Case) -> list[Figure]:
    """Return what a case reaches."""
    model, batch = made_model(case), made_batch(case)
    start = model.space.standardise(model.encode(batch["abundance"][:, 0]))

    def rollout(function: Callable[..., torch.Tensor]) -> Callable[[], None]:
        def work() -> None:
            model.zero_grad()
            latents = function(start, batch["physical"], batch["dt"])
            latents.backward(torch.ones_like(latents))

        return work

    def loop(start: torch.Tensor, physical: torch.Tensor, dt: torch.Tensor) -> torch.Tensor:
        return model.repeated_steps(start, model.step.forcing(physical, dt), dt)

    def step() -> None:
        model.zero_grad()
        model.train_batch(batch)[0].backward()

    works = {
        "products": gradient_products(case),
        "rollout": rollout(model.rollout),
        "loop": rollout(loop),
        "coding products": coding_products(case.windows * case.steps if case.codes else 0),
        "step": step,
    }
    with kept_memory():
        taken = rounds_of(works, ROUNDS)
    every = [one + other for one, other in zip(taken["products"], taken["coding products"], strict=True)]
    # targets are those of the smaller networks: a plain loop over large ones is near its products by itself
    targets = (0.6, 2.0) if case.codes else (None, None)
    words = f"{case.name}, training on {case.windows} x {case.steps}:"
    return [
        Figure.of(f"{words} products / rollout", ratios(taken["products"], taken["rollout"]), targets[0]),
        Figure.of(f"{words} loop over steps / rollout", ratios(taken["loop"], taken["rollout"]), targets[1]),
        Figure.of(f"{words} products / whole step with coding and loss", ratios(every, taken["step"])),
    ]


def made_model(case: Case) -> Any:
    """Return an untrained emulator, around an untrained autoencoder where it has one."""
    size = {"model.Autoencoder.hidden": CODER[1:-1], "model.Autoencoder.latent_dim": CODER[-1]}
    with tempfile.TemporaryDirectory() as folder:
        config = made_config(Path(folder), **size)
    torch.manual_seed(0)
    data = made_description()
    autoencoder = build_model(config, data).eval() if case.codes else None
    changes = {"model.name": case.name, f"model.{case.name}.hidden": list(case.hidden)}
    windows = replace(data, window=case.steps + 1, horizon=case.steps)
    model = build_model(config.replace(changes), windows, autoencoder).train()
    for parameter in model.parameters():
        if parameter.requires_grad and not parameter.any():
            torch.nn.init.normal_(parameter, std=0.02)
    return model


def made_batch(case: Case) -> dict[str, torch.Tensor]:
    """Return windows of random numbers."""
    return {
        "abundance": torch.rand(case.windows, case.steps + 1, N_SPECIES),
        "physical": torch.rand(case.windows, case.steps, 4),
        "dt": torch.full((case.windows, case.steps), 3367.0),
    }


def gradient_products(case: Case) -> Callable[[], None]:
    """Return the products of a rollout and its gradient: weights' gradients once over all steps."""
    one = [torch.rand(case.windows, width) for width in case.widths]
    every = [torch.rand(case.windows * case.steps, width) for width in case.widths]
    weights = [torch.rand(n_in, n_out) / n_in for n_in, n_out in pairwise(case.widths)]
    gradients = [torch.empty_like(weight) for weight in weights]

    def work() -> None:
        for _ in range(case.steps):
            for k, weight in enumerate(weights):
                torch.mm(one[k], weight, out=one[k + 1])
        for _ in range(case.steps):
            for k in reversed(range(len(weights))):
                torch.mm(one[k + 1], weights[k].T, out=one[k])
        for k, gradient in enumerate(gradients):
            torch.mm(every[k].T, every[k + 1], out=gradient)

    return work


def coding_products(rows: int) -> Callable[[], None]:
    """Return those of a frozen autoencoder: latents of the truth, decoding, and its gradient."""
    passes = [products_of(widths, rows) for widths in (CODER, CODER[::-1], CODER)]

    def work() -> None:
        for one in passes if rows else ():
            one()

    return work


def products_of(widths: Sequence[int], rows: int) -> Callable[[], None]:
    """Return the products of a perceptron with many rows."""
    values = [torch.rand(rows, width) for width in widths]
    weights = [torch.rand(n_in, n_out) / n_in for n_in, n_out in pairwise(widths)]

    def work() -> None:
        for k, weight in enumerate(weights):
            torch.mm(values[k], weight, out=values[k + 1])

    return work

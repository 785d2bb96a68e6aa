"""How many cell-steps per CPU-second does a surrogate make, and what does conservation cost of it?

A surrogate of the size of the shipped ones (333 species, 320-160-24, latent emulator 180-180) with untrained
networks carries 256 cells over 64 steps. What it decodes are made states near those that it starts from, so
that the correction of the element totals has as much to do as for a trained one (0.05 dex of scatter).
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from figures import Figure, report
from made_states import made_config

from chemnet.data.preprocessed import PreprocessedData
from chemnet.models.contract import build_model
from chemnet.registry import VERBS
from chemnet.surrogate.predictor import Parts
from chemnet.surrogate.rollout import Rollout, rollout_states
from chemnet.surrogate.surrogate import Surrogate
from chemnet.surrogate.trust.trained_ranges import Domain

CELLS, STEPS, REPEATS = 256, 65, 7
SCATTER = 0.05  # dex


def made_surrogate(data: PreprocessedData, config: Any) -> Surrogate:
    """Return a surrogate of untrained networks of the size of the shipped ones."""
    size = {"model.Autoencoder.hidden": [320, 160], "model.Autoencoder.latent_dim": 24}
    config = config.replace(size)
    autoencoder = build_model(config, data.describe("rows", size=2)).eval()
    rows = data.describe("rows", size=2)
    emulator = build_model(
        config.replace({"model.name": "LatentEmulator"}), replace(rows, window=8, horizon=7), autoencoder
    )
    parts = Parts(emulator, autoencoder, autoencoder, emulator.data)
    return Surrogate(parts, Domain.of_training(data), "made", {})


def scattering(surrogate: Surrogate, start: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return a decoder that costs what the real one does and gives states near the start."""
    decode, scale = surrogate.components.decode, surrogate.data.abundance_scaling
    generator = torch.Generator().manual_seed(0)
    near = scale.scale(start[:1].expand(CELLS * (STEPS - 1), -1)).float()
    near = near + SCATTER / scale.decades * torch.randn(near.shape, generator=generator)
    near = scale.unscale(near.clamp(0.0, 1.0))

    def decode_near(latent: torch.Tensor) -> torch.Tensor:
        return near[: len(latent)] + 0.0 * decode(latent)

    return decode_near


def start_states(data: PreprocessedData) -> np.ndarray:
    """Return the same abundances for all cells: one H nucleus per H nucleus, species over 20 decades."""
    abundance = 10.0 ** np.random.default_rng(0).uniform(-20.0, -2.0, len(data.species))
    hydrogen = (abundance @ data.stoichiometry)[data.elements.index("H")]
    return np.tile(abundance / hydrogen, (CELLS, 1))


def seconds(work: Callable[[], Any]) -> float:
    """Return the CPU seconds of some work."""
    before = time.process_time()
    work()
    return time.process_time() - before


def main() -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        config = made_config(Path(folder), **{"preprocess.method": "timeless"})
        data = PreprocessedData(VERBS.get("preprocess")(config).run().directory)
        surrogate = made_surrogate(data, config)
        start = torch.from_numpy(start_states(data))
        physical = torch.full((CELLS, STEPS, 4), 100.0, dtype=torch.float64)
        dt = torch.full((CELLS, STEPS - 1), 3367.0, dtype=torch.float64)
        surrogate.components.decode = scattering(surrogate, start)  # type: ignore
        components, conserving = Rollout(surrogate.components), Rollout(surrogate.predictor)
        every_tenth = torch.arange(0, STEPS, 10)
        work = {
            "emulator alone": lambda: rollout_states(
                surrogate.components, surrogate.components.start(start), physical, dt
            ),
            "and decoding": lambda: components(start, physical, dt),
            "and conservation": lambda: conserving(start, physical, dt),
            "the same, every tenth row": lambda: conserving(start, physical, dt, every_tenth),
        }
        taken: dict[str, list[float]] = {name: [] for name in work}
        with torch.inference_mode():
            for repeat in range(REPEATS + 1):
                for name, function in work.items():
                    spent = seconds(function)
                    if repeat:  # the first one warms up
                        taken[name].append(spent)
    report((__doc__ or "").splitlines()[0], figures(taken))


def figures(taken: dict[str, list[float]]) -> list[Figure]:
    """Return rates, and what conservation costs beside everything else, repeat by repeat."""
    steps = CELLS * (STEPS - 1)
    rates = {name: [steps / spent for spent in values] for name, values in taken.items()}
    rows = [
        Figure(f"{name} [cell-steps per CPU-second]", statistics.median(rate), spread=(min(rate), max(rate)))
        for name, rate in rates.items()
    ]
    whole, decoded = taken["and conservation"], taken["and decoding"]
    share = [one / other for one, other in zip(whole, decoded, strict=True)]
    ratio = "time with conservation beside time without"
    return [*rows, Figure(ratio, statistics.median(share), 3.0, True, (min(share), max(share)))]


if __name__ == "__main__":
    main()

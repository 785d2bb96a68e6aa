"""Made states for the benchmarks of training and inference: the reference set's shape, random values."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chemnet import ChemDataset, ConfigDict, chem_dataset
from chemnet.chemistry.network.stoichiometry import stoichiometric_matrix
from chemnet.config import load_config
from chemnet.data.chem_dataset import TracerBlock
from chemnet.data.description import DataDescription
from chemnet.data.scaling import AbundanceScaling, PhysicalScaling

N_STEPS, N_SPECIES = 298, 333
ELEMENTS = ("H", "C", "N", "O")
PHYSICAL = ("Density", "Radfield", "Av", "gasTemp")
# the autoencoder that FACTS of the peer were measured with: 333-128-64-14
PEER_MODEL = {"model.Autoencoder.hidden": [128, 64], "model.Autoencoder.latent_dim": 14}


@chem_dataset
class MadeStates(ChemDataset):
    """Tracers of 298 steps and 333 species; `data_set.path` is not read."""

    n_tracers = 672  # 200,256 rows

    def __init__(self, config: ConfigDict) -> None:
        super().__init__(config)
        self.species, self.physical_names = species_names(), PHYSICAL
        self.tracer_ids = [str(tracer) for tracer in range(self.n_tracers)]
        self.lengths = np.full(self.n_tracers, N_STEPS)

    def read(self, tracers: Sequence[int]) -> TracerBlock:
        """Return random tracers, the same ones for the same numbers."""
        rng = np.random.default_rng(tracers[0])
        rows = len(tracers) * N_STEPS
        return TracerBlock(
            time=np.tile(np.arange(N_STEPS) * 3367.0, len(tracers)),
            physical=10 ** rng.uniform(1, 3, (rows, 4)),
            abundance=10
            ** rng.uniform(
                -19,
                -1,
                (rows, N_SPECIES),
            ),
            offsets=np.arange(len(tracers) + 1) * N_STEPS,
            tracer_ids=tuple(self.tracer_ids[tracer] for tracer in tracers),
        )


def species_names() -> tuple[str, ...]:
    """Return as many distinct formulas as the reference set has species."""
    pairs = [f"{first}{n}{second}" for n in range(20, 50) for first in ELEMENTS for second in ELEMENTS]
    return tuple(pairs[:N_SPECIES])


def made_description() -> DataDescription:
    """Return the description of data of that shape, for a model that needs no preprocess result."""
    species = species_names()
    return DataDescription(
        species=species,
        elements=ELEMENTS,
        stoichiometry=stoichiometric_matrix(species, ELEMENTS),
        physical_names=PHYSICAL,
        abundance_scaling=AbundanceScaling(1e-20),
        physical_scaling=PhysicalScaling((10.0,) * len(PHYSICAL), (1000.0,) * len(PHYSICAL)),
    )


def made_config(folder: Path, **changes: Any) -> ConfigDict:
    """Return a configuration that reads the made states and writes into `folder`."""
    config = load_config().replace(
        {
            "general.results_dir": str(folder),
            "general.device": "cpu",
            "general.log_level": "warning",
            "data_set.name": "MadeStates",
            "mlflow.enabled": False,
            **PEER_MODEL,
        }
    )
    return config.replace(changes)

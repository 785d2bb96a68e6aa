"""A dataset that needs no file: carbon monoxide freezes out in clouds of different density."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chemnet import ChemDataset, ConfigDict, chem_dataset
from chemnet.data.chem_dataset import TracerBlock

CARBON_MONOXIDE = 1e-4  # total abundance, gas and ice
FREEZE_OUT_CM3_YEARS = 1e9  # freeze-out takes about this many years over the density in cm^-3


@chem_dataset
class FreezeOut(ChemDataset):
    """Tracers of constant density and temperature, with the analytic abundances of CO gas and ice."""

    species = ("H2", "CO", "#CO")
    physical_names = ("Density", "gasTemp")

    def __init__(self, config: ConfigDict) -> None:
        super().__init__(config)
        table = config["data_set"]["FreezeOut"]
        self._step_years = table["step_years"]
        n_tracers = table["n_tracers"]
        self._density = np.logspace(4.0, 6.0, n_tracers)
        self.tracer_ids = [f"cloud{index}" for index in range(n_tracers)]
        self.lengths = table["n_steps"] - 2 * (np.arange(n_tracers) % 2)

    def read(self, tracers: Sequence[int]) -> TracerBlock:
        """Return some clouds; see `chemnet.ChemDataset.read`."""
        chosen = np.asarray(tracers, dtype=np.int64)
        lengths = self.lengths[chosen]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        step = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
        density = np.repeat(self._density[chosen], lengths)
        time = step * self._step_years
        gas = CARBON_MONOXIDE * np.exp(-time * density / FREEZE_OUT_CM3_YEARS)
        return TracerBlock(
            time=time,
            physical=np.column_stack([density, np.full_like(density, 10.0)]),
            abundance=np.column_stack([np.full_like(gas, 0.5), gas, CARBON_MONOXIDE - gas]),
            offsets=offsets,
            tracer_ids=tuple(self.tracer_ids[index] for index in chosen),
        )

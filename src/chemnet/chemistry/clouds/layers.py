"""The points of a cloud behind one another: what gas and dust each has in front."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from chemnet.chemistry.network.rate_options import STANDARD_GRAIN
from chemnet.chemistry.rates.photo import columns
from chemnet.chemistry.tracers import Tracer

Array = NDArray[np.float64]

SHIELDING_SPECIES = {"N_H2": "H2", "N_CO": "CO", "N_C": "C"}
"""Which species a column of a tracer counts."""
_CLOUD_NUCLEI_PER_MAGNITUDE = 1.6e21
"""Column of a cloud per magnitude of its extinction in UCLCHEM [H nuclei cm^-2]."""


@dataclass(frozen=True)
class Layers:
    """The gas of a cloud in layers, one per point, the innermost first.

    Attributes
    ----------
    nuclei
        Shape ``(points, rows)``: column of H nuclei through the layer of each point [cm^-2].
    base_av
        Extinction outside the cloud [mag].
    dust_to_gas
        Mass ratio of dust to gas, which extinction is in proportion to.
    """

    nuclei: Array
    base_av: float
    dust_to_gas: float = STANDARD_GRAIN.dust_to_gas

    @property
    def extinction(self) -> Array:
        """Extinction from outside to the far side of each layer [mag], shape ``(points, rows)``."""
        return self.base_av + self._magnitudes(np.cumsum(self.nuclei[::-1], axis=0)[::-1])

    def shield(self, tracer: Tracer, point: int, outside: Sequence[Array], carbon: Array) -> Tracer:
        """Return the tracer of a point with the columns of H2, CO and C in front of it.

        Points outside count with what they hold. Of its own layer, and the gas outside the cloud, H2 and CO
        are as they follow from extinction; of C, which does not, they hold what the next point outside does.

        Parameters
        ----------
        tracer
            The history of the point.
        point
            Its position, 0 for the innermost.
        outside
            Abundances of H2, CO and C of the points outside it, shape ``(rows, 3)`` each, innermost first.
        carbon
            Abundance of C that its own layer and the gas outside the cloud are taken to have, ``(rows,)``.
        """
        av = self.base_av + self._magnitudes(self.nuclei[point])
        dust = STANDARD_GRAIN.dust_to_gas / self.dust_to_gas
        nuclei, h2, co = np.array([columns(one * dust) for one in av]).T
        held = np.stack([h2, co, nuclei * carbon], axis=1)
        for number, abundances in enumerate(outside, start=point + 1):
            held += abundances * self.nuclei[number][:, None]
        physical = np.concatenate([tracer.physical, held], axis=1)
        return replace(tracer, physical=physical, names=(*tracer.names, *SHIELDING_SPECIES))

    def _magnitudes(self, nuclei: Array) -> Array:
        """Return the extinction by a column of the cloud's gas [mag]."""
        return nuclei / _CLOUD_NUCLEI_PER_MAGNITUDE * self.dust_to_gas / STANDARD_GRAIN.dust_to_gas

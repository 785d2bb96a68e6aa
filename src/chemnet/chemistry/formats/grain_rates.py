"""Rates on grains written as expressions: recombination of ions, desorption by encounter with H2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chemnet.chemistry.formats.expressions import DUST_CHARGING
from chemnet.chemistry.formats.rate_functions import RECOMBINATION
from chemnet.chemistry.network.species_and_reactions import NetworkSpecies
from chemnet.chemistry.rates.constants import DIFFUSION_RATIO, MONOLAYER
from chemnet.chemistry.rates.grain import attempt_frequency
from chemnet.errors import DataError, suggest

BINDING_TO_H2 = {"#H2": 23.0, "#H": 45.0}
"""Binding energy [K] on an ice of H2 (Hincelin et al. 2015, A&A 574, A24)."""


def recombination_on_grains(reactants: Sequence[str], alpha: float, where: str) -> str:
    """Return the rate [s^-1] at which an ion recombines on grains, as an expression.

    Weingartner & Draine (2001, ApJ 563, 842), their eq. 8, with the UV field behind the extinction as
    photodesorption sees it, times the density of H nuclei.

    Parameters
    ----------
    reactants
        The ion.
    alpha
        Factor of the row.
    where
        Place of the row.

    Raises
    ------
    DataError
        The paper has no such ion.
    """
    ion = reactants[0].removesuffix("+") if len(reactants) == 1 else ""
    if ion not in RECOMBINATION:
        raise DataError(
            f"{where}: no rate of type GAR for {' + '.join(reactants)}",
            hint=suggest(reactants[0], (f"{name}+" for name in RECOMBINATION)),
        )
    return f"{alpha!r}*get_hnuclei*{ion}_recombination_on_dust({DUST_CHARGING},tgas)"


def encounter_desorption(
    reactants: Sequence[str], alpha: float, known: Mapping[str, NetworkSpecies], where: str
) -> str:
    """Return the rate of desorption of what hops onto H2 ice and is bound weakly there, as an expression.

    Hincelin et al. (2015): two species meet by hopping, as in a surface reaction without barrier, and one of
    them desorbs from H2 before it hops on.

    Parameters
    ----------
    reactants
        The two species on the surface.
    alpha
        Factor of the row.
    known
        Species by name.
    where
        Place of the row.

    Raises
    ------
    DataError
        The species are not on the surface, or bound to H2 with an unknown energy.
    """
    if len(reactants) != 2 or reactants[0] not in BINDING_TO_H2 or not set(reactants) <= known.keys():
        raise DataError(
            f"{where}: no rate of type ED for {' + '.join(reactants)}",
            hint=f"known for {' and '.join(BINDING_TO_H2)} that meet #H2",
        )
    hops = []
    for name in reactants:
        barrier = known[name].diffusion_barrier or DIFFUSION_RATIO * known[name].binding_energy
        hops.append(f"{attempt_frequency(known[name])!r}*exp(-{barrier!r}/state_tdust)")
    pairs = 0.5 if reactants[0] == reactants[1] else 1.0
    leaving = (1.0 - DIFFUSION_RATIO) * BINDING_TO_H2[reactants[0]]
    return f"{alpha * pairs / MONOLAYER!r}*({'+'.join(hops)})/(1.0+exp({leaving!r}/state_tdust))"

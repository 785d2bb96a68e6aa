"""Initial abundances: what a cloud is made of before its chemistry begins."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chemnet.chemistry.network.species import parse_species
from chemnet.errors import DataError, suggest
from chemnet.progress import get_logger

if TYPE_CHECKING:
    from chemnet.chemistry.network.network import Network

ELECTRON = "E-"

HYDROGEN_TOLERANCE = 0.02
"""Total of hydrogen this far from 1 is another unit or another set of species; rounding is far below."""

_log = get_logger(__name__)

# UCLCHEM's default, relative to H nuclei: half of the hydrogen atomic, ionised what starlight can ionise
STANDARD_ABUNDANCES: Mapping[str, float] = {
    "H": 0.5,
    "H2": 0.25,
    "HE": 0.1,
    "C+": 1.77e-4,
    "N": 6.18e-5,
    "O": 3.34e-4,
    "S+": 3.51e-6,
    "SI+": 1.78e-6,
    "MG": 2.256e-6,
    "CL+": 3.39e-8,
}


def initial_abundances(network: Network, given: Mapping[str, float] | None = None) -> NDArray[np.float64]:
    """Return the abundances at the start of a run.

    Electrons balance the charge unless `given` names them.

    Parameters
    ----------
    network
        The network whose species they are for.
    given
        Abundance relative to H nuclei by species name; without it those that come with the network, else
        `STANDARD_ABUNDANCES` as far as the network has the elements.

    Returns
    -------
    NDArray
        Shape ``(n_species,)``, in the order of ``network.species_names``.

    Raises
    ------
    DataError
        An unknown species, a value that is negative or not finite, no matter at all, or more anions than
        cations.
    """
    chosen = dict(given or network.standard_abundances or _standard_for(network))
    abundance = np.zeros(len(network.species_names))
    for name, value in chosen.items():
        if name not in network.species_names:
            raise DataError(
                f"initial abundances name {name!r}, which network {network.name!r} does not have",
                hint=suggest(name, network.species_names),
            )
        if not _is_amount(value):
            raise DataError(
                f"the initial abundance of {name!r} is {value!r}",
                hint="it must be a number, finite and 0 or greater",
            )
        abundance[network.index(name)] = value
    if not abundance.any():
        raise DataError(
            "all initial abundances are 0", hint="give at least one species of [simulate.initial] a value"
        )
    if given:
        _doubt_hydrogen(network, abundance)
    if ELECTRON in network.species_names and ELECTRON not in chosen:
        abundance[network.index(ELECTRON)] = balancing_electrons(abundance @ network.charges)
    return abundance


def _doubt_hydrogen(network: Network, abundance: NDArray[np.float64]) -> None:
    """Warn of abundances that do not add up to one H nucleus per H nucleus."""
    nuclei = np.array([parse_species(name).elements.get("H", 0) for name in network.species_names])
    total = float(abundance @ nuclei)
    if nuclei.any() and abs(total - 1.0) > HYDROGEN_TOLERANCE:
        _log.warning(
            "the initial abundances contain %.3g H nuclei per H nucleus instead of 1; they are relative to H "
            "nuclei, so that pure H2 has H2 = 0.5",
            total,
        )


def _is_amount(value: Any) -> bool:
    """Return whether `value` is a number that an abundance can have."""
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    return is_number and bool(np.isfinite(value)) and value >= 0.0


def _standard_for(network: Network) -> dict[str, float]:
    """Return the standard abundances of the elements that the network has, in a form that it has."""
    chosen = {}
    for name, value in STANDARD_ABUNDANCES.items():
        forms = (name, name.rstrip("+"), f"{name}+")
        form = next((form for form in forms if form in network.species_names), None)
        if form is not None:
            chosen[form] = value
    return chosen


def balancing_electrons(charge: Any) -> Any:
    """Return the abundance of electrons that makes gas of a net `charge` per H nucleus neutral, any shape.

    Raises
    ------
    DataError
        When a charge is negative.
    """
    if (least := np.min(charge)) < 0.0:
        raise DataError(
            f"the initial abundances carry a charge of {least:g} per H nucleus even without electrons",
            hint="give as many cations as anions, or name E- yourself",
        )
    return charge

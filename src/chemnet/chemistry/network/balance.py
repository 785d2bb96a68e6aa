"""Whether reactions conserve elements and charge, and what becomes of freeze-out rows that do not."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chemnet.chemistry.network.network import NetworkSpecies, Reaction


def imbalance(reaction: Reaction, known: Mapping[str, NetworkSpecies]) -> tuple[dict[str, int], int]:
    """Return what the products have more than the reactants.

    Parameters
    ----------
    reaction
        The reaction.
    known
        Species by name.

    Returns
    -------
    tuple
        Atoms by element (balanced elements left out), and charge.
    """
    atoms: Counter[str] = Counter()
    charge = 0
    for names, sign in ((reaction.reactants, -1), (reaction.products, 1)):
        for name in names:
            charge += sign * known[name].charge
            for element, count in known[name].elements.items():
                atoms[element] += sign * count
    return {element: count for element, count in atoms.items() if count}, charge


def balanced_freeze(reaction: Reaction, known: Mapping[str, NetworkSpecies]) -> Reaction | None:
    """Return a freeze-out row with products that conserve elements, or None if the network has no such ice.

    UCLCHEM lets a few molecules freeze as a larger ice (C2N as #CH3CNH) and makes the missing hydrogen from
    nothing. Here the molecule freezes as the ice with its own heavy atoms, and hydrogen left over returns to
    the gas.

    Parameters
    ----------
    reaction
        A `FREEZE` row.
    known
        Species by name.
    """
    if reaction.kind != "FREEZE" or len(reaction.reactants) != 1:
        return None
    wanted = Counter(known[reaction.reactants[0]].elements)
    own_name = f"#{reaction.reactants[0].rstrip('+-')}"
    fitting = [
        (one.name == own_name, one.elements.get("H", 0), one.name)
        for one in known.values()
        if one.phase == "surface" and _differs_by_hydrogen(wanted, Counter(one.elements))
    ]
    if not fitting:
        return None
    _, hydrogen, ice = max(fitting)
    left = wanted["H"] - hydrogen
    if left and "H" not in known:
        return None
    return dataclasses.replace(reaction, products=(ice, *("H",) * left))


def _differs_by_hydrogen(whole: Counter[str], part: Counter[str]) -> bool:
    """Whether `part` has the heavy atoms of `whole` and no more hydrogen."""
    heavy = {element: count for element, count in whole.items() if element != "H"}
    return {element: count for element, count in part.items() if element != "H"} == heavy and part[
        "H"
    ] <= whole["H"]

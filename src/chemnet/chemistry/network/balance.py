"""Whether reactions conserve elements and charge, and what becomes of freeze-out rows that do not."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping

from chemnet.chemistry.network.species_and_reactions import REACTION_KINDS, NetworkSpecies, Reaction
from chemnet.errors import DataError, suggest

_GRAIN_CHARGE_KINDS = frozenset({"FREEZE", "THERM", "DESOH2", "DESCR", "DEUVCR", "GAR"})
"""The grain takes or gives the charge that these rows seem to lose."""


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


def check_reaction(reaction: Reaction, known: Mapping[str, NetworkSpecies]) -> None:
    """Refuse a reaction of unknown kind, with unknown species or out of balance.

    Parameters
    ----------
    reaction
        The reaction.
    known
        Species by name.

    Raises
    ------
    DataError
        Naming the row and what is wrong with it.
    """
    where = reaction.source or "reaction"
    if reaction.kind not in REACTION_KINDS:
        raise DataError(
            f"{where}: unknown reaction type {reaction.kind!r}", hint=suggest(reaction.kind, REACTION_KINDS)
        )
    for name in (*reaction.reactants, *reaction.products):
        if name not in known:
            raise DataError(f"{where}: {reaction} names unknown species {name!r}", hint=suggest(name, known))
    atoms, charge = imbalance(reaction, known)
    if atoms and balanced_freeze(reaction, known) is not None:
        return
    if atoms or (charge and reaction.kind not in _GRAIN_CHARGE_KINDS):
        parts = [f"{element} {change:+d}" for element, change in atoms.items()]
        parts += [f"charge {charge:+d}"] if charge else []
        raise DataError(
            f"{where}: {reaction} is not balanced (products minus reactants: {', '.join(parts)})",
            hint="correct the row: every reaction must conserve elements and charge",
        )


def _differs_by_hydrogen(whole: Counter[str], part: Counter[str]) -> bool:
    """Whether `part` has the heavy atoms of `whole` and no more hydrogen."""
    heavy = {element: count for element, count in whole.items() if element != "H"}
    return {element: count for element, count in part.items() if element != "H"} == heavy and part[
        "H"
    ] <= whole["H"]

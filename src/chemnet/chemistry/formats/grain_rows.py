"""Rows that follow from the species table: freeze-out, desorption, H2 formation, and the bulk of the ice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from chemnet.chemistry.network.species import parse_species
from chemnet.chemistry.network.species_and_reactions import NetworkSpecies, Reaction

WEAKLY_BOUND = 1210.0
"""Binding energy [K] up to which H2 formation and cosmic rays desorb a species (Roberts et al. 2007)."""

PHOTODESORBED = 1e4
"""Binding energy [K] up to which photons desorb a species (Holdship et al. 2017)."""

HYDROGEN_MASS = parse_species("H").mass
"""What tunnels where hydrogen reacts on a surface [amu]."""

_ION_FOCUSING = 1.0
_ICE_KINDS = frozenset({"LH", "CRP", "CRPHOT", "PHOTON"})


def grain_rows(
    species: Sequence[NetworkSpecies], freeze_as: Mapping[str, Sequence[str]], reactions: Iterable[Reaction]
) -> list[Reaction]:
    """Return the rows that the species table implies.

    Parameters
    ----------
    species
        The species table.
    freeze_as
        What one particle of a gas species becomes when it sticks to a grain.
    reactions
        The reactions written out by hand; each surface reaction (LH) gets a twin that desorbs its products.

    Returns
    -------
    list
        FREEZE, THERM, DEUVCR, DESCR, DESOH2, LHDES and H2FORM rows.
    """
    by_name = {one.name: one for one in species}
    rows = [_freeze(by_name[name], products) for name, products in freeze_as.items()]
    for ice in species:
        if ice.phase == "surface":
            rows += _desorption(ice)
    rows += [_desorbing(one) for one in reactions if one.kind == "LH"]
    if {"H", "H2"} <= by_name.keys():
        rows.append(
            Reaction(
                ("H", "H"),
                ("H2",),
                "H2FORM",
                alpha=1.0,
                reference="Cazaux & Tielens 2002",
                source="generated",
            )
        )
    return rows


def bulk_of(
    species: Sequence[NetworkSpecies], reactions: Iterable[Reaction]
) -> tuple[list[NetworkSpecies], list[Reaction]]:
    """Return what a bulk of the ice adds to a network whose ice is all surface.

    Parameters
    ----------
    species, reactions
        The network without bulk, generated rows included.

    Returns
    -------
    tuple
        One bulk species per ice species, bound as strongly as the water around it (Ruaud et al. 2016), and
        their reactions: those of the surface, swaps with it, and thermal desorption.
    """
    ices = [one for one in species if one.phase == "surface"]
    matrix = {one.name: one.binding_energy for one in ices}.get("#H2O")
    bulk = [
        replace(one, name=_in_bulk(one.name), binding_energy=one.binding_energy if matrix is None else matrix)
        for one in ices
    ]
    rows = [_exchange(one, "BULKSWAP", one.name, _in_surface(one.name)) for one in bulk]
    rows += [_exchange(one, "SURFSWAP", _in_surface(one.name), one.name) for one in bulk]
    rows += [_exchange(one, "THERM", one.name, one.name.removeprefix("@")) for one in bulk]
    rows += [_to_bulk(one) for one in reactions if one.kind in _ICE_KINDS and _on_surface(one)]
    return bulk, rows


def tunnelling_mass(first: str, second: str) -> float:
    """Return the mass [amu] that tunnels through the barrier between two surface species.

    Parameters
    ----------
    first, second
        Names of the reactants.

    Returns
    -------
    float
        The mass of H if one of them is H (Garrod & Herbst 2006), else the reduced mass (Hasegawa 1992).

    Examples
    --------
    >>> tunnelling_mass("#H", "#CO")
    1.008
    """
    masses = parse_species(first).mass, parse_species(second).mass
    if "#H" in (first, second):
        return HYDROGEN_MASS
    return masses[0] * masses[1] / (masses[0] + masses[1])


def _freeze(gas: NetworkSpecies, products: Sequence[str]) -> Reaction:
    """Return the freeze-out of a gas species; grains attract cations (Rawlings et al. 1992)."""
    focusing = _ION_FOCUSING if gas.charge > 0 else 0.0
    return Reaction(
        (gas.name,),
        tuple(products),
        "FREEZE",
        1.0,
        beta=focusing,
        reference="Rawlings 1992",
        source="generated",
    )


def _desorption(ice: NetworkSpecies) -> list[Reaction]:
    gas = (ice.name.removeprefix("#"),)
    kinds = {"THERM": "Hasegawa 1992"}
    if ice.binding_energy <= PHOTODESORBED:
        kinds["DEUVCR"] = "Roberts 2007"
    if ice.binding_energy <= WEAKLY_BOUND:
        kinds |= {"DESCR": "Roberts 2007", "DESOH2": "Roberts 2007"}
    return [
        Reaction((ice.name,), gas, kind, 1.0, gamma=ice.binding_energy, reference=paper, source="generated")
        for kind, paper in kinds.items()
    ]


def _desorbing(reaction: Reaction) -> Reaction:
    """Return the twin of a surface reaction whose products leave the ice (Minissale et al. 2016)."""
    products = tuple(name.removeprefix("#") for name in reaction.products)
    return replace(
        reaction,
        products=products,
        kind="LHDES",
        reference="Minissale 2016",
        source=f"{reaction.source} (generated)",
    )


def _exchange(bulk: NetworkSpecies, kind: str, before: str, after: str) -> Reaction:
    """Return a row that moves a bulk species, or brings one in."""
    return Reaction(
        (before,), (after,), kind, 1.0, gamma=bulk.binding_energy, reference="Ruaud 2016", source="generated"
    )


def _to_bulk(reaction: Reaction) -> Reaction:
    return replace(
        reaction,
        reactants=tuple(map(_in_bulk, reaction.reactants)),
        products=tuple(map(_in_bulk, reaction.products)),
        source=f"{reaction.source} (bulk)",
    )


def _on_surface(reaction: Reaction) -> bool:
    return all(name.startswith("#") for name in reaction.reactants)


def _in_bulk(name: str) -> str:
    """Return the bulk name of a surface species; gas keeps its name."""
    return "@" + name.removeprefix("#") if name.startswith("#") else name


def _in_surface(name: str) -> str:
    """Return the surface name of a bulk species."""
    return "#" + name.removeprefix("@")

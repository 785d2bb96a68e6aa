"""What surrounds one species in a network: what it is made from and what it turns into."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chemnet.chemistry.network.report_text import Report
from chemnet.chemistry.network.species import parse_species
from chemnet.chemistry.network.species_and_reactions import Reaction
from chemnet.chemistry.network.survey import net_change

_LIGHT = frozenset({"H", "D"})
_MEETINGS = frozenset({"TWOBODY", "IONPOL1", "IONPOL2", "EXPRESSION", "LH", "LHDES", "ER", "ERDES"})


@dataclass(frozen=True)
class Neighbour:
    """A species one reaction away.

    Attributes
    ----------
    name
        The species.
    n_reactions
        How many reactions lead from it, or to it.
    partners
        What else reacts in them, most frequent first: species, or the kind of a reaction of one species.
    """

    name: str
    n_reactions: int
    partners: tuple[str, ...]


@dataclass(frozen=True)
class Neighbourhood(Report):
    """The surroundings of one species.

    Attributes
    ----------
    species
        The species in the middle.
    n_forming, n_destroying
        Number of reactions with a net formation or destruction of it.
    sources, sinks
        The species that it is made from and that it turns into, by number of reactions.
    """

    species: str
    n_forming: int
    n_destroying: int
    sources: tuple[Neighbour, ...]
    sinks: tuple[Neighbour, ...]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Neighbourhood:
        """Return the neighbourhood that `to_dict` described, also after JSON made lists of its tuples."""

        def neighbours(rows: Sequence[Mapping[str, Any]]) -> tuple[Neighbour, ...]:
            return tuple(Neighbour(row["name"], row["n_reactions"], tuple(row["partners"])) for row in rows)

        return cls(
            **{**values, "sources": neighbours(values["sources"]), "sinks": neighbours(values["sinks"])}
        )


def neighbourhood(reactions: Sequence[Reaction], species: str) -> Neighbourhood:
    """Return what surrounds a species.

    A reactant counts as a source, and a product as a sink, if it shares an element heavier than deuterium
    with the species; where nothing does (electrons, H2 formation), all of them count.

    Parameters
    ----------
    reactions
        Reactions of the network.
    species
        Name of the species.

    Examples
    --------
    >>> found = neighbourhood([Reaction(("HCO+", "E-"), ("CO", "H"), "TWOBODY", 1e-7)], "CO")
    >>> found.sources
    (Neighbour(name='HCO+', n_reactions=1, partners=('E-',)),)
    """
    forming = [one for one in reactions if net_change(one).get(species, 0) > 0]
    destroying = [one for one in reactions if net_change(one).get(species, 0) < 0]
    return Neighbourhood(
        species=species,
        n_forming=len(forming),
        n_destroying=len(destroying),
        sources=_neighbours(forming, species, lambda one: one.reactants),
        sinks=_neighbours(destroying, species, lambda one: one.products),
    )


def _neighbours(
    reactions: Sequence[Reaction], species: str, side: Callable[[Reaction], tuple[str, ...]]
) -> tuple[Neighbour, ...]:
    """Count the relatives of a species on one side of some reactions."""
    counts: Counter[str] = Counter()
    partners: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for reaction in reactions:
        for name in relatives(side(reaction), species):
            counts[name] += 1
            partners[name].update(_partners(reaction, name, species))
    return tuple(
        Neighbour(name, count, tuple(partner for partner, _ in partners[name].most_common()))
        for name, count in counts.most_common()
    )


def relatives(names: Sequence[str], species: str) -> list[str]:
    """Return the other species that share a heavy element with `species`, or all others if none does."""
    others = [name for name in dict.fromkeys(names) if name != species]
    wanted = parse_species(species).elements.keys() - _LIGHT
    return [name for name in others if wanted & parse_species(name).elements.keys()] or others


def _partners(reaction: Reaction, neighbour: str, species: str) -> list[str]:
    """Return what reacts beside the neighbour or the species itself."""
    reacting = list(reaction.reactants)
    first = neighbour if neighbour in reacting else species
    if first in reacting:
        reacting.remove(first)
    return reacting if reacting and reaction.kind in _MEETINGS else [reaction.kind]

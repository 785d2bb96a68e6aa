"""Writes a network in chemnet's own format, which `native` describes and reads."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from chemnet.chemistry.formats.native_tables import (
    FORMAT,
    HEADER,
    KINDS,
    REACTION_COLUMNS,
    SPECIES_COLUMNS,
    VERSION,
    write_table,
)
from chemnet.chemistry.network.species_and_reactions import NetworkSpecies, Reaction
from chemnet.errors import DataError


def write(
    folder: Path,
    species: Sequence[NetworkSpecies],
    reactions: Sequence[Reaction],
    *,
    name: str = "network",
    description: str = "",
    abundances: Mapping[str, float] | None = None,
) -> None:
    """Write a network in chemnet's own format; every row is written out, none is left to be generated.

    Parameters
    ----------
    folder
        Where to write; made if it does not exist.
    species, reactions
        The network.
    name, description
        What `network.toml` says about it.
    abundances
        Standard initial abundances relative to H nuclei.

    Raises
    ------
    DataError
        A reaction has a rate expression, which this format cannot hold.
    """
    for reaction in reactions:
        if reaction.kind not in KINDS:
            raise DataError(
                f"{reaction.source or reaction}: this format cannot hold a reaction of type {reaction.kind}",
                hint="keep such a network in KROME's format",
            )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / HEADER).write_text(_header_text(name, description, abundances or {}), encoding="utf-8")
    write_table(folder / "species.csv", SPECIES_COLUMNS, map(_species_fields, species))
    write_table(folder / "reactions.csv", REACTION_COLUMNS, map(_reaction_fields, reactions))


def _header_text(name: str, description: str, abundances: Mapping[str, float]) -> str:
    lines = [f'format = "{FORMAT}"', f"version = {VERSION}", f"name = {_quoted(name)}"]
    lines += [f"description = {_quoted(description)}"] if description else []
    lines += ["", "[initial_abundances]"] if abundances else []
    lines += [f"{_quoted(species)} = {float(value)!r}" for species, value in abundances.items()]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    import tomlkit

    return tomlkit.string(text).as_string()


def _species_fields(species: NetworkSpecies) -> list[str]:
    energies = [repr(species.mass), repr(species.binding_energy), repr(species.enthalpy)]
    fractions = [repr(species.solid_fraction), repr(species.mono_fraction), repr(species.volcano_fraction)]
    return [species.name, *energies, "", *fractions, species.reference, repr(species.diffusion_barrier)]


def _reaction_fields(reaction: Reaction) -> list[str]:
    return [
        f"{' + '.join(reaction.reactants)} -> {' + '.join(reaction.products)}",
        reaction.kind,
        *(repr(value) for value in (reaction.alpha, reaction.beta, reaction.gamma, reaction.t_min)),
        "" if math.isinf(reaction.t_max) else repr(reaction.t_max),
        "yes" if reaction.extrapolate else "no",
        repr(reaction.reduced_mass),
        reaction.reference,
        reaction.outside,
        reaction.partner,
    ]

"""What a network holds and where it is odd: counts, temperature coverage, dead ends, imbalances, duplicates.

A survey takes the parts that a reader returns, so it also describes networks that `Network` would refuse.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chemnet.chemistry.network.balance import imbalance
from chemnet.chemistry.network.network import Network
from chemnet.chemistry.network.report_text import Report, place, several, titled
from chemnet.chemistry.network.species_and_reactions import NetworkSpecies, Reaction
from chemnet.chemistry.network.stoichiometry import element_names
from chemnet.chemistry.rates.temperature_ranges import JoinedRanges, join_ranges
from chemnet.errors import DataError

TEMPERATURES = (10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)
"""Where the temperature coverage is reported [K]."""


@dataclass(frozen=True)
class Survey(Report):
    """Description of a network.

    Attributes
    ----------
    name
        Name of the network.
    elements
        Elements, lightest first.
    phases
        Number of species by phase, and of `ions` among them.
    kinds
        Number of reactions by kind, most frequent first.
    limited
        Number of reactions with a temperature range, all rows of one together.
    coverage
        Fraction of those that are valid at each of `TEMPERATURES`, by temperature [K].
    never_formed, never_destroyed, unused
        Species without net formation, without net destruction, and in no reaction at all.
    imbalances
        Rows that change elements or charge, with place and change.
    n_grain_charges
        Number of rows between gas and ice that change the charge of the gas alone: the grain carries it.
    refused
        Why `Network` refuses rows; empty for a network that can be used.
    duplicates
        Rows that give one reaction twice over one temperature range, and what becomes of them.
    n_joined
        Number of gaps between temperature ranges of one reaction that are joined.
    holes
        Those of them that are wider than a way of printing (10-100, 101-300).
    overlaps
        Rows of one reaction whose temperature ranges overlap.
    notes
        What was chosen where the file left a choice.
    skipped
        Rows that were left out, with the reason.
    """

    name: str
    elements: tuple[str, ...]
    phases: dict[str, int]
    kinds: dict[str, int]
    limited: int
    coverage: dict[str, float]
    never_formed: tuple[str, ...]
    never_destroyed: tuple[str, ...]
    unused: tuple[str, ...]
    imbalances: tuple[str, ...]
    n_grain_charges: int
    refused: tuple[str, ...]
    duplicates: tuple[str, ...]
    n_joined: int = 0
    holes: tuple[str, ...] = ()
    overlaps: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()

    @property
    def n_species(self) -> int:
        """Number of species."""
        return sum(count for phase, count in self.phases.items() if phase != "ions")

    @property
    def n_reactions(self) -> int:
        """Number of reactions."""
        return sum(self.kinds.values())

    def __str__(self) -> str:
        ions = f" ({self.phases['ions']} ions)"
        phases = (
            f"{count} {phase}{ions * (phase == 'gas')}"
            for phase, count in self.phases.items()
            if phase != "ions"
        )
        covered = (f"{share:.0%} at {float(t):g} K" for t, share in self.coverage.items())
        rows = [
            ("network", f"{self.name}: {self.n_species} species, {self.n_reactions} reactions"),
            ("elements", " ".join(self.elements)),
            ("species", ", ".join(phases)),
            ("reactions", ", ".join(f"{kind} {count}" for kind, count in self.kinds.items())),
            ("temperature", f"{self.limited} reactions have a range; valid: {', '.join(covered) or 'all'}"),
            ("never formed", " ".join(self.never_formed) or "none"),
            ("never destroyed", " ".join(self.never_destroyed) or "none"),
            ("in no reaction", " ".join(self.unused) or "none"),
            ("imbalances", several(self.imbalances)),
            ("grain charges", f"{self.n_grain_charges} rows between gas and ice leave charge on the grain"),
            ("gaps", f"{self.n_joined} between the ranges of one reaction, joined at the nearer row"),
            ("real holes", several(self.holes)),
            ("overlaps", several(self.overlaps)),
            ("duplicates", several(self.duplicates)),
            ("refused", several(self.refused)),
        ]
        rows += [("noticed", several(self.notes))] if self.notes else []
        rows += [("left out", several(self.skipped))] if self.skipped else []
        return titled(rows)


def survey(
    species: Sequence[NetworkSpecies],
    reactions: Sequence[Reaction],
    name: str = "network",
    *,
    notes: Sequence[str] = (),
    skipped: Sequence[str] = (),
) -> Survey:
    """Describe a network.

    Parameters
    ----------
    species, reactions
        What `chemnet.chemistry.formats.read_parts` returns.
    name
        What to call it.
    notes, skipped
        What the reader noticed and left out.

    Returns
    -------
    Survey
        The description; nothing in the network stops it but names that are no formulas.

    Raises
    ------
    DataError
        A name is not a formula.
    """
    known = {one.name: one for one in species}
    imbalances, n_grain_charges = _imbalances(reactions, known)
    formed, destroyed, used = _fates(reactions)
    ranges = join_ranges(reactions)
    limited = _limits(reactions, ranges)
    return Survey(
        name=name,
        elements=element_names(known),
        phases=_phases(species),
        kinds=dict(Counter(reaction.kind for reaction in reactions).most_common()),
        limited=len(limited),
        coverage=_coverage(limited),
        never_formed=tuple(one for one in known if one in used and one not in formed),
        never_destroyed=tuple(one for one in known if one in used and one not in destroyed),
        unused=tuple(one for one in known if one not in used),
        imbalances=imbalances,
        n_grain_charges=n_grain_charges,
        refused=_refused(species, reactions),
        duplicates=_duplicates(reactions, ranges),
        n_joined=ranges.n_joined,
        holes=tuple(
            f"{place(reactions[row].source)}{reactions[row]}: none from {low:g} to {high:g} K"
            for row, _, low, high in ranges.holes
        ),
        overlaps=_overlaps(reactions, ranges),
        notes=tuple(notes),
        skipped=tuple(skipped),
    )


def net_change(reaction: Reaction) -> dict[str, int]:
    """Return how many of each species a reaction makes (positive) or uses up; catalysts are left out.

    Examples
    --------
    >>> net_change(Reaction(("H", "E-"), ("H+", "E-", "E-"), "TWOBODY", 1e-9))
    {'H': -1, 'E-': 1, 'H+': 1}
    """
    change: Counter[str] = Counter()
    for names, sign in ((reaction.reactants, -1), (reaction.products, 1)):
        for name in names:
            change[name] += sign
    return {name: count for name, count in change.items() if count}


def _phases(species: Sequence[NetworkSpecies]) -> dict[str, int]:
    """Count species by phase, and the ions."""
    counted = Counter(one.phase for one in species)
    phases = {phase: counted[phase] for phase in ("gas", "surface", "bulk") if counted[phase]}
    return phases | {"ions": sum(one.charge != 0 and bool(one.elements) for one in species)}


def _fates(reactions: Sequence[Reaction]) -> tuple[set[str], set[str], set[str]]:
    """Return the species that some reaction forms, destroys, or names at all."""
    formed: set[str] = set()
    destroyed: set[str] = set()
    used: set[str] = set()
    for reaction in reactions:
        used.update(reaction.reactants, reaction.products)
        for name, count in net_change(reaction).items():
            (formed if count > 0 else destroyed).add(name)
    return formed, destroyed, used


def _has_range(reaction: Reaction) -> bool:
    return not reaction.extrapolate and (reaction.t_min > 0 or math.isfinite(reaction.t_max))


def _limits(reactions: Sequence[Reaction], ranges: JoinedRanges) -> list[tuple[float, float]]:
    """Return the first and the last limit of each reaction that has both, its rows joined [K]."""
    joined = {row for group in ranges.reactions for row in group}
    groups = [*ranges.reactions, *((row,) for row in range(len(reactions)) if row not in joined)]
    limited = [rows for group in groups if all(map(_has_range, rows := [reactions[row] for row in group]))]
    return [(min(one.t_min for one in rows), max(one.t_max for one in rows)) for rows in limited]


def _coverage(limited: Sequence[tuple[float, float]]) -> dict[str, float]:
    """Return the fraction of the reactions with a range that is valid at each of `TEMPERATURES`."""
    return {
        f"{temperature:g}": sum(low <= temperature <= high for low, high in limited) / len(limited)
        for temperature in TEMPERATURES
        if limited
    }


def _imbalances(
    reactions: Sequence[Reaction], known: Mapping[str, NetworkSpecies]
) -> tuple[tuple[str, ...], int]:
    """Describe the rows that change elements or charge, and count those that leave charge on a grain."""
    found = []
    n_grain_charges = 0
    for reaction in reactions:
        names = {*reaction.reactants, *reaction.products}
        if not known.keys() >= names:
            continue  # reported among the refused rows
        atoms, charge = imbalance(reaction, known)
        with_grain = reaction.kind == "FREEZE" or any(known[name].phase != "gas" for name in names)
        if charge and not atoms and with_grain:
            n_grain_charges += 1
        elif charge or atoms:
            changes = [f"{element} {change:+d}" for element, change in atoms.items()]
            changes += [f"charge {charge:+d}"] if charge else []
            found.append(f"{place(reaction.source)}{reaction}: {', '.join(changes)}")
    return tuple(found), n_grain_charges


def _refused(species: Sequence[NetworkSpecies], reactions: Sequence[Reaction]) -> tuple[str, ...]:
    """Return why `Network` refuses the species, or else rows one by one."""
    try:
        Network.from_parts(species, reactions)
    except DataError as error:
        messages = [error.message]
    else:
        return ()
    if reactions:
        each = (_why_refused(species, reaction) for reaction in reactions)
        messages = [message for message in dict.fromkeys(each) if message]
    return tuple(messages)


def _why_refused(species: Sequence[NetworkSpecies], reaction: Reaction) -> str:
    """Return why `Network` refuses a row; empty if it does not."""
    try:
        Network.from_parts(species, [reaction])
    except DataError as error:
        return error.message
    return ""


def _duplicates(reactions: Sequence[Reaction], ranges: JoinedRanges) -> tuple[str, ...]:
    found = []
    for first, second, same in ranges.repeated:
        one, earlier = reactions[second], reactions[first].source or "an earlier row"
        fate = ", counted once" if same else " with other numbers: they add up"
        found.append(f"{place(one.source)}{one} repeats {earlier}{fate}")
    return tuple(found)


def _overlaps(reactions: Sequence[Reaction], ranges: JoinedRanges) -> tuple[str, ...]:
    found = []
    for first, second in ranges.overlaps:
        one, other = reactions[first], reactions[second]
        limits = (f"{row.t_min:g}-{row.t_max:g}" for row in (one, other))
        found.append(f"{place(other.source)}{other}: {' and '.join(limits)} K; the narrower range counts")
    return tuple(found)

"""Which row of a reaction counts at which temperature: exactly one from the first limit to the last.

The rows of one gas-phase reaction (same reactants, products and process) are pieces of one rate. Of a gap
between two pieces each takes the half that is nearer to it, with the rate at its limit; where pieces overlap,
the one with the narrower range counts. Rows over one and the same range are terms of a sum (several states or
channels in one name), unless they are the same row twice: that counts once. Beyond the first and the last
limit a row does what its field `outside` says.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from chemnet.chemistry.network.network import Network
from chemnet.chemistry.network.species_and_reactions import Reaction

SELF_SHIELDED = frozenset({"H2", "CO", "C"})
"""Species whose photodissociation or ionisation is computed from columns and knows no temperature limits."""

LARGEST_PRINTING_GAP = 1.0
"""Gap [K] between two ranges that is but a way to write whole numbers: 10-100, 101-300."""

_FITS = ("TWOBODY", "IONPOL1", "IONPOL2", "EXPRESSION")
_GAS_KINDS = frozenset({*_FITS, "CRP", "CRPHOT", "PHOTON"})


class ActiveRange(NamedTuple):
    """Where a row counts, `start <= T < end`, and the limits within which its temperature is held [K]."""

    start: float
    end: float
    lowest: float
    highest: float


@dataclass(frozen=True)
class JoinedRanges:
    """The ranges of all rows of a network.

    Attributes
    ----------
    rows
        Where each row counts, in the order of the network: no entry for a row that never does.
    reactions
        Positions of the rows of each gas-phase reaction.
    n_joined
        Number of gaps that were closed.
    holes
        Gaps wider than a way of printing, as pairs of rows and the two limits [K].
    overlaps
        Pairs of rows whose ranges overlap.
    repeated
        Pairs of rows over one range; the flag says whether the second is the same as the first.
    """

    rows: tuple[tuple[ActiveRange, ...], ...]
    reactions: tuple[tuple[int, ...], ...]
    n_joined: int
    holes: tuple[tuple[int, int, float, float], ...]
    overlaps: tuple[tuple[int, int], ...]
    repeated: tuple[tuple[int, int, bool], ...]


@lru_cache(maxsize=8)
def network_ranges(network: Network) -> JoinedRanges:
    """Return the joined ranges of `network`; they are kept for the next call."""
    return join_ranges(network.reactions)


def join_ranges(reactions: Sequence[Reaction]) -> JoinedRanges:
    """Decide where each row counts.

    Parameters
    ----------
    reactions
        All rows of a network. Rows on ice have no fit to join and count within their own limits.

    Returns
    -------
    JoinedRanges
        Ranges per row, and what was joined, found overlapping or repeated.
    """
    rows: list[tuple[ActiveRange, ...]] = [_as_listed(one) for one in reactions]
    groups: defaultdict[tuple[object, ...], list[int]] = defaultdict(list)
    for position, one in enumerate(reactions):
        if is_gas_phase(one):
            groups[process_of(one)].append(position)
    found = _Findings()
    for group in groups.values():
        if len(group) > 1 or not _is_unlimited(reactions[group[0]]):
            for position, ranges in _join_group(group, reactions, found):
                rows[position] = ranges
    return JoinedRanges(
        tuple(rows),
        tuple(map(tuple, groups.values())),
        found.n_joined,
        tuple(found.holes),
        tuple(found.overlaps),
        tuple(found.repeated),
    )


def is_gas_phase(reaction: Reaction) -> bool:
    """Return whether a reaction happens in the gas; rates on grains have no range of temperature."""
    return reaction.kind in _GAS_KINDS and not any(name[0] in "#@" for name in reaction.reactants)


class _Findings:
    """What the rows of all reactions showed."""

    def __init__(self) -> None:
        self.n_joined = 0
        self.holes: list[tuple[int, int, float, float]] = []
        self.overlaps: list[tuple[int, int]] = []
        self.repeated: list[tuple[int, int, bool]] = []


def process_of(reaction: Reaction) -> tuple[object, ...]:
    """Return what the rows of one reaction share; fits of different form may continue one another.

    Parameters
    ----------
    reaction
        A row.

    Returns
    -------
    tuple
        Process, partner, reactants and products, the latter two sorted.
    """
    kind = _FITS[0] if reaction.kind in _FITS else reaction.kind
    return reaction.partner or kind, tuple(sorted(reaction.reactants)), tuple(sorted(reaction.products))


def _is_unlimited(reaction: Reaction) -> bool:
    return reaction.extrapolate or _limits(reaction) == (0.0, math.inf)


def _limits(reaction: Reaction) -> tuple[float, float]:
    if reaction.kind == "PHOTON" and reaction.reactants[0] in SELF_SHIELDED:
        return 0.0, math.inf
    return max(reaction.t_min, 0.0), reaction.t_max


def _as_listed(reaction: Reaction) -> tuple[ActiveRange, ...]:
    """Return the range of a row that has no others beside it, as it stands in the file."""
    if _is_unlimited(reaction):
        return (ActiveRange(0.0, math.inf, 0.0, math.inf),)
    return (ActiveRange(reaction.t_min, _after(reaction.t_max), reaction.t_min, reaction.t_max),)


def _join_group(
    group: Sequence[int], reactions: Sequence[Reaction], found: _Findings
) -> Iterator[tuple[int, tuple[ActiveRange, ...]]]:
    """Return where the rows of one reaction count."""
    pieces: defaultdict[tuple[float, float], list[int]] = defaultdict(list)
    for position in group:
        one = reactions[position]
        others = pieces[_limits(one)]
        twin = next((other for other in others if _same_rate(one, reactions[other])), None)
        if others:
            found.repeated.append((others[0] if twin is None else twin, position, twin is not None))
        if twin is None:
            others.append(position)
        else:
            yield position, ()
    limits = sorted(pieces)
    for one_limit, other_limit in pairwise(limits):
        if other_limit[0] < one_limit[1]:
            found.overlaps.append((pieces[one_limit][0], pieces[other_limit][0]))
    segments = _close_gaps(_disjoint(limits), pieces, found)
    for limit in limits:
        own = [(start, end) for start, end, owner in segments if owner == limit]
        for position in pieces[limit]:
            yield position, _ranges(reactions[position], own, segments[0][0], segments[-1][1])


def _same_rate(one: Reaction, other: Reaction) -> bool:
    """Whether two rows over one range are the same row."""
    return all(
        getattr(one, name) == getattr(other, name)
        for name in ("kind", "alpha", "beta", "gamma", "expression")
    )


def _disjoint(limits: Sequence[tuple[float, float]]) -> list[tuple[float, float, tuple[float, float]]]:
    """Return stretches `start <= T < end` with the piece that counts there: the narrowest that covers it."""
    edges = sorted({edge for low, high in limits for edge in (low, _after(high))})
    stretches: list[tuple[float, float, tuple[float, float]]] = []
    for start, end in pairwise(edges):
        covering = [limit for limit in limits if limit[0] <= start and _after(limit[1]) >= end]
        if not covering:
            continue
        # a range of one temperature inside another one says nothing that the other does not
        owner = min(covering, key=lambda limit: (limit[1] - limit[0] or math.inf, limit))
        if stretches and stretches[-1][2] == owner and stretches[-1][1] == start:
            stretches[-1] = stretches[-1][0], end, owner
        else:
            stretches.append((start, end, owner))
    return stretches


def _close_gaps(
    stretches: Sequence[tuple[float, float, tuple[float, float]]],
    pieces: dict[tuple[float, float], list[int]],
    found: _Findings,
) -> list[tuple[float, float, tuple[float, float]]]:
    """Return the stretches with each gap divided in the middle."""
    closed = list(stretches)
    for i, (one, other) in enumerate(pairwise(stretches)):
        if other[0] > one[1]:
            middle = 0.5 * (one[1] + other[0])
            closed[i] = closed[i][0], middle, one[2]
            closed[i + 1] = middle, closed[i + 1][1], other[2]
            found.n_joined += 1
            if other[0] - one[2][1] > LARGEST_PRINTING_GAP:
                found.holes.append((pieces[one[2]][0], pieces[other[2]][0], one[2][1], other[0]))
    return closed


def _ranges(
    reaction: Reaction, own: Sequence[tuple[float, float]], first: float, last: float
) -> tuple[ActiveRange, ...]:
    """Return where one row counts, its first and last stretch widened by what happens outside."""
    outside = "extrapolate" if reaction.extrapolate else reaction.outside
    lowest, highest = (0.0, math.inf) if outside == "extrapolate" else _limits(reaction)
    if _diverges(reaction):
        lowest = reaction.t_min
    return tuple(
        ActiveRange(
            0.0 if start == first and outside != "zero" else start,
            math.inf if end == last and outside != "zero" else end,
            lowest,
            highest,
        )
        for start, end in own
    )


def _diverges(reaction: Reaction) -> bool:
    """Whether exp(-gamma/T) runs away below the range of a row that its format does not ask to extrapolate.

    Such fits (Roellig 2011, A&A 530, A9) keep their rate at the lower limit.
    """
    chosen = reaction.outside == "extrapolate" and not reaction.extrapolate
    return chosen and reaction.kind == "TWOBODY" and reaction.gamma < 0.0


def _after(temperature: float) -> float:
    """Return the next number above a limit that belongs to its range."""
    return math.nextafter(temperature, math.inf)
